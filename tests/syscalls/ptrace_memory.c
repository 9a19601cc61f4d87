/* A tracee's code, memory and registers: what gdb does. */
#include "harness.h"
#include "fixtures.h"
#include "tracing.h"

#include <pthread.h>

CASE(single_steps_go_instruction_by_instruction, "ptrace(2)")
{
	pid_t child = traced_child();
	unsigned long last, steps = 0, calls = 0;

	if (child == 0) {
		__asm__ volatile("int3; nop; nop; mov $39, %%eax; syscall; mov $60, %%eax; mov $7, %%edi; syscall"
				 : : : "rax", "rcx", "rdi", "r11");
		_exit(1);
	}
	resume(PTRACE_CONT, child, 0);
	CHECK_EQ(stop_of(child), SIGTRAP);
	CHECK_EQ(siginfo_of(child).si_code, SI_KERNEL);
	last = registers_of(child).rip;
	CHECK_EQ(word_of(child, (void *)last) & 0xffff, 0x9090);
	while (calls < 1) {
		struct user_regs_struct registers;

		calls += (word_of(child, (void *)last) & 0xffff) == 0x050f;
		resume(PTRACE_SINGLESTEP, child, 0);
		CHECK_EQ(stop_of(child), SIGTRAP);
		registers = registers_of(child);
		CHECK(registers.rip > last && registers.rip - last <= 5);
		CHECK_EQ(registers.eflags & 0x100, 0);
		CHECK_EQ(siginfo_of(child).si_code, calls ? TRAP_BRKPT : TRAP_TRACE);
		CHECK_EQ((long)siginfo_of(child).si_addr, registers.rip);
		last = registers.rip;
		steps++;
	}
	CHECK_EQ(steps, 4);
	CHECK_EQ(registers_of(child).rax, child);
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 7);
}

CASE(a_step_into_a_handler_stops_at_its_first_instruction, "ptrace(2)")
{
	pid_t child = traced_child();

	if (child == 0) {
		handle(SIGUSR1, count_signal, 0);
		raise(SIGUSR1);
		_exit(signals_seen);
	}
	resume(PTRACE_CONT, child, 0);
	CHECK_EQ(stop_of(child), SIGUSR1);
	resume(PTRACE_SINGLESTEP, child, SIGUSR1);
	CHECK_EQ(stop_of(child), SIGTRAP);
	CHECK_EQ(registers_of(child).rip, SET(count_signal));
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 1);
}

__attribute__((noinline)) static int answer(void)
{
	__asm__ volatile("");
	return 42;
}

CASE(a_breakpoint_is_written_into_code_that_is_not_writable, "ptrace(2)")
{
	pid_t child = traced_child();
	unsigned long code;
	struct user_regs_struct registers;

	if (child == 0)
		_exit(answer());
	code = word_of(child, (void *)answer);
	CHECK_OK(ptrace(PTRACE_POKETEXT, child, SET(answer), (code & ~0xffUL) | 0xcc));
	CHECK_EQ(word_of(child, (void *)answer) & 0xff, 0xcc);
	CHECK_EQ(*(volatile unsigned char *)answer, code & 0xff);
	resume(PTRACE_CONT, child, 0);
	CHECK_EQ(stop_of(child), SIGTRAP);
	registers = registers_of(child);
	CHECK_EQ(registers.rip, SET(answer) + 1);
	CHECK_OK(ptrace(PTRACE_POKETEXT, child, SET(answer), code));
	registers.rip = SET(answer);
	CHECK_OK(ptrace(PTRACE_SETREGS, child, 0, SET(&registers)));
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 42);
}

CASE(pages_without_access_can_be_read_and_written, "ptrace(2)")
{
	char *page = pages_before_a_hole(1);
	char *shared = map_pages(1, MAP_SHARED);
	pid_t child;

	memcpy(page, "12345678", 8);
	CHECK_OK(mprotect(page, PAGE, PROT_NONE));
	CHECK_OK(mprotect(shared, PAGE, PROT_READ));
	child = traced_child();
	if (child == 0) {
		mprotect(page, PAGE, PROT_READ);
		_exit(page[0]);
	}
	CHECK_EQ(word_of(child, page), 0x3837363534333231);
	CHECK_OK(ptrace(PTRACE_POKEDATA, child, SET(page), 99));
	CHECK_EQ(word_of(child, page), 99);
	CHECK_ERR(ptrace(PTRACE_POKEDATA, child, SET(shared), 99), EIO);
	CHECK_ERR(ptrace(PTRACE_POKEDATA, child, SET(unmapped()), 99), EIO);
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 99);
}

CASE(proc_mem_is_the_memory_by_address, "proc(5)")
{
	static volatile long value = 77;
	long seen, other = 88;
	char name[32];
	pid_t child = traced_child();
	int fd;

	if (child == 0)
		_exit(value == 88 && answer() == 42 ? 0 : 1);
	sprintf(name, "/proc/%d/mem", child);
	fd = CHECK_OK(open(name, O_RDWR));
	CHECK_EQ(pread(fd, &seen, 8, (off_t)&value), 8);
	CHECK_EQ(seen, 77);
	CHECK_EQ(pwrite(fd, &other, 8, (off_t)&value), 8);
	CHECK_EQ(pread(fd, &seen, 8, (off_t)answer), 8);
	CHECK_EQ(pwrite(fd, &seen, 8, (off_t)answer), 8);
	CHECK_ERR(pread(fd, &seen, 8, 0), EIO);
	CHECK_EQ(lseek(fd, (off_t)&value, SEEK_SET), (off_t)&value);
	CHECK_EQ(read(fd, &seen, 8), 8);
	CHECK_EQ(seen, 88);
	CHECK_ERR(lseek(fd, 0, SEEK_END), EINVAL);
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 0);
	CHECK_EQ(pread(fd, &seen, 8, (off_t)&value), 0);
	CHECK_EQ(pwrite(fd, &seen, 8, (off_t)&value), 0);
}

CASE(registers_come_in_several_ways, "ptrace(2)")
{
	pid_t child = traced_child();
	struct user_regs_struct registers, again;
	struct iovec vector = { &again, sizeof(again) };
	static char state[16384];
	unsigned long word;

	if (child == 0)
		_exit(0);
	registers = registers_of(child);
	CHECK_OK(ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, SET(&vector)));
	CHECK_EQ(vector.iov_len, sizeof(again));
	CHECK_EQ(memcmp(&registers, &again, sizeof(again)), 0);
	vector = (struct iovec){ state, sizeof(state) };
	CHECK_OK(ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, SET(&vector)));
	CHECK_EQ(vector.iov_len, sizeof(again));
	CHECK_OK(ptrace(PTRACE_PEEKUSR, child, offsetof(struct user, regs.rip), SET(&word)));
	CHECK_EQ(word, registers.rip);
	CHECK_OK(ptrace(PTRACE_PEEKUSR, child, offsetof(struct user, u_debugreg[7]), SET(&word)));
	CHECK_EQ(word, 0);
	CHECK_OK(ptrace(PTRACE_POKEUSR, child, offsetof(struct user, u_debugreg[7]), 0));
	CHECK_OK(ptrace(PTRACE_PEEKUSR, child, offsetof(struct user, u_debugreg[6]), SET(&word)));
	CHECK_EQ(word, 0xffff0ff0);
	CHECK_OK(ptrace(PTRACE_POKEUSR, child, offsetof(struct user, u_debugreg[0]), 0x1000));
	CHECK_OK(ptrace(PTRACE_PEEKUSR, child, offsetof(struct user, u_debugreg[0]), SET(&word)));
	CHECK_EQ(word, 0x1000);
	CHECK_ERR(ptrace(PTRACE_POKEUSR, child, offsetof(struct user, u_debugreg[4]), 0), EIO);
	registers.r15 = 0x1234;
	registers.eflags |= 0x40000000 | 0x200000;
	CHECK_OK(ptrace(PTRACE_SETREGS, child, 0, SET(&registers)));
	again = registers_of(child);
	CHECK_EQ(again.r15, 0x1234);
	CHECK_EQ(again.eflags & 0x40200000, 0);
	CHECK_ERR(ptrace(PTRACE_POKEUSR, child, offsetof(struct user, regs.cs), 0), EIO);
	CHECK_ERR(ptrace(PTRACE_POKEUSR, child, offsetof(struct user, regs.ss), 0x10), EIO);
	CHECK_ERR(ptrace(PTRACE_POKEUSR, child, offsetof(struct user, regs.fs_base), 1UL << 63), EIO);
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 0);
}

CASE(floating_point_state_can_be_read_and_set, "ptrace(2)")
{
	pid_t child = traced_child();
	struct user_fpregs_struct state;
	static char image[16384];
	struct iovec vector = { image, sizeof(image) };
	uint64_t low;

	if (child == 0) {
		__asm__ volatile("movq %1, %%xmm3; int3; movq %%xmm3, %0" : "=r"(low) : "r"(0x1111222233334444) : "xmm3");
		_exit(low == 0x5555666677778888 ? 0 : 1);
	}
	resume(PTRACE_CONT, child, 0);
	CHECK_EQ(stop_of(child), SIGTRAP);
	CHECK_OK(ptrace(PTRACE_GETFPREGS, child, 0, SET(&state)));
	CHECK_EQ(state.xmm_space[12], 0x33334444);
	CHECK_EQ(state.xmm_space[13], 0x11112222);
	CHECK_OK(ptrace(PTRACE_GETREGSET, child, NT_X86_XSTATE, SET(&vector)));
	CHECK(vector.iov_len >= 576);
	CHECK_EQ(memcmp(image + 160 + 48, &state.xmm_space[12], 16), 0);
	state.xmm_space[12] = 0x77778888;
	state.xmm_space[13] = 0x55556666;
	CHECK_OK(ptrace(PTRACE_SETFPREGS, child, 0, SET(&state)));
	memset(image, 0, sizeof(image));
	CHECK_OK(ptrace(PTRACE_GETREGSET, child, NT_X86_XSTATE, SET(&vector)));
	CHECK_EQ(memcmp(image + 160 + 48, &state.xmm_space[12], 16), 0);
	CHECK_OK(ptrace(PTRACE_SETREGSET, child, NT_X86_XSTATE, SET(&vector)));
	vector = (struct iovec){ &state, sizeof(state) };
	CHECK_OK(ptrace(PTRACE_SETREGSET, child, NT_PRFPREG, SET(&vector)));
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 0);
}

static void *loop(void *unused)
{
	for (;;)
		getppid();
	return unused;
}

CASE(another_thread_of_the_tracer_may_wait_but_not_with_WNOTHREAD, "ptrace(2)")
{
	pid_t child = pausing_child();
	int status;
	pthread_t thread;

	CHECK_OK(ptrace(PTRACE_SEIZE, child, 0, 0));
	CHECK_EQ(pthread_create(&thread, NULL, loop, NULL), 0);
	CHECK_OK(ptrace(PTRACE_INTERRUPT, child, 0, 0));
	CHECK_EQ(waitpid(child, &status, __WALL | __WNOTHREAD), child);
	kill_and_reap(child);
}

static pid_t looping_child(void)
{
	int ends[2];
	pid_t child;

	CHECK_OK(pipe(ends));
	child = fork_child();
	if (child == 0) {
		for (int i = 0; i < 1000; i++)
			getppid();
		tell(ends[1]);
		loop(NULL);
	}
	await(ends[0]);
	return child;
}

CASE(a_process_that_calls_in_a_loop_is_caught_and_steps, "ptrace(2)")
{
	pid_t child = looping_child();
	unsigned long code, before;

	CHECK_OK(ptrace(PTRACE_SEIZE, child, 0, PTRACE_O_TRACESYSGOOD));
	for (int i = 0; i < 10; i++) {
		CHECK_OK(ptrace(PTRACE_INTERRUPT, child, 0, 0));
		CHECK_EQ(stop_of(child), SIGTRAP | PTRACE_EVENT_STOP << 8);
		code = word_of(child, (void *)getppid);
		CHECK_EQ(code, *(unsigned long *)getppid & -1UL);
		for (int j = 0; j < 20; j++) {
			before = registers_of(child).rip;
			resume(PTRACE_SINGLESTEP, child, 0);
			CHECK_EQ(stop_of(child), SIGTRAP);
			CHECK(registers_of(child).rip != before);
			CHECK(registers_of(child).rip < 0x7fff80000000);
		}
		resume(PTRACE_SYSCALL, child, 0);
		CHECK_EQ(stop_of(child), SIGTRAP | 0x80);
		resume(PTRACE_CONT, child, 0);
	}
	kill_and_reap(child);
}
