/* inotify(7): watches, the queue, limits. */
#include "harness.h"
#include "fixtures.h"
#include "mounts.h"
#include "inotify.h"

#include <poll.h>
#include <sys/ioctl.h>

CASE(mask_selects_events, "inotify(7)")
{
	int fd = watching(".", IN_CLOSE_WRITE);

	put_file("file", "x");
	CHECK_STREQ(events(fd), "1:close_write/file");
}

CASE(second_watch_of_a_file_replaces_the_mask, "inotify_add_watch(2)")
{
	int fd;

	put_file("file", "");
	fd = watching("file", IN_OPEN);
	CHECK_EQ(inotify_add_watch(fd, "./file", IN_CLOSE), 1);
	CHECK_OK(close(CHECK_OK(open("file", O_RDONLY))));
	CHECK_STREQ(events(fd), "1:close");
	CHECK_EQ(inotify_add_watch(fd, "file", IN_OPEN | IN_MASK_ADD), 1);
	CHECK_OK(close(CHECK_OK(open("file", O_RDONLY))));
	CHECK_STREQ(events(fd), "1:open 1:close");
	CHECK_ERR(inotify_add_watch(fd, "file", IN_OPEN | IN_MASK_CREATE), EEXIST);
	CHECK_ERR(inotify_add_watch(fd, "file", IN_OPEN | IN_MASK_CREATE | IN_MASK_ADD), EINVAL);
}

CASE(oneshot_watch_ends_after_one_event, "inotify(7)")
{
	int fd;

	put_file("file", "");
	fd = watching("file", IN_OPEN | IN_ONESHOT);
	CHECK_OK(close(CHECK_OK(open("file", O_RDONLY))));
	CHECK_OK(close(CHECK_OK(open("file", O_RDONLY))));
	CHECK_STREQ(events(fd), "1:open 1:ignored");
	CHECK_EQ(inotify_add_watch(fd, "file", IN_OPEN), 2);
}

CASE(excl_unlink_hides_children_without_a_name, "inotify(7)")
{
	int fd, other, file = make_file("file", "");

	fd = watching(".", IN_MODIFY | IN_EXCL_UNLINK);
	other = watching(".", IN_MODIFY);
	CHECK_EQ(write(file, "a", 1), 1);
	CHECK_OK(unlink("file"));
	CHECK_EQ(write(file, "b", 1), 1);
	CHECK_STREQ(events(fd), "1:modify/file");
	CHECK_STREQ(events(other), "1:modify/file");
	CHECK_EQ(write(file, "b", 1), 1);
	CHECK_STREQ(events(fd), "");
	CHECK_STREQ(events(other), "1:modify/file");
}

CASE(removing_a_watch_tells_ignored, "inotify_rm_watch(2)")
{
	int fd = watching(".", IN_ALL_EVENTS);

	CHECK_ERR(inotify_rm_watch(fd, 2), EINVAL);
	CHECK_ERR(inotify_rm_watch(fd, -1), EINVAL);
	CHECK_OK(inotify_rm_watch(fd, 1));
	CHECK_STREQ(events(fd), "1:ignored");
	CHECK_ERR(inotify_rm_watch(fd, 1), EINVAL);
	put_file("file", "");
	CHECK_STREQ(events(fd), "");
	CHECK_EQ(inotify_add_watch(fd, ".", IN_OPEN), 2);
}

CASE(errors_of_add_watch, "inotify_add_watch(2)")
{
	int fd = CHECK_OK(inotify_init()), file = make_file("file", "");

	CHECK_ERR(inotify_add_watch(fd, "missing", IN_OPEN), ENOENT);
	CHECK_ERR(inotify_add_watch(fd, "file/x", IN_OPEN), ENOTDIR);
	CHECK_ERR(inotify_add_watch(fd, "file", IN_OPEN | IN_ONLYDIR), ENOTDIR);
	CHECK_ERR(inotify_add_watch(fd, "file", 0), EINVAL);
	CHECK_ERR(inotify_add_watch(fd, "file", 0x00010000), EINVAL);
	CHECK_ERR(inotify_add_watch(fd, unmapped(), IN_OPEN), EFAULT);
	CHECK_ERR(inotify_add_watch(file, "file", IN_OPEN), EINVAL);
	CHECK_ERR(inotify_add_watch(999, "file", IN_OPEN), EBADF);
	CHECK_ERR(inotify_add_watch(999, "file", 0), EINVAL);
	CHECK_ERR(inotify_rm_watch(file, 1), EINVAL);
	CHECK_ERR(inotify_rm_watch(999, 1), EBADF);
	CHECK_OK(symlink("file", "link"));
	CHECK_EQ(inotify_add_watch(fd, "link", IN_OPEN), 1);
	CHECK_EQ(inotify_add_watch(fd, "file", IN_OPEN), 1);
	CHECK_EQ(inotify_add_watch(fd, "link", IN_OPEN | IN_DONT_FOLLOW), 2);
}

CASE(unreadable_file_gives_EACCES, "inotify_add_watch(2)")
{
	int fd = CHECK_OK(inotify_init());

	put_file("file", "");
	CHECK_OK(chmod("file", 0300));
	CHECK_OK(chmod(".", 0777));
	if (geteuid() == 0)
		CHECK_OK(seteuid(65534));
	CHECK_ERR(inotify_add_watch(fd, "file", IN_OPEN), EACCES);
}

CASE(flags_of_init, "inotify_init(2)")
{
	int fd;

	CHECK_ERR(inotify_init1(1), EINVAL);
	fd = CHECK_OK(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL), O_NONBLOCK);
	fd = CHECK_OK(inotify_init());
	CHECK_EQ(fcntl(fd, F_GETFL), 0);
	CHECK_ERR(write(fd, "x", 1), EBADF);
	CHECK_ERR(pread(fd, buffer, 100, 0), ESPIPE);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
}

CASE(read_needs_room_for_an_event, "inotify(7)")
{
	int fd = watching(".", IN_CREATE);
	int size = -1;

	CHECK_ERR(read(fd, buffer, sizeof(struct inotify_event)), EAGAIN);
	CHECK_OK(mkdir("directory-name", 0700));
	CHECK_OK(mkdir("a-directory-name", 0700));
	CHECK_OK(ioctl(fd, FIONREAD, &size));
	CHECK_EQ(size, 5 * (int)sizeof(struct inotify_event));
	CHECK_ERR(read(fd, buffer, sizeof(struct inotify_event)), EINVAL);
	CHECK_EQ(read(fd, buffer, 3 * sizeof(struct inotify_event)), 2 * (int)sizeof(struct inotify_event));
	CHECK_OK(ioctl(fd, FIONREAD, &size));
	CHECK_EQ(size, 3 * (int)sizeof(struct inotify_event));
	CHECK_EQ(read(fd, buffer, sizeof(buffer)), 3 * (int)sizeof(struct inotify_event));
	CHECK_OK(ioctl(fd, FIONREAD, &size));
	CHECK_EQ(size, 0);
}

CASE(poll_and_blocking_read_wait_for_an_event, "inotify(7)")
{
	int fd = CHECK_OK(inotify_init());
	struct pollfd entry = { .fd = fd, .events = POLLIN | POLLOUT };
	pid_t child;

	CHECK_EQ(inotify_add_watch(fd, ".", IN_CREATE), 1);
	CHECK_EQ(poll(&entry, 1, 0), 0);
	child = fork_child();
	if (child == 0) {
		usleep(20000);
		_exit(mkdir("new", 0700) != 0);
	}
	CHECK_EQ(poll(&entry, 1, 5000), 1);
	CHECK_EQ(entry.revents, POLLIN);
	CHECK_STREQ(events(fd), "1:create+dir/new");
	CHECK_EXITS(child, 0);
	child = fork_child();
	if (child == 0) {
		usleep(20000);
		_exit(mkdir("next", 0700) != 0);
	}
	CHECK_STREQ(events(fd), "1:create+dir/next");
	CHECK_EXITS(child, 0);
	alarm_often(count_signal, 0);
	CHECK_ERR(read(fd, buffer, sizeof(buffer)), EINTR);
	still();
}

CASE(same_event_twice_in_a_row_is_one, "inotify(7)")
{
	int fd = watching(".", IN_MODIFY | IN_ATTRIB), file = make_file("file", "");

	CHECK_EQ(write(file, "a", 1), 1);
	CHECK_EQ(write(file, "a", 1), 1);
	CHECK_OK(fchmod(file, 0600));
	CHECK_EQ(write(file, "a", 1), 1);
	CHECK_STREQ(events(fd), "1:modify/file 1:attrib/file 1:modify/file");
}

CASE(full_queue_tells_overflow_once, "inotify(7)")
{
	int fd = watching(".", IN_CREATE | IN_DELETE), count = 0, limit = atoi(text_of("/proc/sys/fs/inotify/max_queued_events"));
	struct inotify_event *last = NULL;
	ssize_t length;

	if (limit > 40000)
		SKIP("a queue of %d", limit);
	for (int i = 0; i < limit / 2 + 10; i++) {
		CHECK_OK(mkdir("d", 0700));
		CHECK_OK(rmdir("d"));
	}
	while ((length = read(fd, buffer, sizeof(buffer))) > 0)
		for (char *at = buffer; at < buffer + length; at += sizeof(*last) + last->len) {
			last = (void *)at;
			count++;
		}
	CHECK_EQ(count, limit + 1);
	CHECK_EQ(last->mask, IN_Q_OVERFLOW);
	CHECK_EQ(last->wd, -1);
	CHECK_EQ(last->len, 0);
}

CASE(instances_are_limited, "inotify_init(2)")
{
	int limit = atoi(text_of("/proc/sys/fs/inotify/max_user_instances")), made = 0, fds[1024];

	if (limit > 1000)
		SKIP("%d instances", limit);
	for (; made < limit + 1; made++)
		if ((fds[made] = inotify_init()) == -1)
			break;
	CHECK_EQ(errno, EMFILE);
	CHECK(made > 0);
	CHECK_OK(close(fds[0]));
	CHECK_OK(inotify_init());
}

CASE(watches_end_with_the_instance, "inotify(7)")
{
	int fd = watching(".", IN_CREATE), other = CHECK_OK(dup(fd));

	CHECK_OK(close(fd));
	CHECK_OK(mkdir("new", 0700));
	CHECK_STREQ(events(other), "1:create+dir/new");
	CHECK_OK(close(other));
	CHECK_OK(mkdir("next", 0700));
	fd = watching(".", IN_CREATE);
	CHECK_STREQ(events(fd), "");
}

CASE(child_shares_the_instance, "inotify(7)")
{
	int fd = watching(".", IN_CREATE);
	pid_t child;

	CHECK_OK(mkdir("new", 0700));
	child = fork_child();
	if (child == 0)
		_exit(strcmp(events(fd), "1:create+dir/new") != 0);
	CHECK_EXITS(child, 0);
	CHECK_STREQ(events(fd), "");
}

CASE(fdinfo_lists_the_watches, "proc(5)")
{
	int fd = watching(".", IN_CREATE | IN_DELETE);
	char path[64], expected[128];
	struct stat status;

	CHECK_OK(stat(".", &status));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (access(path, R_OK) == -1)
		SKIP("no /proc");
	snprintf(expected, sizeof(expected), "inotify wd:1 ino:%lx sdev:", (long)status.st_ino);
	CHECK(strstr(text_of(path), expected));
	CHECK(strstr(text_of(path), " mask:300 ignored_mask:0 fhandle-bytes:"));
}

CASE(link_of_the_descriptor_in_proc, "proc(5)")
{
	int fd = CHECK_OK(inotify_init());
	char path[64], target[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (readlink(path, target, sizeof(target) - 1) == -1)
		SKIP("no /proc");
	CHECK_STREQ(target, "anon_inode:inotify");
}

CASE(unmounting_tells_of_directories_as_such_and_the_newest_first, "inotify(7)")
{
	struct inotify_event told;
	int fd = CHECK_OK(inotify_init1(IN_NONBLOCK)), top, file;

	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_on("a");
	put_file("a/file", "");
	top = CHECK_OK(inotify_add_watch(fd, "a", IN_CREATE));
	file = CHECK_OK(inotify_add_watch(fd, "a/file", IN_OPEN));
	CHECK_OK(umount("a"));
	CHECK_EQ(read(fd, &told, sizeof(told)), sizeof(told));
	CHECK_EQ(told.wd, file);
	CHECK_EQ(told.mask, IN_UNMOUNT);
	CHECK_EQ(read(fd, &told, sizeof(told)), sizeof(told));
	CHECK_EQ(told.mask, IN_IGNORED);
	CHECK_EQ(read(fd, &told, sizeof(told)), sizeof(told));
	CHECK_EQ(told.wd, top);
	CHECK_EQ(told.mask, IN_UNMOUNT | IN_ISDIR);
}
