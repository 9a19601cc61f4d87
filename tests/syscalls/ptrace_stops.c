/* Attaching, stopping and letting go: signals and stops of processes. */
#include "harness.h"
#include "fixtures.h"
#include "tracing.h"

static const char *status_line(pid_t pid, const char *field)
{
	static char name[64], line[64];
	const char *found;

	sprintf(name, "/proc/%d/status", pid);
	found = strstr(text_of(name), field);
	CHECK(found);
	sscanf(found + strlen(field), " %63[^\n]", line);
	return line;
}

CASE(ATTACH_stops_with_SIGSTOP_and_DETACH_lets_go, "ptrace(2)")
{
	pid_t child = pausing_child();

	CHECK_OK(ptrace(PTRACE_ATTACH, child, 0, 0));
	CHECK_EQ(stop_of(child), SIGSTOP);
	CHECK_EQ(siginfo_of(child).si_code, SI_KERNEL);
	CHECK_EQ(atoi(status_line(child, "TracerPid:")), getpid());
	CHECK_STREQ(status_line(child, "State:"), "t (tracing stop)");
	resume(PTRACE_DETACH, child, 0);
	CHECK_EQ(atoi(status_line(child, "TracerPid:")), 0);
	CHECK_ERR(ptrace(PTRACE_CONT, child, 0, 0), ESRCH);
	kill_and_reap(child);
}

CASE(DETACH_may_leave_a_signal, "ptrace(2)")
{
	pid_t child = pausing_child();

	CHECK_OK(ptrace(PTRACE_ATTACH, child, 0, 0));
	CHECK_EQ(stop_of(child), SIGSTOP);
	resume(PTRACE_DETACH, child, SIGTERM);
	CHECK_KILLED(child, SIGTERM);
}

CASE(SEIZE_does_not_stop_and_INTERRUPT_does, "ptrace(2)")
{
	pid_t child = pausing_child();
	int status;

	CHECK_OK(ptrace(PTRACE_SEIZE, child, 0, PTRACE_O_TRACESYSGOOD));
	CHECK_EQ(waitpid(child, &status, __WALL | WNOHANG), 0);
	CHECK_ERR(ptrace(PTRACE_CONT, child, 0, 0), ESRCH);
	usleep(20000);
	CHECK_OK(ptrace(PTRACE_INTERRUPT, child, 0, 0));
	CHECK_EQ(stop_of(child), SIGTRAP | PTRACE_EVENT_STOP << 8);
	CHECK_EQ(siginfo_of(child).si_code, SIGTRAP | PTRACE_EVENT_STOP << 8);
	CHECK_EQ(registers_of(child).orig_rax, SYS_pause);
	resume(PTRACE_CONT, child, 0);
	CHECK_OK(kill(child, SIGUSR1));
	CHECK_EQ(stop_of(child), SIGUSR1);
	resume(PTRACE_DETACH, child, 0);
	kill_and_reap(child);
}

CASE(who_may_attach_to_whom, "ptrace(2)")
{
	pid_t child = pausing_child();

	CHECK_ERR(ptrace(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
	CHECK_ERR(ptrace(PTRACE_ATTACH, 0x3fffffff, 0, 0), ESRCH);
	CHECK_ERR(ptrace(PTRACE_SEIZE, child, 1, 0), EIO);
	CHECK_ERR(ptrace(PTRACE_SEIZE, child, 0, 0x80000000), EIO);
	CHECK_OK(ptrace(PTRACE_SEIZE, child, 0, 0));
	CHECK_ERR(ptrace(PTRACE_SEIZE, child, 0, 0), EPERM);
	CHECK_ERR(ptrace(PTRACE_ATTACH, child, 0, 0), EPERM);
	kill_and_reap(child);
}

CASE(an_undumpable_or_foreign_process_can_t_be_attached_to, "ptrace(2)")
{
	pid_t child, tracer;

	NEEDS_ROOT();
	child = pausing_child();
	tracer = fork_child();
	if (tracer == 0) {
		CHECK_OK(setresgid(65534, 65534, 65534));
		CHECK_OK(setresuid(65534, 65534, 65534));
		CHECK_ERR(ptrace(PTRACE_ATTACH, child, 0, 0), EPERM);
		CHECK_ERR(ptrace(PTRACE_SEIZE, child, 0, 0), EPERM);
		_exit(0);
	}
	CHECK_EXITS(tracer, 0);
	kill_and_reap(child);
}

CASE(TRACEME_twice_is_EPERM, "ptrace(2)")
{
	pid_t child = fork_child();

	if (child == 0) {
		CHECK_OK(ptrace(PTRACE_TRACEME, 0, 0, 0));
		CHECK_ERR(ptrace(PTRACE_TRACEME, 0, 0, 0), EPERM);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
}

CASE(requests_to_a_running_or_foreign_task_are_ESRCH, "ptrace(2)")
{
	pid_t child = pausing_child();
	unsigned long word;

	CHECK_ERR(ptrace(PTRACE_PEEKDATA, child, 0, SET(&word)), ESRCH);
	CHECK_ERR(ptrace(PTRACE_KILL, child, 0, 0), ESRCH);
	CHECK_ERR(ptrace(12345, child, 0, 0), ESRCH);
	CHECK_OK(ptrace(PTRACE_SEIZE, child, 0, 0));
	CHECK_ERR(ptrace(PTRACE_PEEKDATA, child, 0, SET(&word)), ESRCH);
	CHECK_ERR(ptrace(PTRACE_DETACH, child, 0, 0), ESRCH);
	CHECK_ERR(ptrace(PTRACE_LISTEN, child, 0, 0), ESRCH);
	kill_and_reap(child);
}

CASE(requests_and_their_arguments_are_checked, "ptrace(2)")
{
	pid_t child = traced_child();
	struct iovec vector = { .iov_base = (char[8]){ 0 }, .iov_len = 7 };
	unsigned long word;
	siginfo_t info;

	if (child == 0)
		_exit(0);
	CHECK_ERR(ptrace(12345, child, 0, 0), EIO);
	CHECK_ERR(ptrace(PTRACE_SETOPTIONS, child, 0, 0x80000000), EINVAL);
	CHECK_ERR(ptrace(PTRACE_CONT, child, 0, 65), EIO);
	CHECK_ERR(ptrace(PTRACE_SYSCALL, child, 0, -1), EIO);
	CHECK_ERR(ptrace(PTRACE_DETACH, child, 0, 65), EIO);
	CHECK_ERR(ptrace(PTRACE_INTERRUPT, child, 0, 0), EIO);
	CHECK_ERR(ptrace(PTRACE_LISTEN, child, 0, 0), EIO);
	CHECK_ERR(ptrace(PTRACE_PEEKUSR, child, 4, SET(&word)), EIO);
	CHECK_ERR(ptrace(PTRACE_PEEKUSR, child, 928, SET(&word)), EIO);
	CHECK_ERR(ptrace(PTRACE_POKEUSR, child, 928, 0), EIO);
	CHECK_ERR(ptrace(PTRACE_PEEKUSR, child, 0, 0), EFAULT);
	CHECK_ERR(ptrace(PTRACE_GETREGS, child, 0, 0), EFAULT);
	CHECK_ERR(ptrace(PTRACE_SETREGS, child, 0, 0), EFAULT);
	CHECK_ERR(ptrace(PTRACE_GETEVENTMSG, child, 0, 0), EFAULT);
	CHECK_ERR(ptrace(PTRACE_GETSIGINFO, child, 0, 0), EFAULT);
	CHECK_ERR(ptrace(PTRACE_SETSIGINFO, child, 0, 0), EFAULT);
	CHECK_ERR(ptrace(PTRACE_GETSIGMASK, child, 4, SET(&word)), EINVAL);
	CHECK_ERR(ptrace(PTRACE_SETSIGMASK, child, 4, SET(&word)), EINVAL);
	CHECK_ERR(ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, 0), EFAULT);
	CHECK_ERR(ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, SET(&vector)), EINVAL);
	CHECK_ERR(ptrace(PTRACE_SETREGSET, child, NT_PRSTATUS, SET(&vector)), EINVAL);
	vector.iov_len = 8;
	CHECK_ERR(ptrace(PTRACE_GETREGSET, child, 0x7777, SET(&vector)), EINVAL);
	CHECK_ERR(ptrace(PTRACE_PEEKSIGINFO, child, 0, SET(&info)), EFAULT);
	CHECK_ERR(ptrace(PTRACE_PEEKDATA, child, SET(unmapped()), SET(&word)), EIO);
	CHECK_ERR(ptrace(PTRACE_POKEDATA, child, 1, 0), EIO);
	CHECK_ERR(ptrace(PTRACE_SINGLESTEP, child, 0, 99), EIO);
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 0);
}

CASE(a_signal_can_be_replaced_or_dropped_and_its_info_changed, "ptrace(2)")
{
	pid_t child = traced_child();
	siginfo_t info;

	if (child == 0) {
		handle(SIGUSR1, count_signal, 0);
		raise(SIGUSR1);
		if (signals_seen)
			_exit(1);
		raise(SIGTERM);
		_exit(signals_seen == 1 ? 0 : 2);
	}
	resume(PTRACE_CONT, child, 0);
	CHECK_EQ(stop_of(child), SIGUSR1);
	info = siginfo_of(child);
	CHECK_EQ(info.si_code, SI_TKILL);
	CHECK_EQ(info.si_pid, child);
	resume(PTRACE_CONT, child, 0);
	CHECK_EQ(stop_of(child), SIGTERM);
	resume(PTRACE_CONT, child, SIGUSR1);
	CHECK_EXITS(child, 0);
}

static volatile int seen_value, seen_code;

static void see_value(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	seen_value = info->si_value.sival_int;
	seen_code = info->si_code;
}

CASE(SETSIGINFO_changes_what_the_handler_is_told, "ptrace(2)")
{
	struct sigaction action = { .sa_sigaction = see_value, .sa_flags = SA_SIGINFO };
	pid_t child = traced_child();
	siginfo_t info;

	if (child == 0) {
		CHECK_OK(sigaction(SIGUSR1, &action, NULL));
		raise(SIGUSR1);
		_exit(seen_code == SI_QUEUE ? seen_value : 1);
	}
	resume(PTRACE_CONT, child, 0);
	CHECK_EQ(stop_of(child), SIGUSR1);
	info = siginfo_of(child);
	info.si_code = SI_QUEUE;
	info.si_value.sival_int = 88;
	CHECK_OK(ptrace(PTRACE_SETSIGINFO, child, 0, SET(&info)));
	CHECK_EQ(siginfo_of(child).si_value.sival_int, 88);
	resume(PTRACE_CONT, child, SIGUSR1);
	CHECK_EXITS(child, 88);
}

CASE(ignored_signals_are_shown_and_blocked_ones_are_not, "ptrace(2)")
{
	pid_t child = traced_child();
	sigset_t blocked;
	unsigned long mask;

	if (child == 0) {
		signal(SIGUSR1, SIG_IGN);
		raise(SIGUSR1);
		sigemptyset(&blocked);
		sigaddset(&blocked, SIGUSR2);
		sigprocmask(SIG_BLOCK, &blocked, NULL);
		raise(SIGUSR2);
		raise(SIGUSR1);
		_exit(0);
	}
	resume(PTRACE_CONT, child, 0);
	CHECK_EQ(stop_of(child), SIGUSR1);
	resume(PTRACE_CONT, child, SIGUSR1);
	CHECK_EQ(stop_of(child), SIGUSR1);
	CHECK_OK(ptrace(PTRACE_GETSIGMASK, child, 8, SET(&mask)));
	CHECK_EQ(mask >> (SIGUSR2 - 1) & 1, 1);
	mask = 0;
	CHECK_OK(ptrace(PTRACE_SETSIGMASK, child, 8, SET(&mask)));
	resume(PTRACE_CONT, child, 0);
	CHECK_EQ(stop_of(child), SIGUSR2);
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 0);
}

CASE(PEEKSIGINFO_lists_queued_signals, "ptrace(2)")
{
	pid_t child = traced_child();
	siginfo_t infos[4];
	struct ptrace_peeksiginfo_args args = { .nr = 4 };
	sigset_t blocked;

	if (child == 0) {
		sigfillset(&blocked);
		sigprocmask(SIG_BLOCK, &blocked, NULL);
		raise(SIGUSR1);
		kill(getpid(), SIGUSR2);
		sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 7 });
		raise(SIGSTOP);
		_exit(0);
	}
	resume(PTRACE_CONT, child, 0);
	CHECK_EQ(stop_of(child), SIGSTOP);
	CHECK_EQ(ptrace(PTRACE_PEEKSIGINFO, child, SET(&args), SET(infos)), 1);
	CHECK_EQ(infos[0].si_signo, SIGUSR1);
	args.flags = PTRACE_PEEKSIGINFO_SHARED;
	CHECK_EQ(ptrace(PTRACE_PEEKSIGINFO, child, SET(&args), SET(infos)), 2);
	CHECK_EQ(infos[0].si_signo, SIGUSR2);
	CHECK_EQ(infos[1].si_signo, SIGRTMIN);
	args.off = 1;
	CHECK_EQ(ptrace(PTRACE_PEEKSIGINFO, child, SET(&args), SET(infos)), 1);
	args.off = 2;
	CHECK_EQ(ptrace(PTRACE_PEEKSIGINFO, child, SET(&args), SET(infos)), 0);
	args.nr = -1;
	CHECK_ERR(ptrace(PTRACE_PEEKSIGINFO, child, SET(&args), SET(infos)), EINVAL);
	args.nr = 1;
	args.flags = 2;
	CHECK_ERR(ptrace(PTRACE_PEEKSIGINFO, child, SET(&args), SET(infos)), EINVAL);
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 0);
}

CASE(a_stop_signal_stops_twice_delivery_then_the_process, "ptrace(2)")
{
	pid_t child = traced_child();
	siginfo_t info;

	if (child == 0) {
		raise(SIGTSTP);
		_exit(3);
	}
	resume(PTRACE_CONT, child, 0);
	CHECK_EQ(stop_of(child), SIGTSTP);
	CHECK_OK(ptrace(PTRACE_GETSIGINFO, child, 0, SET(&info)));
	if (getpgid(0) == getsid(0))
		SKIP("the process group is orphaned");
	resume(PTRACE_CONT, child, SIGSTOP);
	CHECK_EQ(stop_of(child), SIGSTOP);
	CHECK_ERR(ptrace(PTRACE_GETSIGINFO, child, 0, SET(&info)), EINVAL);
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 3);
}

CASE(LISTEN_stays_in_the_stop_of_the_process_until_SIGCONT, "ptrace(2)")
{
	pid_t child = pausing_child();
	int status;

	CHECK_OK(ptrace(PTRACE_SEIZE, child, 0, 0));
	CHECK_OK(kill(child, SIGSTOP));
	CHECK_EQ(stop_of(child), SIGSTOP);
	resume(PTRACE_CONT, child, SIGSTOP);
	CHECK_EQ(stop_of(child), SIGSTOP | PTRACE_EVENT_STOP << 8);
	CHECK_OK(ptrace(PTRACE_LISTEN, child, 0, 0));
	CHECK_EQ(waitpid(child, &status, __WALL | WNOHANG), 0);
	CHECK_ERR(ptrace(PTRACE_CONT, child, 0, 0), ESRCH);
	CHECK_OK(kill(child, SIGCONT));
	CHECK_EQ(stop_of(child), SIGTRAP | PTRACE_EVENT_STOP << 8);
	resume(PTRACE_CONT, child, 0);
	CHECK_EQ(stop_of(child), SIGCONT);
	resume(PTRACE_CONT, child, 0);
	kill_and_reap(child);
}

CASE(attaching_to_a_stopped_process_works, "ptrace(2)")
{
	pid_t child = pausing_child();
	int status;

	CHECK_OK(kill(child, SIGSTOP));
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK_OK(ptrace(PTRACE_ATTACH, child, 0, 0));
	CHECK_EQ(stop_of(child), SIGSTOP);
	CHECK_OK(kill(child, SIGCONT));
	resume(PTRACE_DETACH, child, 0);
	kill_and_reap(child);
}

CASE(waitid_tells_CLD_TRAPPED_and_WNOWAIT_leaves_it, "ptrace(2)")
{
	siginfo_t info = { 0 };
	pid_t child = traced_child();

	if (child == 0) {
		raise(SIGUSR1);
		_exit(0);
	}
	resume(PTRACE_CONT, child, 0);
	for (int i = 0; i < 2; i++) {
		CHECK_OK(waitid(P_PID, child, &info, WSTOPPED | WNOWAIT | __WALL));
		CHECK_EQ(info.si_code, CLD_TRAPPED);
		CHECK_EQ(info.si_status, SIGUSR1);
		CHECK_EQ(info.si_pid, child);
	}
	CHECK_EQ(stop_of(child), SIGUSR1);
	memset(&info, 0, sizeof(info));
	CHECK_OK(waitid(P_PID, child, &info, WSTOPPED | WNOHANG | __WALL));
	CHECK_EQ(info.si_pid, 0);
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 0);
}

static void see_child(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	seen_code = info->si_code;
	seen_value = info->si_status;
}

CASE(SIGCHLD_tells_the_tracer_of_stops, "ptrace(2)")
{
	struct sigaction action = { .sa_sigaction = see_child, .sa_flags = SA_SIGINFO | SA_RESTART };
	pid_t child;

	CHECK_OK(sigaction(SIGCHLD, &action, NULL));
	child = traced_child();
	if (child == 0) {
		raise(SIGUSR1);
		_exit(0);
	}
	resume(PTRACE_CONT, child, 0);
	CHECK_EQ(stop_of(child), SIGUSR1);
	CHECK_EQ(seen_code, CLD_TRAPPED);
	CHECK_EQ(seen_value, SIGUSR1);
	resume(PTRACE_CONT, child, 0);
	CHECK_EXITS(child, 0);
}

CASE(the_tracers_end_lets_tracees_go_on_or_kills_them, "ptrace(2)")
{
	pid_t child = pausing_child(), doomed = pausing_child(), tracer = fork_child();

	if (tracer == 0) {
		if (ptrace(PTRACE_SEIZE, child, 0, 0) || ptrace(PTRACE_SEIZE, doomed, 0, PTRACE_O_EXITKILL))
			_exit(1);
		CHECK_OK(ptrace(PTRACE_INTERRUPT, child, 0, 0));
		CHECK_EQ(stop_of(child), SIGTRAP | PTRACE_EVENT_STOP << 8);
		_exit(0);
	}
	CHECK_EXITS(tracer, 0);
	CHECK_KILLED(doomed, SIGKILL);
	CHECK_EQ(atoi(status_line(child, "TracerPid:")), 0);
	CHECK_OK(kill(child, SIGTERM));
	CHECK_KILLED(child, SIGTERM);
}

CASE(a_foreign_tracer_waits_for_the_zombie_before_its_parent, "ptrace(2)")
{
	pid_t child = pausing_child(), tracer;
	int ends[2], back[2], status;

	CHECK_OK(pipe(ends));
	CHECK_OK(pipe(back));
	tracer = fork_child();
	if (tracer == 0) {
		CHECK_OK(ptrace(PTRACE_SEIZE, child, 0, 0));
		CHECK_OK(kill(child, SIGKILL));
		CHECK_OK(waitid(P_PID, child, &(siginfo_t){ 0 }, WEXITED | WNOWAIT | __WALL));
		tell(ends[1]);
		await(back[0]);
		CHECK_EQ(waitpid(child, &status, __WALL), child);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		CHECK_ERR(waitpid(child, &status, __WALL), ECHILD);
		_exit(0);
	}
	await(ends[0]);
	CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
	tell(back[1]);
	CHECK_KILLED(child, SIGKILL);
	CHECK_EXITS(tracer, 0);
}

CASE(SIGKILL_ends_a_stopped_tracee, "ptrace(2)")
{
	pid_t child = traced_child();

	if (child == 0)
		_exit(0);
	kill_and_reap(child);
	child = traced_child();
	if (child == 0)
		_exit(0);
	CHECK_OK(ptrace(PTRACE_KILL, child, 0, 0));
	CHECK_KILLED(child, SIGKILL);
}
