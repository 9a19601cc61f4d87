/* Control groups, version 2: the tree, membership, freezing and killing. */
#include "harness.h"
#include "fixtures.h"

#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

/* The hierarchy's mount point. */
static const char *hierarchy(void)
{
	static char point[256];
	char line[1024], where[256], kind[64];
	FILE *mounts = fopen("/proc/self/mounts", "r");

	if (point[0] || !mounts)
		return point;
	while (fgets(line, sizeof(line), mounts))
		if (sscanf(line, "%*s %255s %63s", where, kind) == 2 && strcmp(kind, "cgroup2") == 0)
			strcpy(point, where);
	fclose(mounts);
	return point;
}

/* The path of a file of a group of this case's own. */
static const char *in_group(const char *group, const char *file)
{
	static char paths[4][512];
	static int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/case-%s-%d%s%s", hierarchy(), group, getpgrp(), file ? "/" : "",
		 file ? file : "");
	return path;
}

static void make_group(const char *name)
{
	NEEDS_ROOT();
	if (!hierarchy()[0])
		SKIP("no cgroup2 is mounted");
	if (mkdir(in_group(name, NULL), 0755) && errno != EEXIST)
		SKIP("no group can be made: %s", errno_name(errno));
}

static int put(const char *path, const char *text)
{
	int fd = CHECK_OK(open(path, O_WRONLY));
	int result = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1, error = errno;

	close(fd);
	errno = error;
	return result;
}

static void await_text(const char *path, const char *expected)
{
	for (int tries = 0; !strstr(text_of(path), expected); tries++) {
		if (tries > 2000)
			FAIL("%s never has \"%s\"", path, expected);
		poll(NULL, 0, 5);
	}
}

static pid_t sleeper_in(const char *group)
{
	char pid[16];
	pid_t child = fork_child();

	if (child == 0)
		for (;;)
			pause();
	snprintf(pid, sizeof(pid), "%d", child);
	CHECK_OK(put(in_group(group, "cgroup.procs"), pid));
	return child;
}

CASE(a_new_group_is_empty, "cgroups(7)")
{
	make_group("new");
	CHECK_STREQ(text_of(in_group("new", "cgroup.procs")), "");
	CHECK_STREQ(text_of(in_group("new", "cgroup.threads")), "");
	CHECK_STREQ(text_of(in_group("new", "cgroup.type")), "domain\n");
	CHECK_STREQ(text_of(in_group("new", "cgroup.events")), "populated 0\nfrozen 0\n");
	CHECK_STREQ(text_of(in_group("new", "cgroup.subtree_control")), "");
	CHECK_STREQ(text_of(in_group("new", "cgroup.max.depth")), "max\n");
	CHECK_STREQ(text_of(in_group("new", "cgroup.freeze")), "0\n");
	CHECK(strstr(text_of(in_group("new", "cgroup.stat")), "nr_descendants 0\n"));
	CHECK(strstr(text_of(in_group("new", "cpu.stat")), "usage_usec 0\nuser_usec 0\nsystem_usec 0\n"));
	CHECK_ERR(mkdir(in_group("new", NULL), 0755), EEXIST);
	CHECK_OK(rmdir(in_group("new", NULL)));
	CHECK_ERR(rmdir(in_group("new", NULL)), ENOENT);
}

CASE(only_groups_can_be_made_and_removed, "cgroups(7)")
{
	make_group("only");
	CHECK_ERR(open(in_group("only", "file"), O_CREAT | O_WRONLY, 0600), EACCES);
	CHECK_ERR(unlink(in_group("only", "cgroup.procs")), EPERM);
	CHECK_ERR(symlink("x", in_group("only", "link")), EPERM);
	CHECK_ERR(mkdir(in_group("only", "new\nline"), 0755), EINVAL);
	CHECK_ERR(rmdir(in_group("only", "absent")), ENOENT);
	CHECK_ERR(rmdir(in_group("only", "cgroup.procs")), ENOTDIR);
	CHECK_OK(rmdir(in_group("only", NULL)));
}

CASE(a_process_moves_by_its_id, "cgroups(7)")
{
	char pid[16];
	pid_t child;

	make_group("move");
	child = sleeper_in("move");
	snprintf(pid, sizeof(pid), "%d\n", child);
	CHECK_STREQ(text_of(in_group("move", "cgroup.procs")), pid);
	CHECK_STREQ(text_of(in_group("move", "cgroup.threads")), pid);
	CHECK(strstr(text_of(in_group("move", "cgroup.events")), "populated 1"));
	CHECK_ERR(rmdir(in_group("move", NULL)), EBUSY);
	end_child(child);
	CHECK_STREQ(text_of(in_group("move", "cgroup.procs")), "");
	CHECK_OK(rmdir(in_group("move", NULL)));
}

CASE(a_zero_moves_the_writer_and_children_follow, "cgroups(7)")
{
	char name[64];
	pid_t child;

	make_group("zero");
	child = fork_child();
	if (child == 0) {
		CHECK_OK(put(in_group("zero", "cgroup.procs"), "0"));
		if (fork_child() == 0) {
			snprintf(name, sizeof(name), "/case-zero-%d\n", getpgrp());
			_exit(!strstr(text_of("/proc/self/cgroup"), name));
		}
		int status;
		wait(&status);
		_exit(WEXITSTATUS(status));
	}
	CHECK_EXITS(child, 0);
	CHECK_OK(rmdir(in_group("zero", NULL)));
}

CASE(procs_errors, "cgroups(7)")
{
	make_group("errors");
	CHECK_ERR(put(in_group("errors", "cgroup.procs"), "1073741823"), ESRCH);
	CHECK_ERR(put(in_group("errors", "cgroup.procs"), "x"), EINVAL);
	CHECK_ERR(put(in_group("errors", "cgroup.procs"), "-1"), EINVAL);
	CHECK_ERR(put(in_group("errors", "cgroup.events"), "1"), EINVAL);
	CHECK_ERR(put(in_group("errors", "cgroup.subtree_control"), "+absent"), EINVAL);
	CHECK_ERR(put(in_group("errors", "cgroup.subtree_control"), "memory"), EINVAL);
	CHECK_ERR(put(in_group("errors", "cgroup.type"), "domain"), EINVAL);
	CHECK_ERR(put(in_group("errors", "cgroup.freeze"), "2"), ERANGE);
	CHECK_ERR(put(in_group("errors", "cgroup.freeze"), "x"), EINVAL);
	CHECK_ERR(put(in_group("errors", "cgroup.kill"), "0"), ERANGE);
	CHECK_ERR(put(in_group("errors", "cgroup.max.depth"), "-1"), ERANGE);
	CHECK_OK(rmdir(in_group("errors", NULL)));
}

CASE(depth_and_descendants_are_limited, "cgroups(7)")
{
	make_group("deep");
	CHECK_OK(put(in_group("deep", "cgroup.max.depth"), "0"));
	CHECK_STREQ(text_of(in_group("deep", "cgroup.max.depth")), "0\n");
	CHECK_ERR(mkdir(in_group("deep", "a"), 0755), EAGAIN);
	CHECK_OK(put(in_group("deep", "cgroup.max.depth"), "max"));
	CHECK_OK(put(in_group("deep", "cgroup.max.descendants"), "1"));
	CHECK_OK(mkdir(in_group("deep", "a"), 0755));
	CHECK_ERR(mkdir(in_group("deep", "b"), 0755), EAGAIN);
	CHECK(strstr(text_of(in_group("deep", "cgroup.stat")), "nr_descendants 1\n"));
	CHECK_ERR(rmdir(in_group("deep", NULL)), EBUSY);
	CHECK_OK(rmdir(in_group("deep", "a")));
	CHECK_OK(rmdir(in_group("deep", NULL)));
}

CASE(a_frozen_process_does_not_run, "cgroups(7)")
{
	volatile int *count = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char pid[16];
	pid_t child;
	int seen;

	make_group("freeze");
	child = fork_child();
	if (child == 0)
		for (;;)
			++*count;
	snprintf(pid, sizeof(pid), "%d", child);
	CHECK_OK(put(in_group("freeze", "cgroup.procs"), pid));
	CHECK_OK(put(in_group("freeze", "cgroup.freeze"), "1"));
	CHECK_STREQ(text_of(in_group("freeze", "cgroup.freeze")), "1\n");
	await_text(in_group("freeze", "cgroup.events"), "frozen 1");
	seen = *count;
	poll(NULL, 0, 30);
	CHECK_EQ(*count, seen);
	CHECK_OK(kill(child, SIGSTOP));
	CHECK_OK(put(in_group("freeze", "cgroup.freeze"), "0"));
	CHECK_EQ(waitpid(child, NULL, WUNTRACED), child);
	CHECK_OK(kill(child, SIGCONT));
	for (seen = *count; *count == seen;)
		poll(NULL, 0, 1);
	CHECK(strstr(text_of(in_group("freeze", "cgroup.events")), "frozen 0"));
	end_child(child);
	CHECK_OK(rmdir(in_group("freeze", NULL)));
}

CASE(a_waiting_process_freezes_and_goes_on_waiting, "cgroups(7)")
{
	int to_child[2], from_child[2];
	char byte = 'x', pid[16];
	pid_t child;

	make_group("wait");
	CHECK_OK(pipe(to_child));
	CHECK_OK(pipe(from_child));
	child = fork_child();
	if (child == 0)
		_exit(read(to_child[0], &byte, 1) != 1 || write(from_child[1], &byte, 1) != 1);
	snprintf(pid, sizeof(pid), "%d", child);
	CHECK_OK(put(in_group("wait", "cgroup.procs"), pid));
	CHECK_OK(put(in_group("wait", "cgroup.freeze"), "1"));
	await_text(in_group("wait", "cgroup.events"), "frozen 1");
	CHECK_EQ(write(to_child[1], &byte, 1), 1);
	struct pollfd answer = { from_child[0], POLLIN, 0 };
	CHECK_EQ(poll(&answer, 1, 30), 0);
	CHECK_OK(put(in_group("wait", "cgroup.freeze"), "0"));
	CHECK_EQ(read(from_child[0], &byte, 1), 1);
	CHECK_EXITS(child, 0);
	CHECK_OK(rmdir(in_group("wait", NULL)));
}

CASE(a_child_of_a_frozen_group_starts_frozen_and_can_be_killed, "cgroups(7)")
{
	pid_t child;

	make_group("tree");
	CHECK_OK(mkdir(in_group("tree", "below"), 0755));
	CHECK_OK(put(in_group("tree", "cgroup.freeze"), "1"));
	child = sleeper_in("tree");
	await_text(in_group("tree", "cgroup.events"), "frozen 1");
	CHECK(strstr(text_of(in_group("tree", "below/cgroup.events")), "frozen 1"));
	end_child(child);
	CHECK_OK(rmdir(in_group("tree", "below")));
	CHECK_OK(rmdir(in_group("tree", NULL)));
}

CASE(kill_ends_all_below, "cgroups(7)")
{
	pid_t children[3];

	make_group("kill");
	CHECK_OK(mkdir(in_group("kill", "below"), 0755));
	for (int i = 0; i < 3; i++)
		children[i] = sleeper_in("kill");
	CHECK_OK(put(in_group("kill", "cgroup.kill"), "1"));
	for (int i = 0; i < 3; i++)
		CHECK_KILLED(children[i], SIGKILL);
	await_text(in_group("kill", "cgroup.events"), "populated 0");
	CHECK_OK(rmdir(in_group("kill", "below")));
	CHECK_OK(rmdir(in_group("kill", NULL)));
}

CASE(clone_puts_a_child_into_a_group, "clone(2)")
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
	char pid[16];
	int plain = CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));
	long child;

	make_group("into");
	args.cgroup = CHECK_OK(open(in_group("into", NULL), O_RDONLY | O_DIRECTORY));
	child = syscall(SYS_clone3, &args, sizeof(args));
	if (child == 0)
		for (;;)
			pause();
	CHECK_OK(child);
	snprintf(pid, sizeof(pid), "%ld\n", child);
	CHECK_STREQ(text_of(in_group("into", "cgroup.procs")), pid);
	end_child(child);
	args.cgroup = plain;
	CHECK_ERR(syscall(SYS_clone3, &args, sizeof(args)), EBADF);
	args.cgroup = -1;
	CHECK_ERR(syscall(SYS_clone3, &args, sizeof(args)), EINVAL);
	args.cgroup = 1000;
	CHECK_ERR(syscall(SYS_clone3, &args, sizeof(args)), EBADF);
	CHECK_ERR(syscall(SYS_clone3, &args, 80), EINVAL);
	CHECK_OK(rmdir(in_group("into", NULL)));
}

/* What poll(2) tells of an open file now. */
static int polled(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN | POLLPRI };

	CHECK_OK(poll(&poll_fd, 1, 0));
	return poll_fd.revents;
}

static int changes_within(int fd, int milliseconds)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLPRI };

	return CHECK_OK(poll(&poll_fd, 1, milliseconds)) == 1 ? poll_fd.revents : 0;
}

static void read_again(int fd)
{
	char text[256];

	CHECK(pread(fd, text, sizeof(text), 0) > 0);
}

CASE(poll_tells_that_a_group_is_populated_or_empty, "cgroups(7)")
{
	char pid[16];
	pid_t child;
	int fd;

	make_group("polled");
	CHECK_OK(mkdir(in_group("polled", "below"), 0755));
	fd = CHECK_OK(open(in_group("polled", "cgroup.events"), O_RDONLY));
	CHECK_EQ(polled(fd), POLLIN | POLLPRI | POLLERR);
	read_again(fd);
	CHECK_EQ(polled(fd), POLLIN);
	child = fork_child();
	if (child == 0)
		for (;;)
			pause();
	snprintf(pid, sizeof(pid), "%d", child);
	CHECK_EQ(put(in_group("polled", "below/cgroup.procs"), pid), 0);
	CHECK_EQ(changes_within(fd, 5000), POLLPRI | POLLERR);
	read_again(fd);
	CHECK_EQ(polled(fd), POLLIN);
	CHECK_OK(kill(child, SIGKILL));
	CHECK_EQ(changes_within(fd, 5000), POLLPRI | POLLERR);
	CHECK_KILLED(child, SIGKILL);
	read_again(fd);
	CHECK_EQ(polled(fd), POLLIN);
	CHECK_OK(rmdir(in_group("polled", "below")));
	CHECK_OK(rmdir(in_group("polled", "")));
}

CASE(a_file_of_a_removed_group_is_gone_though_it_is_open, "rmdir(2), ENODEV")
{
	char text[64];
	int events, procs;

	make_group("gone");
	events = CHECK_OK(open(in_group("gone", "cgroup.events"), O_RDONLY));
	procs = CHECK_OK(open(in_group("gone", "cgroup.procs"), O_RDWR));
	read_again(events);
	CHECK_EQ(polled(events), POLLIN);
	CHECK_OK(rmdir(in_group("gone", NULL)));
	CHECK_ERR(pread(events, text, sizeof(text), 0), ENODEV);
	CHECK_ERR(read(events, text, sizeof(text)), ENODEV);
	CHECK_ERR(lseek(events, 0, SEEK_SET), ENODEV);
	CHECK_EQ(CHECK_OK(read(events, text, 0)), 0);
	CHECK_EQ(polled(events), POLLIN | POLLPRI | POLLERR);
	CHECK_ERR(read(procs, text, sizeof(text)), ENODEV);
	CHECK_ERR(write(procs, "0", 1), ENODEV);
	snprintf(text, sizeof(text), "/proc/self/fd/%d", events);
	CHECK_ERR(open(text, O_RDONLY), ENODEV);
}

CASE(epoll_tells_that_a_group_changed, "cgroups(7), epoll(7)")
{
	struct epoll_event event = { .events = EPOLLPRI | EPOLLET };
	int epoll = CHECK_OK(epoll_create1(0)), events, stat, procs, pressure;
	pid_t child;

	make_group("epoll");
	events = CHECK_OK(open(in_group("epoll", "cgroup.events"), O_RDONLY));
	read_again(events);
	CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, events, &event));
	CHECK_EQ(CHECK_OK(epoll_wait(epoll, &event, 1, 0)), 0);
	child = sleeper_in("epoll");
	CHECK_EQ(CHECK_OK(epoll_wait(epoll, &event, 1, 5000)), 1);
	CHECK_EQ(event.events, EPOLLPRI | EPOLLERR);
	CHECK_OK(kill(child, SIGKILL));
	CHECK_KILLED(child, SIGKILL);
	stat = CHECK_OK(open(in_group("epoll", "cgroup.stat"), O_RDONLY));
	CHECK_EQ(polled(stat), POLLIN | POLLPRI | POLLERR);
	CHECK_EQ(read(stat, &event, 1), 1);
	CHECK_EQ(polled(stat), POLLIN);
	procs = CHECK_OK(open(in_group("epoll", "cgroup.procs"), O_RDONLY));
	CHECK_EQ(read(procs, &event, 1), 0);
	CHECK_EQ(polled(procs), POLLIN | POLLPRI | POLLERR);
	pressure = open(in_group("epoll", "cpu.pressure"), O_RDONLY);
	if (pressure >= 0) {
		CHECK_EQ(read(pressure, &event, 1), 1);
		CHECK_EQ(polled(pressure), POLLIN | POLLPRI | POLLERR);
	}
	CHECK_OK(rmdir(in_group("epoll", "")));
}

CASE(inotify_tells_that_a_group_is_populated_frozen_or_empty, "cgroups(7)")
{
	struct inotify_event event;
	int watch = CHECK_OK(inotify_init()), number;
	pid_t child;

	make_group("watched");
	number = CHECK_OK(inotify_add_watch(watch, in_group("watched", "cgroup.events"), IN_MODIFY));
	child = sleeper_in("watched");
	CHECK(changes_within(watch, 0) == 0);
	CHECK_EQ(read(watch, &event, sizeof(event)), sizeof(event));
	CHECK_EQ(event.wd, number);
	CHECK_EQ(event.mask, IN_MODIFY);
	CHECK_EQ(put(in_group("watched", "cgroup.freeze"), "1"), 0);
	CHECK_EQ(read(watch, &event, sizeof(event)), sizeof(event));
	await_text(in_group("watched", "cgroup.events"), "populated 1\nfrozen 1\n");
	CHECK_EQ(put(in_group("watched", "cgroup.freeze"), "0"), 0);
	CHECK_EQ(read(watch, &event, sizeof(event)), sizeof(event));
	CHECK_OK(kill(child, SIGKILL));
	CHECK_EQ(read(watch, &event, sizeof(event)), sizeof(event));
	CHECK_KILLED(child, SIGKILL);
	CHECK_OK(rmdir(in_group("watched", "")));
}
