/* fork, vfork and what the child inherits, copies and does not get. Threads: clone_threads.c. */
#include "harness.h"
#include "fixtures.h"

#include <linux/sched.h>

static int datum = 1;

CASE(fork_copies_data_privately, "fork(2)")
{
	pid_t child = fork_child();

	if (child == 0) {
		datum = 2;
		_exit(datum == 2 ? 0 : 1);
	}
	CHECK_EXITS(child, 0);
	CHECK_EQ(datum, 1);
}

CASE(fork_copies_private_mappings, "fork(2)")
{
	char *page = map_pages(1, MAP_PRIVATE);
	pid_t child;

	page[0] = 'p';
	child = fork_child();
	if (child == 0) {
		char seen = page[0];

		page[0] = 'c';
		_exit(seen);
	}
	CHECK_EXITS(child, 'p');
	CHECK_EQ(page[0], 'p');
}

CASE(fork_shares_shared_anonymous_mappings, "mmap(2)")
{
	char *page = map_pages(1, MAP_SHARED);
	pid_t child = fork_child();

	if (child == 0) {
		page[0] = 'c';
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_EQ(page[0], 'c');
}

CASE(fork_shares_the_file_offset, "fork(2)")
{
	int fd = make_file("file", "0123456789");
	pid_t child = fork_child();

	if (child == 0)
		_exit(lseek(fd, 4, SEEK_SET) == 4 ? 0 : 1);
	CHECK_EXITS(child, 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
}

CASE(fork_copies_the_descriptor_table, "fork(2)")
{
	int fd = make_file("file", "");
	pid_t child = fork_child();

	if (child == 0)
		_exit(close(fd) == 0 ? 0 : 1);
	CHECK_EXITS(child, 0);
	CHECK_OK(fcntl(fd, F_GETFD));
}

CASE(fork_copies_the_working_directory, "fork(2)")
{
	char before[4096], after[4096];
	pid_t child;

	CHECK_OK(mkdir("below", 0755));
	CHECK(getcwd(before, sizeof(before)));
	child = fork_child();
	if (child == 0)
		_exit(chdir("below") == 0 ? 0 : 1);
	CHECK_EXITS(child, 0);
	CHECK(getcwd(after, sizeof(after)));
	CHECK_STREQ(after, before);
}

CASE(fork_clears_pending_signals_in_the_child, "fork(2)")
{
	sigset_t set, pending;
	pid_t child;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_OK(raise(SIGUSR1));
	child = fork_child();
	if (child == 0) {
		sigpending(&pending);
		_exit(sigismember(&pending, SIGUSR1));
	}
	CHECK_EXITS(child, 0);
	CHECK_OK(sigpending(&pending));
	CHECK_EQ(sigismember(&pending, SIGUSR1), 1);
}

CASE(fork_inherits_the_signal_mask, "sigprocmask(2)")
{
	sigset_t set;
	pid_t child;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	child = fork_child();
	if (child == 0) {
		sigemptyset(&set);
		sigprocmask(SIG_BLOCK, NULL, &set);
		_exit(sigismember(&set, SIGUSR2));
	}
	CHECK_EXITS(child, 1);
}

CASE(fork_inherits_signal_handlers, "fork(2)")
{
	pid_t child;

	handle(SIGUSR1, count_signal, 0);
	child = fork_child();
	if (child == 0) {
		raise(SIGUSR1);
		_exit(signals_seen);
	}
	CHECK_EXITS(child, 1);
	CHECK_EQ(signals_seen, 0);
}

CASE(fork_does_not_inherit_interval_timers, "fork(2)")
{
	struct itimerval long_from_now = { { 0, 0 }, { 1000, 0 } }, seen;
	pid_t child;

	CHECK_OK(setitimer(ITIMER_REAL, &long_from_now, NULL));
	child = fork_child();
	if (child == 0) {
		getitimer(ITIMER_REAL, &seen);
		_exit(seen.it_value.tv_sec != 0 || seen.it_value.tv_usec != 0);
	}
	CHECK_EXITS(child, 0);
	still();
}

CASE(fork_of_many_children_gives_distinct_pids, "fork(2)")
{
	enum { CHILDREN = 20 };
	pid_t children[CHILDREN];

	for (int i = 0; i < CHILDREN; i++) {
		children[i] = fork_child();
		if (children[i] == 0)
			_exit(i);
		for (int j = 0; j < i; j++)
			CHECK(children[i] != children[j]);
	}
	for (int i = 0; i < CHILDREN; i++)
		CHECK_EXITS(children[i], i);
}

CASE(vfork_suspends_the_parent_until_the_child_exits, "vfork(2)")
{
	volatile int *flag = map_pages(1, MAP_SHARED);
	pid_t child = vfork();

	if (child == 0) {
		for (int i = 0; i < 100; i++)
			syscall(SYS_sched_yield);
		*flag = 1;
		_exit(3);
	}
	CHECK_EQ(*flag, 1);
	CHECK_EXITS(child, 3);
}

CASE(vfork_child_shares_the_memory_of_its_parent, "vfork(2)")
{
	static volatile int shared;
	pid_t child = vfork();

	if (child == 0) {
		shared = 5;
		_exit(0);
	}
	CHECK_EQ(shared, 5);
	CHECK_EXITS(child, 0);
}

CASE(vfork_suspends_the_parent_until_the_child_execs, "vfork(2)")
{
	char *arguments[] = { "sh", "-c", "exit 9", NULL };
	pid_t child = vfork();

	if (child == 0) {
		execv("/bin/sh", arguments);
		_exit(127);
	}
	CHECK_EXITS(child, 9);
}

CASE(clone_with_no_exit_signal_is_waited_for_with_WCLONE, "clone(2)")
{
	int status;
	pid_t child = CHECK_OK(syscall(SYS_clone, 0, 0, 0, 0, 0));

	if (child == 0)
		_exit(4);
	CHECK_ERR(waitpid(child, &status, 0), ECHILD);
	CHECK_EQ(waitpid(child, &status, __WCLONE), child);
	CHECK_EQ(WEXITSTATUS(status), 4);
}

CASE(clone_parent_settid_and_child_settid_store_the_tid, "clone(2)")
{
	pid_t in_parent = 0, in_child = 0;
	pid_t child = CHECK_OK(syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0,
				       &in_parent, &in_child, 0));

	if (child == 0)
		_exit(in_child == getpid() ? 0 : 1);
	CHECK_EXITS(child, 0);
	CHECK_EQ(in_parent, child);
	CHECK_EQ(in_child, 0);
}

CASE(clone3_returns_a_child_like_fork, "clone3(2)")
{
	struct clone_args arguments = { .exit_signal = SIGCHLD };
	long child = CHECK_OK(syscall(SYS_clone3, &arguments, sizeof(arguments)));

	if (child == 0)
		_exit(6);
	CHECK_EXITS(child, 6);
}

CASE(clone3_with_a_wrong_size_or_signal_gives_EINVAL, "clone3(2)")
{
	struct clone_args arguments = { .exit_signal = SIGCHLD };

	CHECK_ERR(syscall(SYS_clone3, &arguments, 8), EINVAL);
	CHECK_ERR(syscall(SYS_clone3, &arguments, 2 * PAGE), E2BIG);
	CHECK_ERR(syscall(SYS_clone3, unmapped(), sizeof(arguments)), EFAULT);
	arguments.exit_signal = 65;
	CHECK_ERR(syscall(SYS_clone3, &arguments, sizeof(arguments)), EINVAL);
}

CASE(clone_thread_without_sighand_or_vm_gives_EINVAL, "clone(2)")
{
	CHECK_ERR(syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_clone, CLONE_THREAD | CLONE_SIGHAND, 0, 0, 0, 0), EINVAL);
}

CASE(clone_files_shares_the_descriptor_table, "clone(2)")
{
	int fd = make_file("file", "");
	pid_t child = CHECK_OK(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));

	if (child == 0)
		_exit(close(fd) == 0 ? 0 : 1);
	CHECK_EXITS(child, 0);
	CHECK_ERR(fcntl(fd, F_GETFD), EBADF);
}

CASE(clone_fs_shares_working_directory_and_umask, "clone(2)")
{
	char here[4096];
	pid_t child;

	CHECK_OK(mkdir("below", 0755));
	umask(022);
	child = CHECK_OK(syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0));
	if (child == 0) {
		umask(0123);
		_exit(chdir("below") == 0 ? 0 : 1);
	}
	CHECK_EXITS(child, 0);
	CHECK(getcwd(here, sizeof(here)));
	CHECK_STREQ(strrchr(here, '/'), "/below");
	CHECK_EQ(umask(022), 0123);
}
