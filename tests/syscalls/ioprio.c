/* I/O priorities. */
#include "harness.h"
#include "fixtures.h"

#include <sched.h>

enum { PROCESS = 1, PGRP, USER };
enum { NONE, RT, BE, IDLE };

#define PRIO(class, level) ((class) << 13 | (level))

static long get(int which, int who)
{
	return syscall(SYS_ioprio_get, which, who);
}

static long set(int which, int who, int prio)
{
	return syscall(SYS_ioprio_set, which, who, prio);
}

CASE(a_priority_is_told_as_it_was_set, "ioprio_set(2)")
{
	CHECK_OK(set(PROCESS, 0, PRIO(BE, 2)));
	CHECK_EQ(get(PROCESS, 0), PRIO(BE, 2));
	CHECK_EQ(get(PROCESS, getpid()), PRIO(BE, 2));
	CHECK_OK(set(PROCESS, getpid(), PRIO(IDLE, 0)));
	CHECK_EQ(get(PROCESS, 0), PRIO(IDLE, 0));
	CHECK_OK(set(PROCESS, 0, 0));
	CHECK_EQ(get(PROCESS, 0), 0);
}

CASE(a_child_inherits_the_priority, "ioprio_set(2)")
{
	pid_t child;

	CHECK_OK(set(PROCESS, 0, PRIO(BE, 6)));
	child = fork_child();
	if (child == 0)
		_exit(get(PROCESS, 0) != PRIO(BE, 6));
	CHECK_EXITS(child, 0);
}

CASE(without_one_it_follows_the_nice_value, "ioprio_set(2)")
{
	struct sched_param none = { 0 };

	CHECK_OK(setpgid(0, 0));
	CHECK_EQ(get(PGRP, 0), PRIO(BE, 4));
	CHECK_OK(syscall(SYS_setpriority, 0, 0, 19));
	CHECK_EQ(get(PGRP, 0), PRIO(BE, 7));
	CHECK_OK(sched_setscheduler(0, SCHED_IDLE, &none));
	CHECK_EQ(get(PGRP, 0), PRIO(IDLE, 7));
}

CASE(a_group_answers_with_its_highest, "ioprio_set(2)")
{
	int fds[2];
	char byte;
	pid_t child;

	CHECK_OK(setpgid(0, 0));
	CHECK_OK(pipe(fds));
	child = fork_child();
	if (child == 0) {
		close(fds[1]);
		_exit(set(PROCESS, 0, PRIO(BE, 1)) || read(fds[0], &byte, 1));
	}
	CHECK_OK(set(PROCESS, 0, PRIO(BE, 5)));
	while (get(PROCESS, child) != PRIO(BE, 1))
		sched_yield();
	CHECK_EQ(get(PGRP, 0), PRIO(BE, 1));
	CHECK_OK(set(PGRP, 0, PRIO(BE, 3)));
	CHECK_EQ(get(PROCESS, child), PRIO(BE, 3));
	CHECK_EQ(get(PROCESS, 0), PRIO(BE, 3));
	close(fds[1]);
	CHECK_EXITS(child, 0);
}

CASE(ioprio_errors, "ioprio_set(2)")
{
	CHECK_ERR(get(0, 0), EINVAL);
	CHECK_ERR(get(4, 0), EINVAL);
	CHECK_ERR(get(PROCESS, 0x3fffffff), ESRCH);
	CHECK_ERR(get(PROCESS, -1), ESRCH);
	CHECK_ERR(get(PGRP, 0x3fffffff), ESRCH);
	CHECK_ERR(get(USER, 123456), ESRCH);
	CHECK_ERR(set(0, 0, PRIO(BE, 1)), EINVAL);
	CHECK_ERR(set(4, 0, PRIO(BE, 1)), EINVAL);
	CHECK_ERR(set(PROCESS, 0x3fffffff, PRIO(BE, 1)), ESRCH);
	CHECK_ERR(set(PGRP, 0x3fffffff, PRIO(BE, 1)), ESRCH);
	CHECK_ERR(set(USER, 123456, PRIO(BE, 1)), ESRCH);
	CHECK_ERR(set(PROCESS, 0, PRIO(NONE, 1)), EINVAL);
	CHECK_ERR(set(PROCESS, 0, PRIO(4, 0)), EINVAL);
	CHECK_ERR(set(PROCESS, 0, -1), EINVAL);
}

CASE(real_time_needs_privilege, "ioprio_set(2)")
{
	if (geteuid() == 0)
		CHECK_OK(seteuid(65534));
	CHECK_ERR(set(PROCESS, 0, PRIO(RT, 0)), EPERM);
	CHECK_ERR(set(PROCESS, 0x3fffffff, PRIO(RT, 0)), EPERM);
}

CASE(another_users_process_needs_privilege, "ioprio_set(2)")
{
	pid_t parent = getpid(), child;

	NEEDS_ROOT();
	child = fork_child();
	if (child == 0) {
		if (setuid(65534))
			_exit(1);
		_exit(!(set(PROCESS, parent, PRIO(BE, 1)) == -1 && errno == EPERM));
	}
	CHECK_EXITS(child, 0);
}
