/* Actions, masks, queues and default effects of signals. Frames: sigcontext.c; EINTR: restart.c. */
#include "harness.h"
#include "fixtures.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>

static siginfo_t last_info;

static void keep_info(int number, siginfo_t *info, void *context)
{
	(void)context;
	count_signal(number);
	last_info = *info;
}

static void handle_info(int number, int flags)
{
	struct sigaction action = { .sa_sigaction = keep_info, .sa_flags = SA_SIGINFO | flags };

	CHECK_OK(sigaction(number, &action, NULL));
}

static void block(int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
}

static void unblock(int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
}

CASE(handler_runs_before_kill_to_oneself_returns, "kill(2)")
{
	handle(SIGUSR1, count_signal, 0);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(signals_seen, 1);
}

CASE(siginfo_of_kill_names_the_sender, "sigaction(2)")
{
	handle_info(SIGUSR1, 0);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(last_info.si_signo, SIGUSR1);
	CHECK_EQ(last_info.si_code, SI_USER);
	CHECK_EQ(last_info.si_pid, getpid());
	CHECK_EQ(last_info.si_uid, getuid());
}

CASE(siginfo_of_tgkill_has_SI_TKILL, "sigaction(2)")
{
	handle_info(SIGUSR1, 0);
	CHECK_OK(syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1));
	CHECK_EQ(last_info.si_code, SI_TKILL);
}

CASE(sigqueue_delivers_its_value, "sigqueue(3)")
{
	union sigval value = { .sival_int = 1234 };

	handle_info(SIGRTMIN, 0);
	CHECK_OK(sigqueue(getpid(), SIGRTMIN, value));
	CHECK_EQ(last_info.si_code, SI_QUEUE);
	CHECK_EQ(last_info.si_value.sival_int, 1234);
}

CASE(blocked_standard_signal_is_delivered_once, "signal(7)")
{
	handle(SIGUSR1, count_signal, 0);
	block(SIGUSR1);
	CHECK_OK(raise(SIGUSR1));
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(signals_seen, 0);
	unblock(SIGUSR1);
	CHECK_EQ(signals_seen, 1);
}

CASE(blocked_realtime_signals_queue, "signal(7)")
{
	handle_info(SIGRTMIN + 1, 0);
	block(SIGRTMIN + 1);
	for (int i = 0; i < 3; i++)
		CHECK_OK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = i }));
	unblock(SIGRTMIN + 1);
	CHECK_EQ(signals_seen, 3);
	CHECK_EQ(last_info.si_value.sival_int, 2);
}

static int order[4];

static void note_order(int number)
{
	order[signals_seen++] = number;
}

CASE(lower_realtime_signals_are_taken_first_by_sigwaitinfo, "signal(7)")
{
	sigset_t set;

	sigemptyset(&set);
	for (int number = SIGRTMIN; number < SIGRTMIN + 3; number++) {
		block(number);
		sigaddset(&set, number);
	}
	CHECK_OK(raise(SIGRTMIN + 2));
	CHECK_OK(raise(SIGRTMIN));
	CHECK_OK(raise(SIGRTMIN + 1));
	CHECK_EQ(sigwaitinfo(&set, NULL), SIGRTMIN);
	CHECK_EQ(sigwaitinfo(&set, NULL), SIGRTMIN + 1);
	CHECK_EQ(sigwaitinfo(&set, NULL), SIGRTMIN + 2);
}

CASE(sigaction_reports_the_action_in_force, "sigaction(2)")
{
	struct sigaction action;

	handle(SIGUSR1, count_signal, SA_RESTART);
	CHECK_OK(sigaction(SIGUSR1, NULL, &action));
	CHECK(action.sa_handler == count_signal);
	CHECK(action.sa_flags & SA_RESTART);
	CHECK_EQ(sigismember(&action.sa_mask, SIGUSR2), 0);
}

static volatile int depth, deepest;

static void nest(int number)
{
	depth++;
	if (depth > deepest)
		deepest = depth;
	if (depth < 3 && signals_seen++ < 4)
		raise(number);
	depth--;
}

CASE(handler_is_not_reentered_without_SA_NODEFER, "sigaction(2)")
{
	handle(SIGUSR1, nest, 0);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(deepest, 1);
	CHECK(signals_seen >= 2);
}

CASE(handler_is_reentered_with_SA_NODEFER, "sigaction(2)")
{
	handle(SIGUSR1, nest, SA_NODEFER);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(deepest, 3);
}

CASE(SA_RESETHAND_restores_the_default, "sigaction(2)")
{
	struct sigaction action;

	handle(SIGUSR1, count_signal, SA_RESETHAND);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(signals_seen, 1);
	CHECK_OK(sigaction(SIGUSR1, NULL, &action));
	CHECK(action.sa_handler == SIG_DFL);
}

CASE(sa_mask_blocks_others_while_the_handler_runs, "sigaction(2)")
{
	struct sigaction action = { .sa_handler = note_order };
	sigset_t none;

	handle(SIGUSR2, note_order, 0);
	sigfillset(&action.sa_mask);
	CHECK_OK(sigaction(SIGUSR1, &action, NULL));
	block(SIGUSR1);
	block(SIGUSR2);
	CHECK_OK(raise(SIGUSR2));
	CHECK_OK(raise(SIGUSR1));
	sigemptyset(&none);
	CHECK_OK(sigprocmask(SIG_SETMASK, &none, NULL));
	CHECK_EQ(signals_seen, 2);
	CHECK_EQ(order[0] + order[1], SIGUSR1 + SIGUSR2);
}

CASE(sigaction_refuses_SIGKILL_SIGSTOP_and_nonsense, "sigaction(2)")
{
	struct sigaction action = { .sa_handler = SIG_IGN };

	CHECK_ERR(sigaction(SIGKILL, &action, NULL), EINVAL);
	CHECK_ERR(sigaction(SIGSTOP, &action, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigaction, 0, NULL, NULL, 8), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, unmapped(), NULL, 8), EFAULT);
	CHECK_OK(syscall(SYS_rt_sigaction, SIGKILL, NULL, &action, 8));
}

CASE(SIGKILL_and_SIGSTOP_cannot_be_blocked, "sigprocmask(2)")
{
	sigset_t set;

	sigfillset(&set);
	CHECK_OK(sigprocmask(SIG_SETMASK, &set, NULL));
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &set));
	CHECK_EQ(sigismember(&set, SIGKILL), 0);
	CHECK_EQ(sigismember(&set, SIGSTOP), 0);
	CHECK_EQ(sigismember(&set, SIGTERM), 1);
}

CASE(sigprocmask_errors, "sigprocmask(2)")
{
	unsigned long set = 0;

	CHECK_ERR(syscall(SYS_rt_sigprocmask, 77, &set, NULL, 8), EINVAL);
	CHECK_OK(syscall(SYS_rt_sigprocmask, 77, NULL, &set, 8));
	CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, unmapped(), NULL, 8), EFAULT);
	CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, unmapped(), 8), EFAULT);
}

CASE(ignored_signal_is_dropped_even_when_blocked_later, "sigpending(2)")
{
	sigset_t pending;

	handle(SIGUSR1, SIG_IGN, 0);
	CHECK_OK(raise(SIGUSR1));
	block(SIGUSR1);
	CHECK_OK(sigpending(&pending));
	CHECK_EQ(sigismember(&pending, SIGUSR1), 0);
}

CASE(ignoring_a_pending_signal_discards_it, "sigaction(2)")
{
	sigset_t pending;

	handle(SIGUSR1, count_signal, 0);
	block(SIGUSR1);
	CHECK_OK(raise(SIGUSR1));
	handle(SIGUSR1, SIG_IGN, 0);
	CHECK_OK(sigpending(&pending));
	CHECK_EQ(sigismember(&pending, SIGUSR1), 0);
}

CASE(SIGCONT_SIGCHLD_SIGURG_SIGWINCH_are_ignored_by_default, "signal(7)")
{
	static const int harmless[] = { SIGCONT, SIGCHLD, SIGURG, SIGWINCH };

	for (int i = 0; i < 4; i++) {
		handle(harmless[i], SIG_DFL, 0);
		CHECK_OK(raise(harmless[i]));
	}
}

CASE(kill_errors, "kill(2)")
{
	CHECK_ERR(kill(getpid(), 65), EINVAL);
	CHECK_ERR(kill(getpid(), -1), EINVAL);
	CHECK_ERR(kill(0x3fffffff, 0), ESRCH);
	CHECK_ERR(kill(-0x3fffffff, 0), ESRCH);
	CHECK_OK(kill(getpid(), 0));
}

CASE(sigtimedwait_takes_a_pending_signal_or_times_out, "sigwaitinfo(2)")
{
	struct timespec now = { 0, 0 }, invalid = { 0, -1 };
	siginfo_t info;
	sigset_t set;

	block(SIGUSR1);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_ERR(sigtimedwait(&set, &info, &now), EAGAIN);
	CHECK_ERR(sigtimedwait(&set, &info, &invalid), EINVAL);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(sigtimedwait(&set, &info, &now), SIGUSR1);
	CHECK_EQ(info.si_signo, SIGUSR1);
	CHECK_ERR(sigtimedwait(&set, &info, &now), EAGAIN);
}

CASE(SIGCHLD_tells_who_ended_and_how, "sigaction(2)")
{
	pid_t child;

	handle_info(SIGCHLD, SA_RESTART);
	child = fork_child();
	if (child == 0)
		_exit(19);
	CHECK_EXITS(child, 19);
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(last_info.si_pid, child);
	CHECK_EQ(last_info.si_code, CLD_EXITED);
	CHECK_EQ(last_info.si_status, 19);
}

CASE(SA_RESETHAND_lets_the_second_signal_kill, "sigaction(2)")
{
	pid_t child = fork_child();

	if (child == 0) {
		handle(SIGUSR1, count_signal, SA_RESETHAND | SA_NODEFER);
		raise(SIGUSR1);
		if (signals_seen == 1)
			raise(SIGUSR1);
		_exit(0);
	}
	CHECK_KILLED(child, SIGUSR1);
}

CASE(unknown_flags_of_an_action_read_back_as_0, "sigaction(2)")
{
	struct { void *handler; unsigned long flags; void *restorer; unsigned long mask; } action = { 0 }, seen;

	action.handler = (void *)SIG_IGN;
	action.flags = ~0ul;
	action.mask = ~0ul;
	CHECK_OK(syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 8));
	CHECK_OK(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &seen, 8));
	CHECK_EQ(seen.flags & 0x400, 0); /* SA_UNSUPPORTED */
	CHECK_EQ(seen.flags & 0xd8000007, 0xd8000007);
	CHECK_EQ(seen.mask, ~(1ul << (SIGKILL - 1) | 1ul << (SIGSTOP - 1)));
}

CASE(action_is_changed_even_if_the_old_one_cannot_be_stored, "sigaction(2)")
{
	struct { unsigned long handler, flags, restorer, mask; } action = { 1, 0, 0, 0 }, seen;

	CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, &action, unmapped(), 8), EFAULT);
	CHECK_OK(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &seen, 8));
	CHECK_EQ(seen.handler, 1);
	CHECK_OK(kill(getpid(), SIGUSR1));
}

CASE(realtime_signal_of_kill_has_SI_USER, "sigaction(2)")
{
	handle_info(SIGRTMAX, 0);
	CHECK_OK(kill(getpid(), SIGRTMAX));
	CHECK_EQ(last_info.si_signo, SIGRTMAX);
	CHECK_EQ(last_info.si_code, SI_USER);
	CHECK_EQ(last_info.si_pid, getpid());
}

CASE(signals_0_and_too_large_to_oneself, "kill(2)")
{
	CHECK_OK(syscall(SYS_tgkill, getpid(), gettid(), 0));
	CHECK_OK(syscall(SYS_tkill, gettid(), 0));
	CHECK_ERR(syscall(SYS_tgkill, getpid(), gettid(), 65), EINVAL);
	CHECK_ERR(syscall(SYS_tkill, gettid(), -1), EINVAL);
	CHECK_ERR(syscall(SYS_tgkill, getpid(), 0, SIGUSR1), EINVAL);
	CHECK_ERR(syscall(SYS_tgkill, getpid() + 1, gettid(), 0), ESRCH);
}

CASE(signal_to_oneself_that_waits_behind_a_blocked_one, "signal(7)")
{
	handle(SIGUSR1, note_order, 0);
	handle(SIGUSR2, note_order, 0);
	block(SIGUSR1);
	CHECK_OK(raise(SIGUSR1));
	CHECK_OK(raise(SIGUSR2));
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(order[0], SIGUSR2);
	unblock(SIGUSR1);
	CHECK_EQ(signals_seen, 2);
	CHECK_EQ(order[1], SIGUSR1);
}

CASE(no_queue_left_stops_realtime_signals_but_not_kill, "sigqueue(3)")
{
	struct rlimit none = { 0, 0 };

	CHECK_OK(setrlimit(RLIMIT_SIGPENDING, &none));
	handle_info(SIGUSR1, 0);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(last_info.si_pid, getpid());
	CHECK_EQ(last_info.si_code, SI_USER);
	CHECK_OK(raise(SIGUSR1));
	handle_info(SIGRTMIN, 0);
	CHECK_ERR(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 1 }), EAGAIN);
	CHECK_ERR(syscall(SYS_tgkill, getpid(), gettid(), SIGRTMIN), EAGAIN);
	CHECK_EQ(signals_seen, 2);
}

static int queued_signals(void)
{
	const char *line = strstr(text_of("/proc/self/status"), "SigQ:");
	int count = -1;

	CHECK(line && sscanf(line, "SigQ:\t%d/", &count) == 1);
	return count;
}

CASE(the_limit_of_queued_signals_is_a_users, "getrlimit(2), RLIMIT_SIGPENDING")
{
	union sigval value = { .sival_int = 1 };
	struct rlimit limit = { 0, 0 };
	timer_t timer;
	sigset_t set;
	pid_t child;
	int before;

	NEEDS_ROOT();
	CHECK_OK(setuid(54321)); /* nobody else's */
	before = queued_signals();
	CHECK_EQ(before, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	child = fork_child();
	if (!child) {
		pause();
		_exit(0);
	}
	for (int i = 0; i < 3; i++)
		CHECK_OK(sigqueue(child, SIGRTMIN, value));
	CHECK_EQ(queued_signals(), 3);
	CHECK_OK(timer_create(CLOCK_MONOTONIC, NULL, &timer));
	CHECK_EQ(queued_signals(), 4);
	limit.rlim_cur = limit.rlim_max = 5;
	CHECK_OK(setrlimit(RLIMIT_SIGPENDING, &limit));
	CHECK_OK(sigqueue(getpid(), SIGRTMIN, value));
	CHECK_ERR(sigqueue(getpid(), SIGRTMIN, value), EAGAIN);
	CHECK_OK(sigqueue(child, SIGRTMIN, value)); /* whose limit is another */
	CHECK_OK(timer_delete(timer));
	CHECK_ERR(sigqueue(getpid(), SIGRTMIN, value), EAGAIN);
	CHECK_EQ(sigwaitinfo(&set, NULL), SIGRTMIN);
	CHECK_EQ(queued_signals(), 4);
	CHECK_OK(timer_create(CLOCK_MONOTONIC, NULL, &timer));
	CHECK_ERR(timer_create(CLOCK_MONOTONIC, NULL, &timer), EAGAIN);
	CHECK_OK(kill(child, SIGKILL));
	CHECK_KILLED(child, SIGKILL);
	CHECK_EQ(queued_signals(), 1);
}

static void *raise_in_thread(void *number)
{
	CHECK_OK(syscall(SYS_tgkill, getpid(), gettid(), (int)(long)number));
	CHECK_EQ(signals_seen, 1);
	CHECK_OK(kill(getpid(), (int)(long)number));
	return NULL;
}

CASE(thread_signals_itself_and_its_process, "kill(2)")
{
	pthread_t thread;

	handle_info(SIGUSR1, SA_RESTART);
	CHECK_EQ(pthread_create(&thread, NULL, raise_in_thread, (void *)(long)SIGUSR1), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(signals_seen, 2);
}

CASE(signal_number_is_checked_after_the_process, "kill(2), tgkill(2), sigaction(2)")
{
	CHECK_ERR(kill(0x3fffffff, 65), ESRCH);
	CHECK_ERR(kill(getpid(), 65), EINVAL);
	CHECK_ERR(syscall(SYS_tkill, 0x3fffffff, 65), ESRCH);
	CHECK_ERR(syscall(SYS_tkill, getpid(), 65), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigaction, 65, 8, NULL, 8), EFAULT);
	CHECK_ERR(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8), EINVAL);
}

CASE(SIGPIPE_and_SIGXFSZ_come_from_oneself, "sigaction(2)")
{
	struct sigaction action = { .sa_sigaction = keep_info, .sa_flags = SA_SIGINFO };
	struct rlimit limit = { 0, 0 };
	int pipes[2], file = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

	CHECK_OK(sigaction(SIGPIPE, &action, NULL));
	CHECK_OK(sigaction(SIGXFSZ, &action, NULL));
	CHECK_OK(pipe(pipes));
	close(pipes[0]);
	CHECK_ERR(write(pipes[1], "x", 1), EPIPE);
	CHECK_EQ(last_info.si_signo, SIGPIPE);
	CHECK_EQ(last_info.si_code, SI_USER);
	CHECK_EQ(last_info.si_pid, getpid());
	CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
	CHECK_ERR(write(file, "x", 1), EFBIG);
	CHECK_EQ(last_info.si_signo, SIGXFSZ);
	CHECK_EQ(last_info.si_pid, getpid());
}

CASE(signals_of_faults_are_taken_first, "signal(7)")
{
	struct timespec now = { 0, 0 };
	sigset_t all;

	sigfillset(&all);
	CHECK_OK(sigprocmask(SIG_BLOCK, &all, NULL));
	CHECK_OK(kill(getpid(), SIGHUP));
	CHECK_OK(kill(getpid(), SIGSEGV));
	CHECK_EQ(sigtimedwait(&all, NULL, &now), SIGSEGV);
	CHECK_EQ(sigtimedwait(&all, NULL, &now), SIGHUP);
}
