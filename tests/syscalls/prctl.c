/* prctl(2). What belongs to credentials is in credentials.c, subreapers in identity.c. */
#include "harness.h"
#include "fixtures.h"

#include <sys/prctl.h>

CASE(PR_SET_NAME_keeps_15_bytes, "PR_SET_NAME(2const)")
{
	char name[16];

	CHECK_OK(prctl(PR_SET_NAME, "a-name-longer-than-fifteen"));
	CHECK_OK(prctl(PR_GET_NAME, name));
	CHECK_STREQ(name, "a-name-longer-t");
	CHECK_ERR(prctl(PR_SET_NAME, unmapped()), EFAULT);
}

CASE(PR_SET_PDEATHSIG_signals_the_child_of_a_dead_parent, "PR_SET_PDEATHSIG(2const)")
{
	int ready[2], over[2], signal_number = -1;
	char byte;
	pid_t middle;

	CHECK_OK(pipe(ready));
	CHECK_OK(pipe(over));
	middle = fork_child();
	if (middle == 0) {
		if (fork() == 0) {
			signal(SIGTERM, SIG_DFL);
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			prctl(PR_GET_PDEATHSIG, &signal_number);
			tell(ready[1]);
			for (;;)
				pause();
		}
		await(ready[0]);
		_exit(0);
	}
	CHECK_OK(close(over[1]));
	CHECK_EXITS(middle, 0);
	CHECK_EQ(read(over[0], &byte, 1), 0);
}

CASE(parent_death_signal_is_sent_by_the_parent, "PR_SET_PDEATHSIG(2const)")
{
	int ready[2], seen[2], result[3];
	pid_t middle;

	CHECK_OK(pipe(ready));
	CHECK_OK(pipe(seen));
	middle = fork_child();
	if (middle == 0) {
		if (fork() == 0) {
			siginfo_t info;
			sigset_t set;

			sigemptyset(&set);
			sigaddset(&set, SIGUSR1);
			sigprocmask(SIG_BLOCK, &set, NULL);
			prctl(PR_SET_PDEATHSIG, SIGUSR1);
			tell(ready[1]);
			sigwaitinfo(&set, &info);
			result[0] = info.si_code;
			result[1] = info.si_pid;
			result[2] = (int)info.si_uid;
			_exit(write(seen[1], result, sizeof result) != sizeof result);
		}
		await(ready[0]);
		_exit(0);
	}
	CHECK_EXITS(middle, 0);
	CHECK_EQ(read(seen[0], result, sizeof result), sizeof result);
	CHECK_EQ(result[0], SI_USER);
	CHECK_EQ(result[1], middle);
	CHECK_EQ(result[2], getuid());
}

CASE(parent_that_may_not_signal_its_child_dies_unnoticed, "PR_SET_PDEATHSIG(2const)")
{
	int ready[2], done[2];
	pid_t middle;

	NEEDS_ROOT();
	CHECK_OK(pipe(ready));
	CHECK_OK(pipe(done));
	middle = fork_child();
	if (middle == 0) {
		pid_t parent = getpid();

		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			tell(ready[1]);
			while (getppid() == parent)
				sched_yield();
			tell(done[1]);
			_exit(0);
		}
		await(ready[0]);
		CHECK_OK(setresuid(65534, 65534, 65534));
		_exit(0);
	}
	CHECK_EXITS(middle, 0);
	close(done[1]);
	await(done[0]);
}

CASE(timer_slack_of_0_is_what_the_creator_had, "PR_SET_TIMERSLACK(2const)")
{
	long slack = CHECK_OK(prctl(PR_GET_TIMERSLACK));
	pid_t child;

	CHECK_OK(prctl(PR_SET_TIMERSLACK, 777L));
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 777);
	child = fork_child();
	if (child == 0) {
		CHECK_EQ(prctl(PR_GET_TIMERSLACK), 777);
		CHECK_OK(prctl(PR_SET_TIMERSLACK, 5L));
		CHECK_OK(prctl(PR_SET_TIMERSLACK, 0L));
		CHECK_EQ(prctl(PR_GET_TIMERSLACK), 777);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_OK(prctl(PR_SET_TIMERSLACK, 0L));
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), slack);
	CHECK_OK(prctl(PR_SET_TIMERSLACK, ~0UL));
	CHECK_EQ(syscall(SYS_prctl, PR_GET_TIMERSLACK, 0L, 0L, 0L, 0L), -1);
}

CASE(real_time_threads_have_no_timer_slack, "PR_SET_TIMERSLACK(2const)")
{
	struct sched_param parameters = {.sched_priority = 1};
	long slack = CHECK_OK(prctl(PR_GET_TIMERSLACK));

	if (sched_setscheduler(0, SCHED_FIFO, &parameters) < 0)
		SKIP("SCHED_FIFO: %s", strerror(errno));
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 0);
	CHECK_OK(prctl(PR_SET_TIMERSLACK, 5L));
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 0);
	parameters.sched_priority = 0;
	CHECK_OK(sched_setscheduler(0, SCHED_OTHER, &parameters));
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), slack);
}

CASE(PR_GET_PDEATHSIG_returns_what_was_set_and_fork_clears_it, "PR_SET_PDEATHSIG(2const)")
{
	int number = -1;
	pid_t child;

	CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
	CHECK_OK(prctl(PR_GET_PDEATHSIG, &number));
	CHECK_EQ(number, SIGUSR1);
	child = fork_child();
	if (child == 0) {
		prctl(PR_GET_PDEATHSIG, &number);
		_exit(number);
	}
	CHECK_EXITS(child, 0);
	CHECK_ERR(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
}

CASE(PR_SET_DUMPABLE_is_read_back, "PR_SET_DUMPABLE(2const)")
{
	CHECK_OK(prctl(PR_SET_DUMPABLE, 0));
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
	CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
	CHECK_ERR(prctl(PR_SET_DUMPABLE, 3), EINVAL);
}

CASE(PR_SET_CHILD_SUBREAPER_is_read_back, "PR_SET_CHILD_SUBREAPER(2const)")
{
	int value = -1;

	CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	CHECK_OK(prctl(PR_GET_CHILD_SUBREAPER, &value));
	CHECK_EQ(value, 1);
}

CASE(unknown_operation_gives_EINVAL, "prctl(2)")
{
	CHECK_ERR(prctl(123456, 0, 0, 0, 0), EINVAL);
}
