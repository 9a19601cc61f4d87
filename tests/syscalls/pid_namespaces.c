/* PID namespaces: numbers as each namespace sees them, and its init. */
#include "harness.h"
#include "fixtures.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/resource.h>

/* Forks into a new PID namespace. */
static pid_t fork_init(void)
{
	return CHECK_OK(syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0));
}

static pid_t outside; /* who made the namespace, by its number there */

/* Runs `body` as the first process of a new namespace, which ends with `code`. */
static void run_init(void (*body)(void), int code)
{
	pid_t init;

	outside = getpid();
	init = fork_init();
	if (init == 0) {
		body();
		_exit(code);
	}
	CHECK(init > 1);
	CHECK_EQ(wait_status(init), code << 8);
}

/* A case that is the life of such a process; its body comes behind. */
#define INIT_CASE(name, page, needs, code)						\
	static void name##_init(void);							\
	CASE(name, page)								\
	{										\
		needs();								\
		run_init(name##_init, code);						\
	}										\
	static void name##_init(void)

INIT_CASE(first_process_is_number_1_and_has_no_parent_there, "pid_namespaces(7)", NEEDS_NAMESPACES, 0)
{
	pid_t tid_inside = 0;

	CHECK_EQ(syscall(SYS_getpid), 1);
	CHECK_EQ(syscall(SYS_gettid), 1);
	CHECK_EQ(syscall(SYS_getppid), 0);
	CHECK_EQ(syscall(SYS_set_tid_address, &tid_inside), 1);
	CHECK_EQ(syscall(SYS_getpgid, 0), 0);
	CHECK_EQ(syscall(SYS_getsid, 0), 0);
	CHECK_EQ(syscall(SYS_getpgrp), 0);
}

INIT_CASE(children_are_numbered_from_2_on, "pid_namespaces(7)", NEEDS_NAMESPACES, 0)
{
	pid_t child;
	int status;
	siginfo_t info;

	child = fork();
	if (child == 0) {
		CHECK_EQ(getppid(), 1);
		CHECK_EQ(getpid(), 2);
		_exit(7);
	}
	CHECK_EQ(child, 2);
	CHECK_OK(waitid(P_PID, 2, &info, WEXITED | WNOWAIT));
	CHECK_EQ(info.si_pid, 2);
	CHECK_EQ(waitpid(-1, &status, 0), 2);
	CHECK_EQ(WEXITSTATUS(status), 7);
	CHECK_EQ(waitpid(2, &status, 0), -1);
	child = fork();
	if (child == 0)
		_exit(0);
	CHECK_EQ(child, 3);
	CHECK_EQ(waitpid(3, &status, 0), 3);
}

INIT_CASE(setsid_and_setpgid_use_the_numbers_of_the_namespace, "pid_namespaces(7)", NEEDS_NAMESPACES, 0)
{
	CHECK_EQ(setsid(), 1);
	CHECK_EQ(getpgrp(), 1);
	CHECK_EQ(getsid(0), 1);
	pid_t child = fork();
	if (child == 0) {
		CHECK_OK(setpgid(0, 0));
		CHECK_EQ(getpgid(2), 2);
		CHECK_EQ(getpgrp(), 2);
		CHECK_EQ(getsid(2), 1);
		CHECK_ERR(setpgid(0, 77), EPERM);
		_exit(0);
	}
	int status;
	CHECK_EQ(waitpid(child, &status, 0), 2);
	CHECK_EQ(status, 0);
}

INIT_CASE(processes_outside_can_not_be_named, "pid_namespaces(7)", NEEDS_NAMESPACES, 0)
{
	int number = outside < 10 ? 1000 : outside;

	CHECK_ERR(kill(number, 0), ESRCH);
	CHECK_ERR(syscall(SYS_tkill, number, 0), ESRCH);
	CHECK_ERR(syscall(SYS_tgkill, number, number, 0), ESRCH);
	CHECK_ERR(syscall(SYS_getpgid, number), ESRCH);
	CHECK_ERR(syscall(SYS_pidfd_open, number, 0), ESRCH);
	CHECK_ERR(syscall(SYS_sched_getscheduler, number), ESRCH);
	CHECK_ERR(getpriority(PRIO_PROCESS, number), ESRCH);
	CHECK_ERR(kill(-1, 0), ESRCH);
}

static volatile sig_atomic_t sender = -1;

static void note_sender(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	sender = info->si_pid;
}

CASE(sender_outside_is_0, "pid_namespaces(7)")
{
	struct sigaction action = { .sa_sigaction = note_sender, .sa_flags = SA_SIGINFO };
	pid_t init;
	int ready[2];

	NEEDS_NAMESPACES();
	CHECK_OK(pipe(ready));
	init = fork_init();
	if (init == 0) {
		CHECK_OK(sigaction(SIGUSR1, &action, NULL));
		CHECK_OK(kill(getpid(), SIGUSR1));
		CHECK_EQ(sender, 1);
		sender = -1;
		tell(ready[1]);
		while (sender == -1)
			usleep(1000);
		CHECK_EQ(sender, 0);
		_exit(0);
	}
	await(ready[0]);
	CHECK_OK(kill(init, SIGUSR1));
	CHECK_EQ(wait_status(init), 0);
}

INIT_CASE(init_is_spared_its_default_actions, "pid_namespaces(7)", NEEDS_NAMESPACES, 11)
{
	CHECK_OK(kill(1, SIGTERM));
	CHECK_OK(kill(1, SIGKILL));
	CHECK_OK(kill(1, SIGSTOP));
	CHECK_OK(syscall(SYS_tgkill, 1, 1, SIGINT));
	pid_t child = fork();
	if (child == 0) {
		CHECK_OK(kill(1, SIGKILL));
		_exit(0);
	}
	int status;
	CHECK_EQ(waitpid(child, &status, 0), child);
}

CASE(parent_outside_can_kill_init_but_not_by_a_signal_without_handler, "pid_namespaces(7)")
{
	pid_t init;
	int ready[2];

	NEEDS_NAMESPACES();
	CHECK_OK(pipe(ready));
	init = fork_init();
	if (init == 0) {
		tell(ready[1]);
		for (;;)
			pause();
	}
	await(ready[0]);
	CHECK_OK(kill(init, SIGTERM));
	usleep(20000);
	CHECK_EQ(waitpid(init, NULL, WNOHANG), 0);
	CHECK_OK(kill(init, SIGKILL));
	CHECK_EQ(wait_status(init), SIGKILL);
}

CASE(death_of_init_kills_all, "pid_namespaces(7)")
{
	pid_t init;
	char byte;
	int hold[2];

	NEEDS_NAMESPACES();
	CHECK_OK(pipe(hold));
	init = fork_init();
	if (init == 0) {
		close(hold[0]);
		for (int i = 0; i < 3; i++)
			if (fork() == 0) {
				if (i == 2)
					setsid();
				for (;;)
					pause();
			}
		usleep(10000);
		_exit(3);
	}
	close(hold[1]);
	CHECK_EQ(wait_status(init), 3 << 8);
	CHECK_EQ(read(hold[0], &byte, 1), 0); /* nobody holds the other end any more */
}

CASE(nothing_starts_in_a_namespace_whose_init_is_dead, "pid_namespaces(7)")
{
	pid_t first;

	NEEDS_NAMESPACES();
	CHECK_OK(unshare(CLONE_NEWPID));
	first = fork();
	if (first == 0)
		_exit(getpid() == 1 ? 0 : 1);
	CHECK_EQ(wait_status(first), 0);
	CHECK_ERR(fork(), ENOMEM);
}

CASE(unshare_moves_children_only, "unshare(2)")
{
	pid_t self = getpid(), child, second;

	NEEDS_NAMESPACES();
	CHECK_OK(unshare(CLONE_NEWPID));
	CHECK_EQ(syscall(SYS_getpid), self);
	CHECK_ERR(syscall(SYS_clone, CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(unshare(CLONE_NEWPID), EINVAL);
	child = fork_child();
	if (child == 0) {
		CHECK_EQ(getpid(), 1);
		pause();
	}
	second = fork_child();
	if (second == 0)
		_exit(getpid() == 2 && getppid() == 0 ? 0 : 1);
	CHECK_EQ(wait_status(second), 0);
	CHECK_OK(kill(child, SIGKILL));
	CHECK_EQ(wait_status(child), SIGKILL);
}

INIT_CASE(orphans_go_to_the_namespaces_init, "pid_namespaces(7)", NEEDS_NAMESPACES, 0)
{
	int done[2], status;

	CHECK_OK(pipe(done));
	if (fork() == 0) {
		if (fork() == 0) {
			while (getppid() != 1)
				usleep(1000);
			tell(done[1]);
			_exit(5);
		}
		_exit(4);
	}
	CHECK_EQ(waitpid(2, &status, 0), 2);
	await(done[0]);
	CHECK_EQ(waitpid(-1, &status, 0), 3);
	CHECK_EQ(WEXITSTATUS(status), 5);
}

INIT_CASE(namespaces_nest, "pid_namespaces(7)", NEEDS_NAMESPACES, 0)
{
	pid_t inner = fork_init();

	if (inner == 0) {
		CHECK_EQ(getpid(), 1);
		CHECK_EQ(getppid(), 0);
		_exit(0);
	}
	CHECK_EQ(inner, 2);
	CHECK_EQ(wait_status(inner), 0);
}

INIT_CASE(clone3_gives_wanted_numbers, "clone3(2)", NEEDS_ROOT, 0)
{
	pid_t wanted[2] = { 77, 0 };
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)wanted,
		.set_tid_size = 1,
	};
	pid_t child = CHECK_OK(syscall(SYS_clone3, &args, sizeof(args)));

	if (child == 0)
		_exit(getpid() == 77 ? 0 : 1);
	CHECK_EQ(child, 77);
	wanted[0] = 1;
	CHECK_ERR(syscall(SYS_clone3, &args, sizeof(args)), EEXIST);
	wanted[0] = 77;
	CHECK_ERR(syscall(SYS_clone3, &args, sizeof(args)), EEXIST);
	CHECK_EQ(wait_status(child), 0);
	wanted[0] = 0;
	CHECK_ERR(syscall(SYS_clone3, &args, sizeof(args)), EINVAL);
	wanted[0] = -5;
	CHECK_ERR(syscall(SYS_clone3, &args, sizeof(args)), EINVAL);
	args.set_tid_size = 33;
	CHECK_ERR(syscall(SYS_clone3, &args, sizeof(args)), EINVAL);
	args.set_tid_size = 0;
	CHECK_ERR(syscall(SYS_clone3, &args, sizeof(args)), EINVAL);
}

CASE(first_process_must_be_number_1, "clone3(2)")
{
	pid_t wanted[2] = { 5, 0 };
	struct clone_args args = {
		.flags = CLONE_NEWPID,
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)wanted,
		.set_tid_size = 1,
	};
	pid_t child;

	NEEDS_ROOT();
	CHECK_ERR(syscall(SYS_clone3, &args, sizeof(args)), EINVAL);
	wanted[0] = 1;
	child = CHECK_OK(syscall(SYS_clone3, &args, sizeof(args)));
	if (child == 0)
		_exit(getpid() == 1 ? 0 : 1);
	CHECK_EQ(wait_status(child), 0);
	args.set_tid_size = 30;
	CHECK_ERR(syscall(SYS_clone3, &args, sizeof(args)), EINVAL);
}

CASE(ids_are_told_in_the_parents_and_the_childs_namespace, "clone(2)")
{
	pid_t *ids = map_pages(1, MAP_SHARED);
	pid_t child;

	NEEDS_NAMESPACES();
	child = CHECK_OK(syscall(SYS_clone, CLONE_NEWPID | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0,
				 &ids[0], &ids[1], 0));
	if (child == 0)
		_exit(ids[1] == 1 ? 0 : 1);
	CHECK_EQ(wait_status(child), 0);
	CHECK_EQ(ids[0], child);
	CHECK_EQ(ids[1], 1);
}

CASE(lock_holder_is_told_by_its_number_here, "pid_namespaces(7)")
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = make_file("file", "x");
	pid_t init;

	NEEDS_NAMESPACES();
	CHECK_OK(fcntl(fd, F_SETLK, &lock));
	init = fork_init();
	if (init == 0) {
		CHECK_OK(fcntl(fd, F_GETLK, &lock));
		CHECK_EQ(lock.l_type, F_WRLCK);
		CHECK_EQ(lock.l_pid, 0); /* it can't be seen from here */
		_exit(0);
	}
	CHECK_EQ(wait_status(init), 0);
	close(fd);
}

CASE(credentials_are_told_by_the_receivers_numbers, "pid_namespaces(7)")
{
	int pair[2], one = 1;
	pid_t init;
	struct ucred peer;
	socklen_t length = sizeof(peer);

	NEEDS_NAMESPACES();
	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	CHECK_OK(setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	CHECK_OK(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	init = fork_init();
	if (init == 0) {
		CHECK_OK(getsockopt(pair[1], SOL_SOCKET, SO_PEERCRED, &peer, &length));
		CHECK_EQ(peer.pid, 0);
		CHECK_EQ(send(pair[1], "x", 1, 0), 1);
		_exit(0);
	}
	char byte, control[CMSG_SPACE(sizeof(peer))];
	struct iovec part = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control),
	};
	CHECK_EQ(recvmsg(pair[0], &message, 0), 1);
	CHECK_EQ(CMSG_FIRSTHDR(&message)->cmsg_type, SCM_CREDENTIALS);
	memcpy(&peer, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(peer));
	CHECK_EQ(peer.pid, init);
	CHECK_EQ(wait_status(init), 0);
}

CASE(proc_shows_the_namespace_of_its_mount, "pid_namespaces(7)")
{
	pid_t init;

	NEEDS_ROOT();
	CHECK_OK(mkdir("proc", 0755));
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	init = fork_init();
	if (init == 0) {
		char target[64] = "";
		const char *status;

		CHECK_OK(mount("proc", "proc", "proc", 0, NULL));
		CHECK_EQ(readlink("proc/self", target, sizeof(target)), 1);
		CHECK_STREQ(target, "1");
		status = text_of("proc/self/status");
		CHECK(strstr(status, "\nPid:\t1\n"));
		CHECK(strstr(status, "\nPPid:\t0\n"));
		CHECK(strstr(status, "\nNSpid:\t1\n"));
		CHECK(strncmp(text_of("proc/1/stat"), "1 (", 3) == 0);
		/* by the mount outside it has its number there, then the one here */
		status = text_of("/proc/self/status");
		CHECK(strstr(status, "\t1\nNSpgid"));
		CHECK(!strstr(status, "\nPid:\t1\n"));
		CHECK_ERR(access("proc/2", F_OK), ENOENT);
		_exit(0);
	}
	CHECK_EQ(wait_status(init), 0);
}

static int mutex_word;

INIT_CASE(pi_futex_holds_the_number_of_the_namespace, "futex(2)", NEEDS_NAMESPACES, 0)
{
	CHECK_OK(syscall(SYS_futex, &mutex_word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	CHECK_EQ(mutex_word, 1);
	CHECK_ERR(syscall(SYS_futex, &mutex_word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EDEADLK);
	CHECK_OK(syscall(SYS_futex, &mutex_word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
}

INIT_CASE(last_number_may_be_set, "pid_namespaces(7)", NEEDS_ROOT, 0)
{
	int fd = CHECK_OK(open("/proc/sys/kernel/ns_last_pid", O_WRONLY));
	pid_t child;

	CHECK_EQ(write(fd, "99", 2), 2);
	child = fork();
	if (child == 0)
		_exit(0);
	CHECK_EQ(child, 100);
	CHECK_EQ(wait_status(child), 0);
}

CASE(nesting_ends_at_32_levels, "pid_namespaces(7)")
{
	pid_t child;

	NEEDS_ROOT();
	child = fork_child();
	if (child == 0) {
		for (int depth = 0; depth < 40; depth++) {
			child = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
			if (child == -1)
				_exit(errno == ENOSPC ? 100 + depth : errno);
			if (child) {
				int status;

				if (waitpid(child, &status, 0) != child)
					_exit(99);
				_exit(WEXITSTATUS(status));
			}
		}
		_exit(98);
	}
	int status = wait_status(child);
	CHECK(WEXITSTATUS(status) > 128 && WEXITSTATUS(status) <= 132);
}

INIT_CASE(its_end_waits_for_no_zombie_whose_parent_it_kills, "pid_namespaces(7)", NEEDS_NAMESPACES, 3)
{
	int ready[2];
	char byte;

	CHECK_OK(pipe(ready));
	if (fork() == 0) {
		siginfo_t info;
		pid_t zombie = fork();

		if (zombie == 0)
			_exit(0);
		waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT);
		if (write(ready[1], "x", 1) == 1)
			for (;;)
				pause();
	}
	CHECK_EQ(read(ready[0], &byte, 1), 1);
}

INIT_CASE(its_end_waits_for_no_child_that_signals_otherwise, "pid_namespaces(7)", NEEDS_NAMESPACES, 3)
{
	for (int i = 0; i < 3; i++) {
		static const int signals[] = { 0, SIGUSR1, SIGCHLD };

		/* At its end a child sends no signal, or another one: nothing that SIGCHLD's action says is for it. */
		if (syscall(SYS_clone, (long)signals[i], 0, 0, 0, 0) == 0)
			for (;;)
				pause();
	}
}
