/* What the same place in code answers after something has changed: ids, masks; and signals that arrive in it. */
#include "harness.h"
#include "fixtures.h"
#include "sites.h"

#include <sys/prctl.h>
#include <ucontext.h>

static unsigned char *site(enum form form, int number)
{
	unsigned char *page = code_page(RW);

	put_site(page, form, number);
	allow(page, RX);
	return page;
}

/* Some child exits with this code. */
#define CHECK_ENDS(code)				\
	do {						\
		int status_;				\
		CHECK_OK(waitpid(-1, &status_, 0));	\
		CHECK_EQ(status_, (code) << 8);		\
	} while (0)

static void *judge_ids_of_a_thread(void *code)
{
	enter_often(code, SYS_gettid, gettid());
	enter_often(code, SYS_getpid, getpid());
	CHECK(enter(code, SYS_gettid, 0, 0, 0) != getpid());
	return NULL;
}

CASE(each_thread_has_its_own_id_at_a_shared_place, "gettid(2)")
{
	unsigned char *code = site(COMPARE_BEHIND, 0);

	enter_often(code, SYS_gettid, gettid());
	for (int i = 0; i < 5; i++) {
		pthread_t thread;

		CHECK_EQ(pthread_create(&thread, NULL, judge_ids_of_a_thread, code), 0);
		CHECK_EQ(pthread_join(thread, NULL), 0);
		enter_often(code, SYS_gettid, gettid());
	}
}

CASE(ids_follow_setresuid_at_once, "setresuid(2)")
{
	unsigned char *code = site(COMPARE_BEHIND, 0);
	pid_t child;

	NEEDS_ROOT();
	enter_often(code, SYS_getuid, 0);
	enter_often(code, SYS_getgid, getgid());
	child = fork_child();
	if (child == 0) {
		enter_often(code, SYS_geteuid, 0);
		CHECK_OK(setresgid(5, 6, 7));
		CHECK_OK(setresuid(1, 2, 0));
		enter_often(code, SYS_getuid, 1);
		enter_often(code, SYS_geteuid, 2);
		enter_often(code, SYS_getgid, 5);
		enter_often(code, SYS_getegid, 6);
		CHECK_OK(seteuid(0));
		enter_often(code, SYS_geteuid, 0);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	enter_often(code, SYS_getuid, 0);
}

CASE(parent_s_id_follows_its_death, "getppid(2)")
{
	unsigned char *code = site(NUMBER_BEFORE, SYS_getppid);
	int there[2], back[2];
	pid_t middle, self = getpid();

	CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	CHECK_OK(pipe(there));
	CHECK_OK(pipe(back));
	middle = fork_child();
	if (middle == 0) {
		pid_t parent = getpid();

		if (fork_child() == 0) {
			enter_often(code, 0, parent);
			tell(back[1]);
			await(there[0]);
			enter_often(code, 0, self);
			_exit(7);
		}
		await(back[0]);
		_exit(0);
	}
	CHECK_EXITS(middle, 0);
	tell(there[1]);
	CHECK_ENDS(7);
}

static unsigned char *mask_code;
static unsigned long mask_in_handler;

/* enter() has no fourth argument. */
static long sigprocmask_there(int how, const unsigned long *set, unsigned long *old)
{
	register unsigned long size __asm__("r10") = 8;
	long number = SYS_rt_sigprocmask;

	__asm__ volatile("sub $128, %%rsp; call *%%rbx; add $128, %%rsp"
			 : "+a"(number)
			 : "b"(mask_code), "D"((long)how), "S"(set), "d"(old), "r"(size)
			 : "rcx", "r11", "cc", "memory");
	return number;
}

static unsigned long mask_there(void)
{
	unsigned long mask = 0x5a5a;

	CHECK_EQ(sigprocmask_there(SIG_BLOCK, NULL, &mask), 0);
	return mask;
}

static void note_mask(int number)
{
	count_signal(number);
	mask_in_handler = mask_there();
}

CASE(mask_is_current_at_a_used_place, "sigprocmask(2)")
{
	const unsigned long usr1 = 1ul << (SIGUSR1 - 1), usr2 = 1ul << (SIGUSR2 - 1);
	struct sigaction action = { .sa_handler = note_mask };

	mask_code = site(COMPARE_BEHIND, 0);
	for (int turn = 0; turn < OFTEN; turn++) {
		CHECK_EQ(sigprocmask_there(SIG_SETMASK, &usr1, NULL), 0);
		CHECK_EQ(mask_there(), usr1);
		CHECK_EQ(sigprocmask_there(SIG_BLOCK, &usr2, NULL), 0);
		CHECK_EQ(mask_there(), usr1 | usr2);
		CHECK_EQ(sigprocmask_there(SIG_UNBLOCK, &usr1, NULL), 0);
		CHECK_EQ(mask_there(), usr2);
	}
	sigaddset(&action.sa_mask, SIGHUP);
	CHECK_OK(sigaction(SIGUSR1, &action, NULL));
	for (int turn = 0; turn < OFTEN; turn++) {
		CHECK_OK(raise(SIGUSR1));
		CHECK_EQ(signals_seen, turn + 1);
		CHECK_EQ(mask_in_handler, usr1 | usr2 | 1ul << (SIGHUP - 1));
		CHECK_EQ(mask_there(), usr2);
	}
}

static volatile unsigned long odd_place;
static unsigned long ranges[200][2];
static int range_count;

static void read_executable_ranges(void)
{
	FILE *maps = CHECK_OK(fopen("/proc/self/maps", "r"));
	char line[4096], flags[5];

	range_count = 0;
	while (fgets(line, sizeof(line), maps) && range_count < 200)
		if (sscanf(line, "%lx-%lx %4s", &ranges[range_count][0], &ranges[range_count][1], flags) == 3)
			range_count += flags[2] == 'x';
	fclose(maps);
}

static void look_at_the_place(int number, siginfo_t *info, void *context)
{
	unsigned long place = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

	(void)info;
	count_signal(number);
	for (int i = 0; i < range_count; i++)
		if (place >= ranges[i][0] && place < ranges[i][1])
			return;
	odd_place = place;
}

static void tick(void (*handler)(int, siginfo_t *, void *), long microseconds)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerval every = { { 0, microseconds }, { 0, microseconds } };

	signals_seen = 0;
	CHECK_OK(sigaction(SIGALRM, &action, NULL));
	CHECK_OK(setitimer(ITIMER_REAL, &every, NULL));
}

CASE(signal_finds_the_program_in_its_own_code, "sigaction(2)")
{
	unsigned char *code = site(NUMBER_BEFORE, SYS_getpid), *other = site(COMPARE_BEHIND, 0);

	read_executable_ranges();
	tick(look_at_the_place, 1000);
	while (signals_seen < 300 && !odd_place) {
		enter_often(code, 0, getpid());
		enter_often(other, SYS_getppid, getppid());
		enter_often(other, SYS_getuid, getuid());
		enter_often(other, SYS_sched_yield, 0);
	}
	still();
	if (odd_place)
		FAIL("a handler's context says %#lx", odd_place);
}

static unsigned char *handler_code;

static void make_calls(int number, siginfo_t *info, void *context)
{
	(void)info, (void)context;
	count_signal(number);
	if (enter(handler_code, SYS_getppid, 0, 0, 0) != getppid())
		odd_place = 1;
	if (enter(handler_code, SYS_close, -1, 0, 0) != -EBADF)
		odd_place = 2;
}

CASE(handler_makes_calls_at_the_place_that_it_interrupted, "signal(7)")
{
	handler_code = site(COMPARE_BEHIND, 0);
	tick(make_calls, 1000);
	while (signals_seen < 300) {
		enter_often(handler_code, SYS_getpid, getpid());
		enter_often(handler_code, SYS_sched_yield, 0);
		CHECK_EQ(enter(handler_code, SYS_write, -1, 0, 0), -EBADF);
	}
	still();
	CHECK_EQ(odd_place, 0);
}

CASE(interrupted_call_is_made_again_at_a_used_place, "signal(7)")
{
	unsigned char *code = site(COMPARE_BEHIND, 0);
	int ends[2];
	char byte;
	pid_t child;

	CHECK_OK(pipe(ends));
	for (int turn = 0; turn < OFTEN; turn++) {
		CHECK_EQ(enter(code, SYS_write, ends[1], (long)"x", 1), 1);
		CHECK_EQ(enter(code, SYS_read, ends[0], (long)&byte, 1), 1);
	}
	alarm_often(count_signal, SA_RESTART);
	child = fork_child();
	if (child == 0) {
		usleep(60000);
		tell(ends[1]);
		_exit(0);
	}
	CHECK_EQ(enter(code, SYS_read, ends[0], (long)&byte, 1), 1);
	CHECK(signals_seen >= 3);
	still();
	CHECK_ENDS(0);
	alarm_often(count_signal, 0);
	CHECK_EQ(enter(code, SYS_read, ends[0], (long)&byte, 1), -EINTR);
	still();
}

CASE(thousand_handlers_return, "sigreturn(2)")
{
	handle(SIGUSR1, count_signal, 0);
	for (int i = 1; i <= 1000; i++) {
		CHECK_OK(raise(SIGUSR1));
		CHECK_EQ(signals_seen, i);
	}
}

static int child_of_a_call(void *code)
{
	enter_often(code, SYS_getpid, getpid());
	return 3;
}

CASE(fork_at_a_used_place, "fork(2)")
{
	unsigned char *code = site(COMPARE_BEHIND, 0);

	for (int turn = 0; turn < 30; turn++) {
		long child = enter(code, SYS_fork, 0, 0, 0);

		if (child == 0)
			_exit(child_of_a_call(code));
		CHECK(child > 0);
		CHECK_ENDS(3);
	}
}
