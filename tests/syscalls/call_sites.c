/* A place in code that has made the same call often: what the call leaves behind, and every way into its middle. */
#include "harness.h"
#include "fixtures.h"
#include "sites.h"

#include <sys/prctl.h>
#include <ucontext.h>

unsigned long site_given[16], site_seen[24];

/* Loads all registers, flags and the red zone, makes a call, and notes what is there afterwards. */
#define AROUND(number_and_call)											\
	__asm__ volatile("sub $256, %%rsp; push %%rbp; push %%rbx; lea -256(%%rsp), %%rsp;"			\
			 "mov 0+site_given(%%rip), %%rbx; mov 8+site_given(%%rip), %%rbp;"			\
			 "mov 16+site_given(%%rip), %%rdi; mov 24+site_given(%%rip), %%rsi;"			\
			 "mov 32+site_given(%%rip), %%rdx; mov 40+site_given(%%rip), %%r8;"			\
			 "mov 48+site_given(%%rip), %%r9; mov 56+site_given(%%rip), %%r10;"			\
			 "mov 64+site_given(%%rip), %%r12; mov 72+site_given(%%rip), %%r13;"			\
			 "mov 80+site_given(%%rip), %%r14; mov 88+site_given(%%rip), %%r15;"			\
			 "mov %%rsp, 144+site_seen(%%rip); pushq $0xcd7; popfq;"				\
			 "movq $0x1111, -8(%%rsp); movq $0x2222, -64(%%rsp); movq $0x3333, -128(%%rsp);"	\
			 number_and_call									\
			 "lea -256(%%rsp), %%rsp; pushfq; pop 120+site_seen(%%rip);"				\
			 "lea 256(%%rsp), %%rsp; cld; mov %%rsp, 152+site_seen(%%rip);"				\
			 "mov %%rbx, 0+site_seen(%%rip); mov %%rbp, 8+site_seen(%%rip);"			\
			 "mov %%rdi, 16+site_seen(%%rip); mov %%rsi, 24+site_seen(%%rip);"			\
			 "mov %%rdx, 32+site_seen(%%rip); mov %%r8, 40+site_seen(%%rip);"			\
			 "mov %%r9, 48+site_seen(%%rip); mov %%r10, 56+site_seen(%%rip);"			\
			 "mov %%r12, 64+site_seen(%%rip); mov %%r13, 72+site_seen(%%rip);"			\
			 "mov %%r14, 80+site_seen(%%rip); mov %%r15, 88+site_seen(%%rip);"			\
			 "mov %%rax, 96+site_seen(%%rip); mov %%rcx, 104+site_seen(%%rip);"			\
			 "mov %%r11, 112+site_seen(%%rip); lea 1b(%%rip), %%rax;"				\
			 "mov %%rax, 128+site_seen(%%rip); mov -8(%%rsp), %%rax; add -64(%%rsp), %%rax;"	\
			 "add -128(%%rsp), %%rax; mov %%rax, 136+site_seen(%%rip);"				\
			 "lea 256(%%rsp), %%rsp; pop %%rbx; pop %%rbp; add $256, %%rsp"				\
			 : : : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",	\
			 "r14", "r15", "cc", "memory")

#define FLAGS 0xcd5ul /* CF PF AF ZF SF DF OF: AROUND sets them all */

static void judge_registers(long result, bool compared)
{
	for (int i = 0; i < 12; i++)
		CHECK_EQ(site_seen[i], site_given[i]);
	CHECK_EQ(site_seen[12], result);
	CHECK_EQ(site_seen[13], site_seen[16]); /* rcx: the instruction behind */
	/* not r11, [14]: it is the call's to destroy */
	if (!compared)
		CHECK_EQ(site_seen[15] & FLAGS, FLAGS);
	else
		CHECK_EQ(site_seen[15] & 0x441, (unsigned long)result >= -4095ul ? 0x400 : 0x401);
	CHECK_EQ(site_seen[17], 0x6666); /* the red zone */
	CHECK_EQ(site_seen[18], site_seen[19]);
}

static void give_registers(void)
{
	for (int i = 0; i < 12; i++)
		site_given[i] = 0x1111111111111111ul * (i + 1);
}

CASE(call_with_its_number_just_before_keeps_all_state, "syscall(2)")
{
	give_registers();
	for (int turn = 0; turn < OFTEN; turn++) {
		AROUND("mov $110, %%eax; syscall; 1:");
		judge_registers(getppid(), false);
	}
}

CASE(call_with_a_compare_behind_keeps_all_state, "syscall(2)")
{
	give_registers();
	for (int turn = 0; turn < OFTEN; turn++) {
		AROUND("mov $110, %%eax; movq $0x1111, -8(%%rsp); syscall; 1: cmp $-4095, %%rax;");
		judge_registers(getppid(), true);
	}
	for (int turn = 0; turn < OFTEN; turn++) { /* an error: close of no descriptor */
		AROUND("mov $3, %%eax; movq $0x1111, -8(%%rsp); syscall; 1: cmp $-4095, %%rax;");
		judge_registers(-EBADF, true);
	}
}

CASE(call_needs_no_stack, "syscall(2)")
{
	static const unsigned long no_stacks[] = { 0, 16, 0x7ffffffffffful, 0x800000000000ul, -8ul };

	for (unsigned i = 0; i < sizeof(no_stacks) / sizeof(no_stacks[0]); i++) {
		for (int turn = 0; turn < OFTEN; turn++) {
			long result, again = SYS_getppid;

			__asm__ volatile("mov %%rsp, %%rbx; mov %[none], %%rsp; mov $110, %%eax; syscall; mov %%rbx, %%rsp"
					 : "=a"(result) : [none] "r"(no_stacks[i]) : "rbx", "rcx", "r11", "memory");
			CHECK_EQ(result, getppid());
			__asm__ volatile("mov %%rsp, %%rbx; mov %[none], %%rsp; nop; syscall; cmp $-4095, %%rax;"
					 "mov %%rbx, %%rsp"
					 : "+a"(again) : [none] "r"(no_stacks[i]) : "rbx", "rcx", "r11", "cc", "memory");
			CHECK_EQ(again, getppid());
		}
	}
}

CASE(errors_and_arguments_pass_a_call_unchanged, "syscall(2)")
{
	unsigned char *page = code_page(RW);
	int ends[2];
	char byte;

	put_site(page, COMPARE_BEHIND, 0);
	allow(page, RX);
	CHECK_OK(pipe(ends));
	for (int turn = 0; turn < OFTEN; turn++) {
		CHECK_EQ(enter(page, SYS_close, -1, 0, 0), -EBADF);
		CHECK_EQ(enter(page, SYS_write, ends[1], (long)"x", 1), 1);
		CHECK_EQ(enter(page, SYS_read, ends[0], (long)&byte, 1), 1);
		CHECK_EQ(byte, 'x');
		CHECK_EQ(enter(page, SYS_write, ends[1], 8, 1), -EFAULT);
		CHECK_EQ(enter(page, 100000, 0, 0, 0), -ENOSYS);
		CHECK_EQ(enter(page, -1, 0, 0, 0), -ENOSYS);
		CHECK_EQ(enter(page, SYS_getpid, 0, 0, 0), getpid());
	}
}

CASE(jump_to_the_instruction_itself_makes_the_call, "syscall(2)")
{
	unsigned char *page = code_page(RW);

	put_site(page, NUMBER_BEFORE, SYS_getpid);
	allow(page, RX);
	enter_often(page, 0, getpid());
	enter_often(page + 5, SYS_getppid, getppid()); /* past the mov: another number */
	enter_often(page, 0, getpid());
	for (int turn = 0; turn < OFTEN; turn++) {
		CHECK_EQ(enter(page + 5, SYS_getppid, 0, 0, 0), getppid());
		CHECK_EQ(enter(page, 0, 0, 0, 0), getpid());
		CHECK_EQ(enter(page + 5, SYS_close, -1, 0, 0), -EBADF);
	}
}

CASE(jump_behind_the_call_goes_on_there, "syscall(2)")
{
	unsigned char *page = code_page(RW);
	static const unsigned char compare_and_choose[] = {
		0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff,			/* cmp $-4095, %rax */
		0x73, 0x06,						/* jae 1f */
		0xb8, 0x07, 0x00, 0x00, 0x00, 0xc3,			/* mov $7, %eax; ret */
		0xb8, 0x08, 0x00, 0x00, 0x00, 0xc3,			/* 1: mov $8, %eax; ret */
	};

	put_site(page, COMPARE_BEHIND, 0);
	memcpy(page + 2, compare_and_choose, sizeof(compare_and_choose));
	allow(page, RX);
	for (int turn = 0; turn < OFTEN; turn++) {
		CHECK_EQ(enter(page, SYS_getpid, 0, 0, 0), 7);
		CHECK_EQ(enter(page, SYS_close, -1, 0, 0), 8);
	}
	for (int turn = 0; turn < OFTEN; turn++) {
		CHECK_EQ(enter(page + 2, 0, 0, 0, 0), 7); /* the compare, with our own number */
		CHECK_EQ(enter(page + 2, -5, 0, 0, 0), 8);
		CHECK_EQ(enter(page + 2, -4096, 0, 0, 0), 7);
		CHECK_EQ(enter(page, SYS_getpid, 0, 0, 0), 7);
	}
}

static unsigned char *raced;
static volatile int raced_wrong;
static pthread_barrier_t start;

static void *race(void *offset)
{
	long number = offset ? SYS_getppid : SYS_getpid, expected = offset ? getppid() : getpid();

	pthread_barrier_wait(&start);
	for (int i = 0; i < 300; i++)
		if (enter(raced + (long)offset, number, 0, 0, 0) != expected)
			raced_wrong = 1;
	return NULL;
}

/* Four threads at a place that has not been used before, the last two entering at an offset. */
static void race_at_fresh_sites(enum form form, int number, long offset)
{
	pthread_barrier_init(&start, NULL, 4);
	raced = code_page(RW);
	for (int turn = 0; turn < 25; turn++) {
		pthread_t threads[4];

		allow(raced, RW);
		put_site(raced + 64 * turn, form, number);
		allow(raced, RX);
		raced += 64 * turn;
		for (int i = 0; i < 4; i++)
			CHECK_EQ(pthread_create(&threads[i], NULL, race, (void *)(i < 2 ? 0 : offset)), 0);
		for (int i = 0; i < 4; i++)
			CHECK_EQ(pthread_join(threads[i], NULL), 0);
		raced -= 64 * turn;
		CHECK(!raced_wrong);
	}
}

CASE(threads_use_a_new_place_at_once, "pthreads(7)")
{
	race_at_fresh_sites(NUMBER_BEFORE, SYS_getpid, 0);
	race_at_fresh_sites(COMPARE_BEHIND, 0, 0);
}

CASE(threads_jump_into_the_middle_of_a_new_place, "pthreads(7)")
{
	race_at_fresh_sites(NUMBER_BEFORE, SYS_getpid, 5);
}

static volatile int over;

static void *use_until_over(void *code)
{
	while (!over)
		if (enter(code, SYS_getppid, 0, 0, 0) != getppid())
			raced_wrong = 1;
	return NULL;
}

CASE(page_is_made_writable_and_back_while_threads_run_in_it, "mprotect(2)")
{
	unsigned char *page = code_page(RW);
	pthread_t threads[3];

	put_site(page, COMPARE_BEHIND, 0);
	put_site(page + 100, NUMBER_BEFORE, SYS_getppid);
	allow(page, RX);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, use_until_over, page + (i & 1) * 100), 0);
	for (int turn = 0; turn < 200; turn++) {
		allow(page, RWX);
		page[3000] = turn;
		if (turn % 10 == 0)
			sched_yield();
		allow(page, RX);
	}
	over = 1;
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK(!raced_wrong);
}
