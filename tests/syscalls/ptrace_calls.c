/* Tracing calls and events: what strace does. */
#include "harness.h"
#include "fixtures.h"
#include "filters.h"
#include "tracing.h"

#include <pthread.h>

#define ENTRY_OR_EXIT (SIGTRAP | 0x80)

CASE(each_call_stops_twice, "ptrace(2)")
{
	pid_t child = traced_child();

	if (child == 0) {
		syscall(SYS_getppid);
		_exit(3);
	}
	CHECK_OK(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD));
	resume(PTRACE_SYSCALL, child, 0);
	CHECK_EQ(stop_of(child), ENTRY_OR_EXIT);
	while (registers_of(child).orig_rax != SYS_getppid) {
		resume(PTRACE_SYSCALL, child, 0);
		CHECK_EQ(stop_of(child), ENTRY_OR_EXIT);
	}
	CHECK_EQ(registers_of(child).rax, -ENOSYS);
	CHECK_EQ(siginfo_of(child).si_code, ENTRY_OR_EXIT);
	CHECK_EQ(siginfo_of(child).si_signo, SIGTRAP);
	CHECK_EQ(siginfo_of(child).si_pid, child);
	resume(PTRACE_SYSCALL, child, 0);
	CHECK_EQ(stop_of(child), ENTRY_OR_EXIT);
	CHECK_EQ(registers_of(child).rax, getpid());
	CHECK_EQ(registers_of(child).orig_rax, SYS_getppid);
	resume(PTRACE_SYSCALL, child, 0);
	CHECK_EQ(stop_of(child), ENTRY_OR_EXIT);
	CHECK_EQ(registers_of(child).orig_rax, SYS_exit_group);
	resume(PTRACE_SYSCALL, child, 0);
	CHECK_EXITS(child, 3);
}

CASE(without_TRACESYSGOOD_it_is_a_plain_SIGTRAP, "ptrace(2)")
{
	pid_t child = traced_child();

	if (child == 0)
		_exit(syscall(SYS_getppid) == -1);
	resume(PTRACE_SYSCALL, child, 0);
	CHECK_EQ(stop_of(child), SIGTRAP);
	CHECK_EQ(siginfo_of(child).si_code, SIGTRAP);
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 0);
}

static void run_to_call(pid_t child, int number)
{
	CHECK_OK(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD));
	do {
		resume(PTRACE_SYSCALL, child, 0);
		CHECK_EQ(stop_of(child), ENTRY_OR_EXIT);
	} while ((int)registers_of(child).orig_rax != number);
}

CASE(a_tracer_may_change_call_arguments_and_result, "ptrace(2)")
{
	struct user_regs_struct registers;
	pid_t child = traced_child();

	if (child == 0)
		_exit(syscall(SYS_lseek, 1, 2, 3) == 4321 ? 0 : 1);
	run_to_call(child, SYS_lseek);
	registers = registers_of(child);
	CHECK_EQ(registers.rdi, 1);
	CHECK_EQ(registers.rsi, 2);
	CHECK_EQ(registers.rdx, 3);
	registers.orig_rax = SYS_mkdir;
	registers.rdi = SET("made");
	registers.rsi = 0700;
	CHECK_OK(ptrace(PTRACE_SETREGS, child, 0, SET(&registers)));
	resume(PTRACE_SYSCALL, child, 0);
	CHECK_EQ(stop_of(child), ENTRY_OR_EXIT);
	CHECK_EQ(registers_of(child).rax, 0);
	CHECK_OK(rmdir("made"));
	CHECK_OK(ptrace(PTRACE_POKEUSR, child, offsetof(struct user, regs.rax), 4321));
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 0);
}

CASE(number_minus_1_leaves_the_call_out, "ptrace(2)")
{
	pid_t child = traced_child();

	if (child == 0)
		_exit(mkdir("made", 0700) == -1 && errno == ENOSYS && access("made", F_OK) == -1 ? 0 : 1);
	run_to_call(child, SYS_mkdir);
	CHECK_OK(ptrace(PTRACE_POKEUSR, child, offsetof(struct user, regs.orig_rax), -1));
	resume(PTRACE_SYSCALL, child, 0);
	CHECK_EQ(stop_of(child), ENTRY_OR_EXIT);
	CHECK_EQ(registers_of(child).rax, -ENOSYS);
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 0);
}

CASE(SYSEMU_leaves_the_call_to_the_tracer, "ptrace(2)")
{
	pid_t child = traced_child();

	if (child == 0)
		_exit(syscall(SYS_getppid) == 77 ? 5 : 6);
	do {
		resume(PTRACE_SYSEMU, child, 0);
		CHECK_EQ(stop_of(child), SIGTRAP);
		if (registers_of(child).orig_rax == SYS_rt_sigprocmask)
			CHECK_OK(ptrace(PTRACE_POKEUSR, child, offsetof(struct user, regs.rax), 0));
	} while (registers_of(child).orig_rax != SYS_getppid);
	CHECK_OK(ptrace(PTRACE_POKEUSR, child, offsetof(struct user, regs.rax), 77));
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 5);
}

CASE(GET_SYSCALL_INFO_tells_of_entry_and_exit, "ptrace(2)")
{
	struct __ptrace_syscall_info { uint8_t op, pad[3]; uint32_t arch; uint64_t ip, sp; union {
		struct { uint64_t nr, args[6]; } entry; struct { int64_t rval; uint8_t is_error; } exit; }; } info;
	pid_t child = traced_child();

	if (child == 0)
		_exit(lseek(99, 0x123456789, SEEK_END) == -1 ? 0 : 1);
	CHECK_EQ(ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info), SET(&info)), 24);
	CHECK_EQ(info.op, 0);
	run_to_call(child, SYS_lseek);
	CHECK_EQ(ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info), SET(&info)), 80);
	CHECK_EQ(info.op, 1);
	CHECK_EQ(info.arch, AUDIT_ARCH_X86_64);
	CHECK_EQ(info.ip, registers_of(child).rip);
	CHECK_EQ(info.sp, registers_of(child).rsp);
	CHECK_EQ(info.entry.nr, SYS_lseek);
	CHECK_EQ(info.entry.args[0], 99);
	CHECK_EQ(info.entry.args[1], 0x123456789);
	memset(&info, 0x55, sizeof(info));
	CHECK_EQ(ptrace(PTRACE_GET_SYSCALL_INFO, child, 8, SET(&info)), 80);
	CHECK_EQ(info.ip, 0x5555555555555555);
	resume(PTRACE_SYSCALL, child, 0);
	CHECK_EQ(stop_of(child), ENTRY_OR_EXIT);
	CHECK_EQ(ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info), SET(&info)), 33);
	CHECK_EQ(info.op, 2);
	CHECK_EQ(info.exit.rval, -EBADF);
	CHECK_EQ(info.exit.is_error, 1);
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 0);
}

static void interrupted_read(int flags, int expected_exit, int number)
{
	int ends[2];
	char byte;
	pid_t child;

	CHECK_OK(pipe(ends));
	child = traced_child();
	if (child == 0) {
		close(ends[1]);
		handle(SIGUSR1, count_signal, flags);
		_exit(read(ends[0], &byte, 1) == 0 ? 10 : 20 + errno);
	}
	run_to_call(child, SYS_read);
	resume(PTRACE_SYSCALL, child, 0);
	usleep(20000);
	CHECK_OK(kill(child, SIGUSR1));
	CHECK_EQ(stop_of(child), ENTRY_OR_EXIT);
	CHECK_EQ(registers_of(child).rax, -512); /* ERESTARTSYS */
	resume(PTRACE_SYSCALL, child, 0);
	CHECK_EQ(stop_of(child), SIGUSR1);
	CHECK_EQ(registers_of(child).rax, -512);
	CHECK_EQ(registers_of(child).orig_rax, SYS_read);
	CHECK_OK(close(ends[1]));
	resume(PTRACE_CONT, child, number);
	CHECK_EXITS(child, expected_exit);
}

CASE(a_signal_that_is_suppressed_restarts_the_call, "ptrace(2)")
{
	interrupted_read(0, 10, 0);
}

CASE(a_signal_that_is_delivered_interrupts_the_call, "ptrace(2)")
{
	interrupted_read(0, 20 + EINTR, SIGUSR1);
	interrupted_read(SA_RESTART, 10, SIGUSR1);
}

CASE(events_of_forks_name_the_child_which_begins_with_SIGSTOP, "ptrace(2)")
{
	pid_t child = traced_child(), grandchild;
	int status;

	if (child == 0) {
		grandchild = fork();
		if (grandchild == 0)
			_exit(4);
		waitpid(grandchild, &status, 0);
		_exit(WEXITSTATUS(status));
	}
	CHECK_OK(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEFORK));
	resume(PTRACE_CONT, child, 0);
	CHECK_EQ(stop_of(child), SIGTRAP | PTRACE_EVENT_FORK << 8);
	CHECK_EQ(siginfo_of(child).si_code, SIGTRAP | PTRACE_EVENT_FORK << 8);
	grandchild = message_of(child);
	CHECK_EQ(stop_of(grandchild), SIGSTOP);
	resume(PTRACE_CONT, child, 0);
	resume(PTRACE_CONT, grandchild, 0);
	CHECK_EXITS(grandchild, 4);
	CHECK_EQ(stop_of(child), SIGCHLD);
	resume(PTRACE_CONT, child, SIGCHLD);
	CHECK_EXITS(child, 4);
}

CASE(events_of_vfork_begin_and_end, "ptrace(2)")
{
	pid_t child = traced_child(), grandchild;

	if (child == 0) {
		if (vfork() == 0)
			_exit(0);
		_exit(9);
	}
	CHECK_OK(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE));
	resume(PTRACE_CONT, child, 0);
	CHECK_EQ(stop_of(child), SIGTRAP | PTRACE_EVENT_VFORK << 8);
	grandchild = message_of(child);
	CHECK_EQ(stop_of(grandchild), SIGSTOP);
	resume(PTRACE_CONT, child, 0);
	resume(PTRACE_CONT, grandchild, 0);
	CHECK_EXITS(grandchild, 0);
	CHECK_EQ(stop_of(child), SIGTRAP | PTRACE_EVENT_VFORK_DONE << 8);
	CHECK_EQ(message_of(child), grandchild);
	resume(PTRACE_DETACH, child, 0);
	CHECK_EXITS(child, 9);
}

static void *do_nothing(void *unused)
{
	return unused;
}

CASE(a_thread_is_waited_for_by_its_own_id, "ptrace(2)")
{
	pid_t child = traced_child(), thread;
	pthread_t handle_of;
	int status;

	if (child == 0) {
		pthread_create(&handle_of, NULL, do_nothing, NULL);
		pthread_join(handle_of, NULL);
		_exit(0);
	}
	CHECK_OK(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACECLONE));
	resume(PTRACE_CONT, child, 0);
	CHECK_EQ(stop_of(child), SIGTRAP | PTRACE_EVENT_CLONE << 8);
	thread = message_of(child);
	CHECK_EQ(stop_of(thread), SIGSTOP);
	resume(PTRACE_CONT, child, 0);
	resume(PTRACE_CONT, thread, 0);
	CHECK_EQ(waitpid(thread, &status, __WALL), thread);
	CHECK_EQ(status, 0);
	CHECK_ERR(ptrace(PTRACE_CONT, thread, 0, 0), ESRCH);
	CHECK_EXITS(child, 0);
}

CASE(execve_is_a_SIGTRAP_or_an_event, "ptrace(2)")
{
	char *argv[] = { "true", NULL };
	pid_t child = traced_child();

	if (child == 0) {
		execv("/bin/true", argv);
		_exit(9);
	}
	resume(PTRACE_CONT, child, 0);
	CHECK_EQ(stop_of(child), SIGTRAP);
	CHECK_EQ(siginfo_of(child).si_code, SI_USER);
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 0);
	child = traced_child();
	if (child == 0) {
		execv("/bin/true", argv);
		_exit(9);
	}
	CHECK_OK(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEEXEC));
	resume(PTRACE_CONT, child, 0);
	CHECK_EQ(stop_of(child), SIGTRAP | PTRACE_EVENT_EXEC << 8);
	CHECK_EQ(message_of(child), child);
	CHECK_EQ(registers_of(child).rax, -ENOSYS);
	CHECK_EQ(registers_of(child).orig_rax, SYS_execve);
	resume(PTRACE_SYSCALL, child, 0);
	CHECK_EQ(stop_of(child), SIGTRAP);
	CHECK_EQ(registers_of(child).rax, 0);
	CHECK_EQ(registers_of(child).orig_rax, SYS_execve);
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 0);
}

CASE(the_exit_event_tells_the_status_while_memory_is_there, "ptrace(2)")
{
	static volatile long value;
	pid_t child = traced_child();

	if (child == 0) {
		value = 123;
		_exit(42);
	}
	CHECK_OK(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEEXIT));
	resume(PTRACE_CONT, child, 0);
	CHECK_EQ(stop_of(child), SIGTRAP | PTRACE_EVENT_EXIT << 8);
	CHECK_EQ(message_of(child), 42 << 8);
	CHECK_EQ(word_of(child, &value), 123);
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 42);
	child = traced_child();
	if (child == 0) {
		raise(SIGTERM);
		_exit(0);
	}
	CHECK_OK(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEEXIT));
	resume(PTRACE_CONT, child, 0);
	CHECK_EQ(stop_of(child), SIGTERM);
	resume(PTRACE_CONT, child, SIGTERM);
	CHECK_EQ(stop_of(child), SIGTRAP | PTRACE_EVENT_EXIT << 8);
	CHECK_EQ(message_of(child), SIGTERM);
	resume(PTRACE_CONT, child, 0);
	CHECK_KILLED(child, SIGTERM);
}

CASE(seccomp_TRACE_stops_with_the_filters_data, "seccomp(2)")
{
	pid_t child = traced_child();

	if (child == 0) {
		no_new_privs();
		filter_call(SYS_mkdir, SECCOMP_RET_TRACE | 99, 0);
		_exit(syscall(SYS_mkdir, "made", 0700) == 55 ? 0 : 1);
	}
	CHECK_OK(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESECCOMP));
	resume(PTRACE_CONT, child, 0);
	CHECK_EQ(stop_of(child), SIGTRAP | PTRACE_EVENT_SECCOMP << 8);
	CHECK_EQ(message_of(child), 99);
	CHECK_EQ(registers_of(child).orig_rax, SYS_mkdir);
	CHECK_OK(ptrace(PTRACE_POKEUSR, child, offsetof(struct user, regs.orig_rax), -1));
	CHECK_OK(ptrace(PTRACE_POKEUSR, child, offsetof(struct user, regs.rax), 55));
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 0);
	CHECK_ERR(rmdir("made"), ENOENT);
}

CASE(seccomp_sees_the_call_that_the_tracer_has_put_in_place, "seccomp(2)")
{
	pid_t child = traced_child();

	if (child == 0) {
		no_new_privs();
		filter_call(SYS_mkdir, SECCOMP_RET_ERRNO | EXFULL, 0);
		_exit(syscall(SYS_getppid) == -1 && errno == EXFULL ? 0 : 1);
	}
	run_to_call(child, SYS_getppid);
	CHECK_OK(ptrace(PTRACE_POKEUSR, child, offsetof(struct user, regs.orig_rax), SYS_mkdir));
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 0);
}
