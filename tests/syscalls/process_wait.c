/* How processes end and how that is learnt: exit statuses, wait4, waitid, zombies, stopped children. */
#include "harness.h"
#include "fixtures.h"

#include <sys/resource.h>

CASE(exit_status_is_the_low_8_bits, "_exit(2)")
{
	pid_t child = fork_child();

	if (child == 0)
		syscall(SYS_exit_group, 0x1234);
	CHECK_EXITS(child, 0x34);
}

CASE(wait_without_children_gives_ECHILD, "wait(2)")
{
	CHECK_ERR(waitpid(-1, NULL, 0), ECHILD);
	CHECK_ERR(waitpid(-1, NULL, WNOHANG), ECHILD);
	CHECK_ERR(waitpid(getpid(), NULL, 0), ECHILD);
	CHECK_ERR(waitpid(1, NULL, 0), ECHILD);
}

CASE(waitpid_WNOHANG_returns_0_while_the_child_runs, "wait(2)")
{
	int go[2];
	pid_t child;

	CHECK_OK(pipe(go));
	child = fork_child();
	if (child == 0) {
		await(go[0]);
		_exit(0);
	}
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	tell(go[1]);
	CHECK_EXITS(child, 0);
}

CASE(zombie_is_reaped_once, "wait(2)")
{
	pid_t child = fork_child();

	if (child == 0)
		_exit(0);
	CHECK_EXITS(child, 0);
	CHECK_ERR(waitpid(child, NULL, 0), ECHILD);
	CHECK_ERR(kill(child, 0), ESRCH);
}

CASE(kill_0_of_a_zombie_succeeds, "kill(2)")
{
	siginfo_t info;
	pid_t child = fork_child();

	if (child == 0)
		_exit(0);
	CHECK_OK(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
	CHECK_OK(kill(child, 0));
	CHECK_EXITS(child, 0);
}

CASE(waitid_WNOWAIT_leaves_the_child_waitable, "wait(2)")
{
	siginfo_t info = { 0 };
	pid_t child = fork_child();

	if (child == 0)
		_exit(11);
	CHECK_OK(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
	CHECK_EQ(info.si_pid, child);
	CHECK_EQ(info.si_status, 11);
	CHECK_EQ(info.si_code, CLD_EXITED);
	CHECK_EQ(info.si_signo, SIGCHLD);
	CHECK_EQ(info.si_uid, getuid());
	CHECK_EXITS(child, 11);
}

CASE(waitid_reports_CLD_KILLED_with_the_signal, "wait(2)")
{
	siginfo_t info = { 0 };
	pid_t child = fork_child();

	if (child == 0)
		for (;;)
			pause();
	CHECK_OK(kill(child, SIGKILL));
	CHECK_OK(waitid(P_ALL, 0, &info, WEXITED));
	CHECK_EQ(info.si_pid, child);
	CHECK_EQ(info.si_code, CLD_KILLED);
	CHECK_EQ(info.si_status, SIGKILL);
}

CASE(waitid_WNOHANG_with_nothing_to_report_clears_si_pid, "wait(2)")
{
	siginfo_t info = { .si_pid = 77 };
	int go[2];
	pid_t child;

	CHECK_OK(pipe(go));
	child = fork_child();
	if (child == 0) {
		await(go[0]);
		_exit(0);
	}
	CHECK_EQ(waitid(P_PID, child, &info, WEXITED | WNOHANG), 0);
	CHECK_EQ(info.si_pid, 0);
	tell(go[1]);
	CHECK_EXITS(child, 0);
}

CASE(waitid_without_a_state_to_wait_for_gives_EINVAL, "wait(2)")
{
	siginfo_t info;

	CHECK_ERR(syscall(SYS_waitid, P_ALL, 0, &info, 0, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_waitid, P_ALL, 0, &info, WNOHANG, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_waitid, 99, 0, &info, WEXITED, NULL), EINVAL);
}

CASE(wait4_with_unknown_options_gives_EINVAL, "wait4(2)")
{
	CHECK_ERR(syscall(SYS_wait4, -1, NULL, 0x100, NULL), EINVAL);
}

CASE(death_by_signal_is_in_the_status, "wait(2)")
{
	static const int deadly[] = { SIGHUP, SIGINT, SIGKILL, SIGTERM, SIGUSR1, SIGPIPE, SIGALRM };

	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++) {
		pid_t child = fork_child();

		if (child == 0) {
			signal(deadly[i], SIG_DFL);
			kill(getpid(), deadly[i]);
			_exit(0);
		}
		CHECK_KILLED(child, deadly[i]);
	}
}

CASE(core_bit_is_clear_when_the_core_limit_is_0, "wait(2)")
{
	struct rlimit none = { 0, 0 };
	int status;
	pid_t child = fork_child();

	if (child == 0) {
		setrlimit(RLIMIT_CORE, &none);
		abort();
	}
	status = wait_status(child);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGABRT);
}

CASE(WUNTRACED_reports_a_stopped_child, "wait(2)")
{
	int status;
	pid_t child = fork_child();

	if (child == 0) {
		raise(SIGSTOP);
		_exit(5);
	}
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), SIGSTOP);
	CHECK_EQ(waitpid(child, &status, WUNTRACED | WNOHANG), 0);
	CHECK_OK(kill(child, SIGCONT));
	CHECK_EXITS(child, 5);
}

CASE(WCONTINUED_reports_a_resumed_child, "wait(2)")
{
	int go[2], status;
	pid_t child;

	CHECK_OK(pipe(go));
	child = fork_child();
	if (child == 0) {
		raise(SIGSTOP);
		await(go[0]);
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK_OK(kill(child, SIGCONT));
	CHECK_EQ(waitpid(child, &status, WCONTINUED), child);
	CHECK(WIFCONTINUED(status));
	tell(go[1]);
	CHECK_EXITS(child, 0);
}

CASE(SIGKILL_ends_a_stopped_child, "signal(7)")
{
	int status;
	pid_t child = fork_child();

	if (child == 0) {
		raise(SIGSTOP);
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	end_child(child);
}

CASE(ignored_SIGCHLD_reaps_children_and_wait_gives_ECHILD, "wait(2)")
{
	pid_t child;

	handle(SIGCHLD, SIG_IGN, 0);
	child = fork_child();
	if (child == 0)
		_exit(0);
	CHECK_ERR(waitpid(child, NULL, 0), ECHILD);
	CHECK_ERR(kill(child, 0), ESRCH);
}

CASE(SA_NOCLDWAIT_reaps_children, "sigaction(2)")
{
	pid_t child;

	handle(SIGCHLD, count_signal, SA_NOCLDWAIT | SA_RESTART);
	child = fork_child();
	if (child == 0)
		_exit(0);
	CHECK_ERR(waitpid(child, NULL, 0), ECHILD);
}

CASE(waitpid_0_waits_for_the_own_process_group_only, "wait(2)")
{
	int go[2];
	pid_t child;

	CHECK_OK(pipe(go));
	child = fork_child();
	if (child == 0) {
		await(go[0]);
		_exit(0);
	}
	CHECK_OK(setpgid(child, child));
	CHECK_ERR(waitpid(0, NULL, WNOHANG), ECHILD);
	CHECK_EQ(waitpid(-child, NULL, WNOHANG), 0);
	tell(go[1]);
	CHECK_EQ(waitpid(-child, NULL, 0), child);
}

CASE(wait_status_pointer_that_is_bad_gives_EFAULT_after_reaping, "wait4(2)")
{
	pid_t child = fork_child();

	if (child == 0)
		_exit(0);
	CHECK_ERR(syscall(SYS_wait4, child, unmapped(), 0, NULL), EFAULT);
	CHECK_ERR(waitpid(child, NULL, 0), ECHILD);
}

CASE(wait4_fills_in_the_resource_usage, "wait4(2)")
{
	struct rusage usage;
	pid_t child = fork_child();

	memset(&usage, 0xff, sizeof(usage));
	if (child == 0)
		_exit(0);
	CHECK_EQ(wait4(child, NULL, 0, &usage), child);
	CHECK(usage.ru_utime.tv_sec >= 0 && usage.ru_utime.tv_sec < 100);
	CHECK(usage.ru_stime.tv_usec >= 0 && usage.ru_stime.tv_usec < 1000000);
}

CASE(wait_takes_children_that_ended_in_any_order, "wait(2)")
{
	pid_t first = fork_child(), second;

	if (first == 0)
		_exit(1);
	second = fork_child();
	if (second == 0)
		_exit(2);
	CHECK_EXITS(second, 2);
	CHECK_EXITS(first, 1);
}

CASE(zombie_will_neither_stop_nor_continue, "waitid(2)")
{
	siginfo_t info;
	pid_t child = CHECK_OK(fork());

	if (!child)
		_exit(3);
	CHECK_OK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT));
	CHECK_ERR(waitid(P_PID, (id_t)child, &info, WSTOPPED), ECHILD);
	CHECK_ERR(waitid(P_PID, (id_t)child, &info, WCONTINUED | WNOHANG), ECHILD);
	CHECK_OK(waitid(P_PID, (id_t)child, &info, WEXITED));
}

CASE(failed_waitid_clears_the_information, "waitid(2)")
{
	siginfo_t info;

	memset(&info, 0x55, sizeof info);
	CHECK_ERR(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
	CHECK_EQ(info.si_signo, 0);
	CHECK_EQ(info.si_pid, 0);
}

CASE(waitid_that_fails_after_a_wait_clears_the_information, "waitid(2)")
{
	siginfo_t info;
	pid_t child;

	CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
	child = fork_child();
	if (child == 0) {
		usleep(50000);
		_exit(0);
	}
	memset(&info, 0x55, sizeof info);
	CHECK_ERR(waitid(P_PID, (id_t)child, &info, WEXITED), ECHILD);
	CHECK_EQ(info.si_signo, 0);
	CHECK_EQ(info.si_pid, 0);
}

CASE(any_exit_signal_tells_of_the_child_as_SIGCHLD_does, "clone(2), sigaction(2)")
{
	static const int signals[] = { SIGUSR1, SIGIO, SIGSYS, SIGSEGV, 40 };
	siginfo_t info;
	sigset_t set;
	size_t i;

	sigfillset(&set);
	CHECK_OK(sigprocmask(SIG_SETMASK, &set, NULL));
	for (i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		long child = CHECK_OK(syscall(SYS_clone, (long)signals[i], 0L, 0L, 0L, 0L));

		if (child == 0)
			_exit(5);
		CHECK_EQ(sigwaitinfo(&set, &info), signals[i]);
		CHECK_EQ(info.si_code, CLD_EXITED);
		CHECK_EQ(info.si_pid, child);
		CHECK_EQ(info.si_uid, getuid());
		CHECK_EQ(info.si_status, 5);
		CHECK_EQ(waitpid((pid_t)child, NULL, __WALL), child);
	}
}
