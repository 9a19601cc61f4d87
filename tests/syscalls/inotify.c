/* inotify(7). */
#include "harness.h"
#include "fixtures.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/xattr.h>

static char buffer[65536] __attribute__((aligned(8)));

/* What has happened, as "wd:NAMES[/name] ...", each event's bits in fixed order, cookies only checked in pairs. */
static const char *events(int fd)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {
		{ IN_ACCESS, "access" }, { IN_MODIFY, "modify" }, { IN_ATTRIB, "attrib" },
		{ IN_CLOSE_WRITE, "close_write" }, { IN_CLOSE_NOWRITE, "close" }, { IN_OPEN, "open" },
		{ IN_MOVED_FROM, "from" }, { IN_MOVED_TO, "to" }, { IN_CREATE, "create" },
		{ IN_DELETE, "delete" }, { IN_DELETE_SELF, "delete_self" }, { IN_MOVE_SELF, "move_self" },
		{ IN_UNMOUNT, "unmount" }, { IN_Q_OVERFLOW, "overflow" }, { IN_IGNORED, "ignored" },
		{ IN_ISDIR, "dir" },
	};
	static char text[4096];
	ssize_t length = read(fd, buffer, sizeof(buffer));
	uint32_t cookie = 0;
	size_t used = 0;

	text[0] = '\0';
	if (length == -1) {
		CHECK_EQ(errno, EAGAIN);
		return text;
	}
	for (char *at = buffer; at < buffer + length;) {
		struct inotify_event *event = (void *)at;

		used += snprintf(text + used, sizeof(text) - used, "%s%d:", used ? " " : "", event->wd);
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
			if (event->mask & names[i].bit)
				used += snprintf(text + used, sizeof(text) - used, "%s%s", names[i].name,
						 event->mask & (names[i].bit ^ -(1U << 30)) && i < 15 &&
						 event->mask & IN_ISDIR ? "+" : "");
		if (event->len)
			used += snprintf(text + used, sizeof(text) - used, "/%s", event->name);
		CHECK(used < sizeof(text));
		if (event->mask & IN_MOVED_FROM)
			cookie = event->cookie;
		if (event->mask & IN_MOVED_TO && cookie)
			CHECK_EQ(event->cookie, cookie);
		if (!(event->mask & (IN_MOVED_FROM | IN_MOVED_TO)))
			CHECK_EQ(event->cookie, 0);
		CHECK_EQ(event->len % sizeof(*event), 0);
		at += sizeof(*event) + event->len;
	}
	return text;
}

static int watching(const char *path, uint32_t mask)
{
	int fd = CHECK_OK(inotify_init1(IN_NONBLOCK));

	CHECK_EQ(inotify_add_watch(fd, path, mask), 1);
	return fd;
}

CASE(file_in_a_directory_tells_its_life, "inotify(7)")
{
	int fd = watching(".", IN_ALL_EVENTS), file;
	char byte;

	file = CHECK_OK(open("file", O_RDWR | O_CREAT, 0600));
	CHECK_STREQ(events(fd), "1:create/file 1:open/file");
	CHECK_EQ(write(file, "ab", 2), 2);
	CHECK_EQ(pwrite(file, "c", 1, 2), 1);
	CHECK_STREQ(events(fd), "1:modify/file");
	CHECK_EQ(pread(file, &byte, 1, 0), 1);
	CHECK_STREQ(events(fd), "1:access/file");
	CHECK_EQ(read(file, &byte, 1), 1);
	CHECK_EQ(read(file, &byte, 1), 0);
	CHECK_STREQ(events(fd), "1:access/file");
	CHECK_OK(close(file));
	CHECK_STREQ(events(fd), "1:close_write/file");
	file = CHECK_OK(open("file", O_RDONLY));
	CHECK_OK(close(file));
	CHECK_STREQ(events(fd), "1:open/file 1:close/file");
	CHECK_OK(unlink("file"));
	CHECK_STREQ(events(fd), "1:delete/file");
}

CASE(watched_file_tells_of_itself_without_a_name, "inotify(7)")
{
	int fd, file;

	put_file("file", "text");
	fd = watching("file", IN_ALL_EVENTS);
	file = CHECK_OK(open("file", O_RDWR | O_TRUNC));
	CHECK_STREQ(events(fd), "1:open 1:modify");
	CHECK_OK(fchmod(file, 0600));
	CHECK_OK(chown("file", -1, -1));
	CHECK_OK(ftruncate(file, 3));
	CHECK_OK(truncate("file", 2));
	CHECK_STREQ(events(fd), "1:attrib 1:modify");
	CHECK_OK(posix_fallocate(file, 0, 10));
	CHECK_OK(close(file));
	CHECK_STREQ(events(fd), "1:modify 1:close_write");
}

CASE(directory_and_file_watches_tell_both_directory_first, "inotify(7)")
{
	int fd, file;

	put_file("file", "text");
	fd = watching(".", IN_MODIFY);
	CHECK_EQ(inotify_add_watch(fd, "file", IN_MODIFY), 2);
	file = CHECK_OK(open("file", O_WRONLY));
	CHECK_EQ(write(file, "x", 1), 1);
	CHECK_STREQ(events(fd), "1:modify/file 2:modify");
}

CASE(removed_file_tells_attrib_delete_self_and_ignored, "inotify(7)")
{
	int fd;

	put_file("file", "");
	fd = watching("file", IN_ALL_EVENTS);
	CHECK_EQ(inotify_add_watch(fd, ".", IN_ALL_EVENTS), 2);
	CHECK_OK(unlink("file"));
	CHECK_STREQ(events(fd), "1:attrib 1:delete_self 1:ignored 2:delete/file");
	CHECK_ERR(inotify_rm_watch(fd, 1), EINVAL);
}

CASE(delete_self_comes_with_the_last_close, "inotify(7)")
{
	int fd, file = make_file("file", "x");

	fd = watching("file", IN_ALL_EVENTS);
	CHECK_OK(unlink("file"));
	CHECK_STREQ(events(fd), "1:attrib");
	CHECK_EQ(write(file, "y", 1), 1);
	CHECK_OK(close(file));
	CHECK_STREQ(events(fd), "1:modify 1:close_write 1:delete_self 1:ignored");
}

CASE(other_link_keeps_the_watch, "inotify(7)")
{
	int fd;

	put_file("file", "");
	fd = watching("file", IN_ALL_EVENTS);
	CHECK_EQ(inotify_add_watch(fd, ".", IN_ALL_EVENTS), 2);
	CHECK_OK(link("file", "other"));
	CHECK_STREQ(events(fd), "1:attrib 2:create/other");
	CHECK_OK(unlink("file"));
	CHECK_STREQ(events(fd), "1:attrib 2:delete/file");
	CHECK_OK(chmod("other", 0600));
	CHECK_STREQ(events(fd), "2:attrib/other 1:attrib");
}

CASE(removed_directory, "inotify(7)")
{
	int fd;

	CHECK_OK(mkdir("sub", 0700));
	fd = watching("sub", IN_ALL_EVENTS);
	CHECK_EQ(inotify_add_watch(fd, ".", IN_ALL_EVENTS), 2);
	CHECK_OK(rmdir("sub"));
	CHECK_STREQ(events(fd), "1:delete_self 1:ignored 2:delete+dir/sub");
	CHECK_OK(mkdir("sub", 0700));
	CHECK_STREQ(events(fd), "2:create+dir/sub");
}

CASE(rename_tells_both_halves_with_one_cookie, "inotify(7)")
{
	int fd;

	put_file("file", "");
	CHECK_OK(mkdir("sub", 0700));
	fd = watching(".", IN_ALL_EVENTS);
	CHECK_EQ(inotify_add_watch(fd, "sub", IN_ALL_EVENTS), 2);
	CHECK_EQ(inotify_add_watch(fd, "file", IN_ALL_EVENTS), 3);
	CHECK_OK(rename("file", "sub/other"));
	CHECK_STREQ(events(fd), "1:from/file 2:to/other 3:move_self");
	CHECK_OK(rename("sub", "dir"));
	CHECK_STREQ(events(fd), "1:from+dir/sub 1:to+dir/dir 2:move_self");
	CHECK_OK(rename("dir/other", "dir/same"));
	CHECK_STREQ(events(fd), "2:from/other 2:to/same 3:move_self");
}

CASE(rename_over_a_watched_file, "inotify(7)")
{
	int fd;

	put_file("file", "");
	put_file("old", "");
	fd = watching("old", IN_ALL_EVENTS);
	CHECK_EQ(inotify_add_watch(fd, ".", IN_ALL_EVENTS), 2);
	CHECK_OK(rename("file", "old"));
	CHECK_STREQ(events(fd), "2:from/file 2:to/old 1:attrib 1:delete_self 1:ignored");
}

CASE(exchange_tells_two_renames, "inotify(7)")
{
	int fd;

	put_file("one", "");
	CHECK_OK(mkdir("two", 0700));
	if (renameat2(AT_FDCWD, "one", AT_FDCWD, "two", RENAME_EXCHANGE) == -1)
		SKIP("no RENAME_EXCHANGE");
	fd = watching(".", IN_ALL_EVENTS);
	CHECK_OK(renameat2(AT_FDCWD, "one", AT_FDCWD, "two", RENAME_EXCHANGE));
	CHECK_STREQ(events(fd), "1:from+dir/one 1:to+dir/two 1:from/two 1:to/one");
}

CASE(directory_itself_is_read, "inotify(7)")
{
	int fd, dir;

	fd = watching(".", IN_ALL_EVENTS);
	dir = CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));
	CHECK_STREQ(events(fd), "1:open+dir");
	CHECK(syscall(SYS_getdents64, dir, buffer, sizeof(buffer)) > 0);
	CHECK_EQ(syscall(SYS_getdents64, dir, buffer, sizeof(buffer)), 0);
	CHECK_STREQ(events(fd), "1:access+dir");
	CHECK_OK(close(dir));
	CHECK_STREQ(events(fd), "1:close+dir");
}

CASE(entries_of_every_kind_are_created, "inotify(7)")
{
	int fd = watching(".", IN_CREATE | IN_DELETE);

	CHECK_OK(mkdir("dir", 0700));
	CHECK_OK(symlink("x", "link"));
	CHECK_OK(mkfifo("fifo", 0600));
	CHECK_OK(mknod("file", S_IFREG | 0600, 0));
	CHECK_STREQ(events(fd), "1:create+dir/dir 1:create/link 1:create/fifo 1:create/file");
	CHECK_OK(unlink("link"));
	CHECK_OK(unlink("fifo"));
	CHECK_STREQ(events(fd), "1:delete/link 1:delete/fifo");
}

CASE(times_tell_attrib_access_or_modify, "inotify(7)")
{
	struct timespec times[2] = { { 1, 0 }, { 0, UTIME_OMIT } };
	int fd;

	put_file("file", "");
	fd = watching("file", IN_ALL_EVENTS);
	CHECK_OK(utimensat(AT_FDCWD, "file", NULL, 0));
	CHECK_STREQ(events(fd), "1:attrib");
	CHECK_OK(utimensat(AT_FDCWD, "file", times, 0));
	CHECK_STREQ(events(fd), "1:access");
	times[1] = times[0];
	times[0].tv_nsec = UTIME_OMIT;
	CHECK_OK(utimensat(AT_FDCWD, "file", times, 0));
	CHECK_STREQ(events(fd), "1:modify");
	times[0].tv_nsec = 0;
	CHECK_OK(utimensat(AT_FDCWD, "file", times, 0));
	CHECK_STREQ(events(fd), "1:attrib");
}

CASE(attributes_tell_attrib, "inotify(7)")
{
	int fd;

	put_file("file", "");
	fd = watching("file", IN_ALL_EVENTS);
	if (setxattr("file", "user.a", "b", 1, 0) == -1)
		SKIP("no user attributes here");
	CHECK_STREQ(events(fd), "1:attrib");
	CHECK_OK(removexattr("file", "user.a"));
	CHECK_STREQ(events(fd), "1:attrib");
}

CASE(sendfile_and_writev_are_told, "inotify(7)")
{
	struct iovec part = { "xy", 2 };
	int fd, in, out;

	in = make_file("in", "text");
	out = make_file("out", "");
	fd = watching(".", IN_ACCESS | IN_MODIFY);
	CHECK_EQ(sendfile(out, in, NULL, 4), 4);
	CHECK_STREQ(events(fd), "1:access/in 1:modify/out");
	CHECK_EQ(writev(out, &part, 1), 2);
	CHECK_STREQ(events(fd), "1:modify/out");
	CHECK_EQ(copy_file_range(in, &(off_t){ 0 }, out, &(off_t){ 0 }, 4, 0), 4);
	CHECK_STREQ(events(fd), "1:access/in 1:modify/out");
}

CASE(exec_is_open_access_and_close, "inotify(7)")
{
	char program[PATH_MAX];
	int fd;
	pid_t child;

	if (readlink("/proc/self/exe", program, sizeof(program) - 1) == -1)
		SKIP("no /proc");
	fd = watching("/proc/self/exe", IN_OPEN | IN_ACCESS | IN_CLOSE_NOWRITE);
	child = fork_child();
	if (child == 0) {
		execl("/proc/self/exe", "x", "--list", NULL);
		_exit(1);
	}
	(void)child;
	CHECK_EXITS(child, 0);
	CHECK(strncmp(events(fd), "1:open 1:access", 15) == 0);
}

CASE(descriptor_that_is_duplicated_closes_once, "inotify(7)")
{
	int fd, file = make_file("file", ""), other;

	fd = watching("file", IN_CLOSE);
	other = CHECK_OK(dup(file));
	CHECK_OK(close(file));
	CHECK_STREQ(events(fd), "");
	CHECK_OK(close(other));
	CHECK_STREQ(events(fd), "1:close_write");
}

CASE(mapping_keeps_a_file_open, "inotify(7)")
{
	int fd, file = make_file("file", "text");
	char *page = CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 0));

	fd = watching("file", IN_CLOSE);
	CHECK_OK(close(file));
	CHECK_STREQ(events(fd), "");
	CHECK_OK(munmap(page, PAGE));
	CHECK_STREQ(events(fd), "1:close_write");
}

CASE(open_with_O_PATH_and_stat_tell_nothing, "inotify(7)")
{
	struct stat status;
	int fd, file;

	put_file("file", "");
	fd = watching(".", IN_ALL_EVENTS);
	file = CHECK_OK(open("file", O_PATH));
	CHECK_OK(fstat(file, &status));
	CHECK_OK(close(file));
	CHECK_OK(access("file", R_OK));
	CHECK_STREQ(events(fd), "");
}

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

CASE(fifo_transfers_are_told_to_those_who_watch_the_fifo, "inotify(7)")
{
	int fd, fifo;
	char byte;

	CHECK_OK(mkfifo("fifo", 0600));
	fd = watching(".", IN_ALL_EVENTS);
	fifo = CHECK_OK(open("fifo", O_RDWR));
	CHECK_EQ(write(fifo, "x", 1), 1);
	CHECK_EQ(read(fifo, &byte, 1), 1);
	CHECK_OK(close(fifo));
	CHECK_STREQ(events(fd), "1:open/fifo 1:close_write/fifo");
	CHECK_EQ(inotify_add_watch(fd, "fifo", IN_ACCESS | IN_MODIFY), 2);
	fifo = CHECK_OK(open("fifo", O_RDWR));
	CHECK_EQ(write(fifo, "x", 1), 1);
	CHECK_EQ(read(fifo, &byte, 1), 1);
	CHECK_STREQ(events(fd), "1:open/fifo 2:modify 2:access");
}

CASE(tmpfile_is_opened_under_its_number, "inotify(7)")
{
	int fd = watching(".", IN_CREATE | IN_CLOSE_WRITE), file;

	file = open(".", O_TMPFILE | O_RDWR, 0600);
	if (file == -1)
		SKIP("no O_TMPFILE");
	CHECK_STREQ(events(fd), "");
	CHECK_OK(close(file));
	CHECK(strncmp(events(fd), "1:close_write/#", 15) == 0);
}

static void *write_many(void *argument)
{
	int file = *(int *)argument;

	for (int i = 0; i < 50; i++)
		CHECK_EQ(write(file, "x", 1), 1);
	return NULL;
}

CASE(writes_of_another_thread_are_told, "inotify(7)")
{
	int file = make_file("file", ""), fd = watching("file", IN_MODIFY);
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, write_many, &file), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_STREQ(events(fd), "1:modify");
}
