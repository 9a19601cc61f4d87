/* Process groups and sessions, and signals sent to groups. */
#include "harness.h"
#include "fixtures.h"

/* Runs a function in a child and expects it to end well. */
static void in_child(void (*body)(void))
{
	pid_t child = fork_child();

	if (child == 0) {
		body();
		_exit(0);
	}
	CHECK_EXITS(child, 0);
}

static void becomes_leader(void)
{
	pid_t self = getpid();

	CHECK_EQ(setsid(), self);
	CHECK_EQ(getsid(0), self);
	CHECK_EQ(getpgrp(), self);
	CHECK_EQ(getpgid(self), self);
	CHECK_ERR(setsid(), EPERM);
	CHECK_ERR(setpgid(0, 0), EPERM);
}

CASE(setsid_makes_a_leader_of_session_and_group, "setsid(2)")
{
	in_child(becomes_leader);
}

CASE(child_inherits_group_and_session, "getpgrp(2)")
{
	pid_t group = getpgrp(), session = getsid(0), child = fork_child();

	if (child == 0)
		_exit(getpgrp() == group && getsid(0) == session ? 0 : 1);
	CHECK_EXITS(child, 0);
}

static void makes_own_group(void)
{
	CHECK_OK(setpgid(0, 0));
	CHECK_EQ(getpgrp(), getpid());
	CHECK_OK(setpgid(getpid(), getpid()));
	CHECK_ERR(setsid(), EPERM);
}

CASE(setpgid_0_0_makes_an_own_group, "setpgid(2)")
{
	in_child(makes_own_group);
}

CASE(setpgid_errors, "setpgid(2)")
{
	CHECK_ERR(setpgid(0, -1), EINVAL);
	CHECK_ERR(setpgid(0x3fffffff, 0), ESRCH);
	CHECK_ERR(setpgid(getppid(), 0), ESRCH);
	CHECK_ERR(setpgid(0, 0x3fffffff), EPERM);
	CHECK_ERR(getpgid(0x3fffffff), ESRCH);
	CHECK_ERR(getsid(0x3fffffff), ESRCH);
}

CASE(child_after_exec_cannot_be_moved, "setpgid(2)")
{
	char *arguments[] = { "sh", "-c", "echo; read line", NULL };
	int in[2], out[2];
	char byte;
	pid_t child;

	CHECK_OK(pipe(in));
	CHECK_OK(pipe(out));
	child = fork_child();
	if (child == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		execv("/bin/sh", arguments);
		_exit(126);
	}
	CHECK_EQ(read(out[0], &byte, 1), 1);
	CHECK_ERR(setpgid(child, child), EACCES);
	CHECK_EQ(write(in[1], "\n", 1), 1);
	CHECK_EXITS(child, 0);
}

CASE(child_in_another_session_cannot_be_moved, "setpgid(2)")
{
	int ready[2], go[2];
	pid_t child;

	CHECK_OK(pipe(ready));
	CHECK_OK(pipe(go));
	child = fork_child();
	if (child == 0) {
		setsid();
		tell(ready[1]);
		await(go[0]);
		_exit(0);
	}
	await(ready[0]);
	CHECK_ERR(setpgid(child, getpgrp()), EPERM);
	tell(go[1]);
	CHECK_EXITS(child, 0);
}

CASE(kill_of_a_negative_pid_reaches_the_whole_group, "kill(2)")
{
	pid_t first = fork_child(), second;

	if (first == 0)
		for (;;)
			pause();
	CHECK_OK(setpgid(first, first));
	second = sleeping_child();
	CHECK_OK(setpgid(second, first));
	CHECK_OK(kill(-first, SIGKILL));
	CHECK_KILLED(first, SIGKILL);
	CHECK_KILLED(second, SIGKILL);
	CHECK_ERR(kill(-first, 0), ESRCH);
}

static void signals_its_group(void)
{
	pid_t child;

	CHECK_OK(setpgid(0, 0));
	child = sleeping_child();
	handle(SIGUSR1, count_signal, 0);
	CHECK_OK(kill(0, SIGUSR1));
	CHECK_EQ(signals_seen, 1);
	CHECK_KILLED(child, SIGUSR1);
}

CASE(kill_of_0_reaches_the_own_group, "kill(2)")
{
	in_child(signals_its_group);
}

CASE(group_lives_as_long_as_a_member, "setpgid(2)")
{
	int go[2];
	pid_t leader, member;

	CHECK_OK(pipe(go));
	leader = sleeping_child();
	CHECK_OK(setpgid(leader, leader));
	member = fork_child();
	if (member == 0) {
		await(go[0]);
		_exit(0);
	}
	CHECK_OK(setpgid(member, leader));
	end_child(leader);
	CHECK_OK(kill(-leader, 0));
	CHECK_EQ(getpgid(member), leader);
	tell(go[1]);
	CHECK_EXITS(member, 0);
}

CASE(orphaned_stopped_group_gets_SIGHUP_and_SIGCONT, "credentials(7)")
{
	int ready[2];
	char byte;
	pid_t leader;

	CHECK_OK(pipe(ready));
	leader = fork_child();
	if (leader == 0) {
		int status;
		pid_t member;

		setsid();
		member = fork_child();
		if (member == 0) {
			signal(SIGHUP, SIG_DFL);
			setpgid(0, 0);
			raise(SIGSTOP);
			_exit(0);
		}
		CHECK_EQ(waitpid(member, &status, WUNTRACED), member);
		CHECK(WIFSTOPPED(status));
		_exit(0);
	}
	CHECK_OK(close(ready[1]));
	CHECK_EXITS(leader, 0);
	/* The member held the pipe's last write end: it has ended when there is nothing more to read. */
	CHECK_EQ(read(ready[0], &byte, 1), 0);
}
