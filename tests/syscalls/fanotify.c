/* fanotify(7): groups, marks, events with descriptors and with ids, and permission events. */
#include "harness.h"
#include "fixtures.h"

#include <poll.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>

#ifndef FAN_MARK_IGNORE
#define FAN_MARK_IGNORE 0x400
#define FAN_MARK_IGNORE_SURV (FAN_MARK_IGNORE | FAN_MARK_IGNORED_SURV_MODIFY)
#endif
#ifndef FAN_REPORT_TARGET_FID
#define FAN_REPORT_TARGET_FID 0x1000
#endif

static char buffer[65536];

static int group(unsigned flags)
{
	int fd;

	NEEDS_ROOT();
	fd = fanotify_init(flags | FAN_NONBLOCK, O_RDONLY);
	if (fd == -1 && errno == ENOSYS)
		SKIP("no fanotify");
	return CHECK_OK(fd);
}

static int marking(unsigned flags, const char *path, uint64_t mask)
{
	int fd = group(flags);

	CHECK_OK(fanotify_mark(fd, FAN_MARK_ADD, mask, AT_FDCWD, path));
	return fd;
}

/* What can be read now: "mask[/name of the file][ type:name]..." of each event, separated by commas. */
static const char *events(int fd)
{
	static char text[4096];
	char *end = text, link[40], *path;
	ssize_t size = read(fd, buffer, sizeof(buffer));
	struct fanotify_event_metadata *event = (void *)buffer;

	*end = '\0';
	if (size == -1)
		return errno_name(errno);
	for (; FAN_EVENT_OK(event, size); event = FAN_EVENT_NEXT(event, size)) {
		char *info = (char *)event + event->metadata_len, *last = (char *)event + event->event_len;

		CHECK_EQ(event->vers, FANOTIFY_METADATA_VERSION);
		CHECK_EQ(event->metadata_len, FAN_EVENT_METADATA_LEN);
		end += sprintf(end, "%s%llx", end == text ? "" : ",", (unsigned long long)event->mask);
		if (event->fd >= 0) {
			char target[4096] = "";

			sprintf(link, "/proc/self/fd/%d", event->fd);
			CHECK_OK(readlink(link, target, sizeof(target) - 1));
			path = strrchr(target, '/');
			end += sprintf(end, "%s", path);
			CHECK_OK(close(event->fd));
		}
		while (info < last) {
			struct fanotify_event_info_header *head = (void *)info;

			end += sprintf(end, " %d", head->info_type);
			if (head->info_type == FAN_EVENT_INFO_TYPE_PIDFD) {
				CHECK_OK(close(*(int *)(info + 4)));
			} else {
				unsigned bytes = *(unsigned *)(info + 12);

				if (20 + bytes < head->len)
					end += sprintf(end, ":%s", info + 20 + bytes);
			}
			info += head->len;
		}
	}
	return text;
}

CASE(init_checks_its_flags, "fanotify_init(2)")
{
	CHECK_OK(close(group(0)));
	CHECK_ERR(fanotify_init(0x80000000, O_RDONLY), EINVAL);
	CHECK_ERR(fanotify_init(0, O_RDWR | O_CREAT), EINVAL);
	CHECK_ERR(fanotify_init(0, 3), EINVAL);
	CHECK_ERR(fanotify_init(FAN_CLASS_CONTENT | FAN_CLASS_PRE_CONTENT, O_RDONLY), EINVAL);
	CHECK_ERR(fanotify_init(FAN_CLASS_CONTENT | FAN_REPORT_FID, O_RDONLY), EINVAL);
	CHECK_ERR(fanotify_init(FAN_REPORT_NAME, O_RDONLY), EINVAL);
	CHECK_ERR(fanotify_init(FAN_REPORT_TARGET_FID | FAN_REPORT_DFID_NAME, O_RDONLY), EINVAL);
	CHECK_ERR(fanotify_init(FAN_REPORT_PIDFD | FAN_REPORT_TID, O_RDONLY), EINVAL);
}

CASE(unprivileged_groups_report_ids_of_inodes, "fanotify_init(2)")
{
	int fd;

	if (geteuid() == 0)
		CHECK_OK(setresuid(65534, 65534, 65534));
	CHECK_ERR(fanotify_init(0, O_RDONLY), EPERM);
	CHECK_ERR(fanotify_init(FAN_REPORT_FID | FAN_UNLIMITED_MARKS, O_RDONLY), EPERM);
	CHECK_ERR(fanotify_init(FAN_REPORT_FID | FAN_REPORT_PIDFD, O_RDONLY), EPERM);
	fd = CHECK_OK(fanotify_init(FAN_REPORT_FID, O_RDONLY));
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, AT_FDCWD, "/"), EPERM);
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_OPEN, AT_FDCWD, "/"), EPERM);
	CHECK_OK(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "/"));
}

CASE(mark_checks_its_arguments, "fanotify_mark(2)")
{
	int fd = group(0);

	put_file("file", "");
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "none"), ENOENT);
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD, 0, AT_FDCWD, "."), EINVAL);
	CHECK_ERR(fanotify_mark(fd, 0, FAN_OPEN, AT_FDCWD, "."), EINVAL);
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_REMOVE, FAN_OPEN, AT_FDCWD, "."), EINVAL);
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD, FAN_CREATE, AT_FDCWD, "."), EINVAL);
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, "."), EINVAL);
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD, 1ULL << 33, AT_FDCWD, "."), EINVAL);
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_REMOVE, FAN_OPEN, AT_FDCWD, "."), ENOENT);
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_ONLYDIR, FAN_OPEN, AT_FDCWD, "file"), ENOTDIR);
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_FLUSH | FAN_MARK_ADD, 0, AT_FDCWD, "."), EINVAL);
	CHECK_ERR(fanotify_mark(0, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "."), EINVAL);
	CHECK_ERR(fanotify_mark(-1, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "."), EBADF);
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN, -1, "x"), EBADF);
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, NULL), EBADF);
	CHECK_OK(fanotify_mark(fd, FAN_MARK_FLUSH, 0, AT_FDCWD, "."));
}

CASE(group_with_target_ids_wants_directories_for_entries, "fanotify_mark(2)")
{
	int fd = group(FAN_REPORT_DFID_NAME | FAN_REPORT_FID | FAN_REPORT_TARGET_FID);

	put_file("file", "");
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD, FAN_CREATE, AT_FDCWD, "file"), ENOTDIR);
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN | FAN_ONDIR, AT_FDCWD, "file"), ENOTDIR);
}

CASE(children_tell_with_descriptors, "fanotify(7)")
{
	int fd = marking(0, ".", FAN_OPEN | FAN_MODIFY | FAN_ACCESS | FAN_CLOSE | FAN_EVENT_ON_CHILD), file;
	char byte;

	file = CHECK_OK(open("file", O_RDWR | O_CREAT, 0600));
	CHECK_STREQ(events(fd), "20/file");
	CHECK_EQ(write(file, "ab", 2), 2);
	CHECK_STREQ(events(fd), "2/file");
	CHECK_EQ(pread(file, &byte, 1, 0), 1);
	CHECK_STREQ(events(fd), "1/file");
	CHECK_OK(close(file));
	CHECK_STREQ(events(fd), "8/file");
	CHECK_OK(close(CHECK_OK(open("file", O_RDONLY))));
	CHECK_STREQ(events(fd), "30/file");
	CHECK_STREQ(events(fd), "EAGAIN");
	CHECK_OK(mkdir("dir", 0700));
	CHECK_OK(close(CHECK_OK(open("dir", O_RDONLY))));
	CHECK_STREQ(events(fd), "EAGAIN");
}

CASE(use_of_the_given_descriptor_is_no_event, "fanotify(7)")
{
	struct fanotify_event_metadata *event = (void *)buffer;
	int fd;
	char byte;

	put_file("file", "text");
	fd = marking(0, "file", FAN_OPEN | FAN_ACCESS | FAN_CLOSE);
	CHECK_OK(close(CHECK_OK(open("file", O_RDONLY))));
	CHECK_EQ(read(fd, buffer, sizeof(buffer)), FAN_EVENT_METADATA_LEN);
	CHECK_EQ(event->pid, getpid());
	CHECK_EQ(event->mask, FAN_OPEN | FAN_CLOSE_NOWRITE);
	CHECK_EQ(read(event->fd, &byte, 1), 1);
	CHECK_EQ(byte, 't');
	CHECK_OK(close(event->fd));
	CHECK_STREQ(events(fd), "EAGAIN");
}

CASE(events_tell_who_did_it, "fanotify(7)")
{
	struct fanotify_event_metadata *event = (void *)buffer;
	int fd;
	pid_t child;

	put_file("file", "text");
	fd = marking(0, "file", FAN_OPEN);
	child = fork_child();
	if (child == 0) {
		open("file", O_RDONLY);
		_exit(0);
	}
	CHECK_EQ(wait_status(child), 0);
	CHECK_EQ(read(fd, buffer, sizeof(buffer)), FAN_EVENT_METADATA_LEN);
	CHECK_EQ(event->pid, child);
}

CASE(ids_tell_of_entries, "fanotify_init(2)")
{
	int fd = marking(FAN_REPORT_FID, ".",
			 FAN_CREATE | FAN_DELETE | FAN_MOVE | FAN_ATTRIB | FAN_ONDIR | FAN_EVENT_ON_CHILD);

	put_file("file", "");
	CHECK_STREQ(events(fd), "100 1");
	CHECK_OK(chmod("file", 0600));
	CHECK_STREQ(events(fd), "4 1");
	CHECK_OK(rename("file", "other"));
	CHECK_STREQ(events(fd), "c0 1");
	CHECK_OK(mkdir("dir", 0700));
	CHECK_STREQ(events(fd), "40000100 1");
	CHECK_OK(rmdir("dir"));
	CHECK_STREQ(events(fd), "40000200 1");
	CHECK_OK(unlink("other"));
	CHECK_STREQ(events(fd), "200 1");
}

CASE(names_tell_of_entries, "fanotify_init(2)")
{
	int fd = marking(FAN_REPORT_DFID_NAME, ".",
			 FAN_CREATE | FAN_DELETE | FAN_MOVE | FAN_OPEN | FAN_ONDIR | FAN_EVENT_ON_CHILD);

	CHECK_OK(close(CHECK_OK(open("file", O_RDWR | O_CREAT, 0600))));
	CHECK_STREQ(events(fd), "120 2:file");
	CHECK_OK(rename("file", "other"));
	CHECK_STREQ(events(fd), "40 2:file,80 2:other");
	CHECK_OK(unlink("other"));
	CHECK_STREQ(events(fd), "200 2:other");
	CHECK_OK(mkdir("dir", 0700));
	CHECK_OK(close(CHECK_OK(open("dir", O_RDONLY))));
	CHECK_STREQ(events(fd), "40000100 2:dir,40000020 2:.");
}

CASE(directory_ids_merge_entries_and_children, "fanotify_init(2)")
{
	int fd = marking(FAN_REPORT_DIR_FID, ".", FAN_CREATE | FAN_OPEN | FAN_MODIFY | FAN_EVENT_ON_CHILD), file;

	file = CHECK_OK(open("file", O_RDWR | O_CREAT, 0600));
	CHECK_STREQ(events(fd), "120 3");
	CHECK_EQ(write(file, "ab", 2), 2);
	CHECK_STREQ(events(fd), "2 1");
}

CASE(rename_tells_both_places, "fanotify_mark(2)")
{
	unsigned all = FAN_REPORT_DFID_NAME | FAN_REPORT_FID | FAN_REPORT_TARGET_FID;
	int fd = marking(all, ".", FAN_RENAME | FAN_ONDIR);

	put_file("file", "");
	CHECK_OK(mkdir("dir", 0700));
	CHECK_OK(rename("file", "other"));
	CHECK_STREQ(events(fd), "10000000 10:file 12:other 1");
	CHECK_OK(rename("other", "dir/other"));
	CHECK_STREQ(events(fd), "10000000 10:other 1");
	CHECK_OK(rename("dir/other", "file"));
	CHECK_STREQ(events(fd), "10000000 12:file 1");
}

CASE(pidfd_record_comes_last, "fanotify_init(2)")
{
	int fd;

	put_file("file", "");
	fd = marking(FAN_REPORT_DFID_NAME | FAN_REPORT_FID | FAN_REPORT_PIDFD, "file", FAN_OPEN);
	CHECK_OK(close(CHECK_OK(open("file", O_RDONLY))));
	CHECK_STREQ(events(fd), "20 2:file 1 4");
}

CASE(file_ids_are_those_of_name_to_handle_at, "fanotify_init(2)")
{
	struct fanotify_event_info_fid *info = (void *)(buffer + FAN_EVENT_METADATA_LEN);
	struct file_handle *handle = (void *)info->handle;
	struct { struct file_handle head; char bytes[128]; } wanted = { .head.handle_bytes = 128 };
	int fd, mount;

	put_file("file", "");
	fd = marking(FAN_REPORT_FID, "file", FAN_OPEN);
	CHECK_OK(close(CHECK_OK(open("file", O_RDONLY))));
	CHECK(CHECK_OK(read(fd, buffer, sizeof(buffer))) > (ssize_t)FAN_EVENT_METADATA_LEN);
	CHECK_OK(name_to_handle_at(AT_FDCWD, "file", &wanted.head, &mount, 0));
	CHECK_EQ(handle->handle_bytes, wanted.head.handle_bytes);
	CHECK_EQ(handle->handle_type, wanted.head.handle_type);
	CHECK_EQ(memcmp(handle->f_handle, wanted.head.f_handle, handle->handle_bytes), 0);
}

CASE(deleted_file_tells_at_its_end, "fanotify_mark(2)")
{
	int fd, file = make_file("file", "");

	fd = marking(FAN_REPORT_FID, "file", FAN_DELETE_SELF | FAN_MOVE_SELF);
	CHECK_OK(rename("file", "other"));
	CHECK_STREQ(events(fd), "800 1");
	CHECK_OK(unlink("other"));
	CHECK_STREQ(events(fd), "EAGAIN");
	CHECK_OK(close(file));
	CHECK_STREQ(events(fd), "400 1");
}

CASE(ignored_events_are_not_told, "fanotify_mark(2)")
{
	int fd, file;

	put_file("file", "text");
	fd = marking(0, "file", FAN_CLOSE_NOWRITE | FAN_MODIFY | FAN_OPEN);
	CHECK_OK(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_OPEN, AT_FDCWD, "file"));
	file = CHECK_OK(open("file", O_WRONLY));
	CHECK_OK(close(CHECK_OK(open("file", O_RDONLY))));
	CHECK_STREQ(events(fd), "10/file");
	CHECK_EQ(write(file, "a", 1), 1); /* ends what is ignored */
	CHECK_OK(close(CHECK_OK(open("file", O_RDONLY))));
	CHECK_STREQ(events(fd), "32/file");
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_IGNORE, FAN_OPEN, AT_FDCWD, "."), EISDIR);
	CHECK_OK(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_IGNORE_SURV, FAN_OPEN, AT_FDCWD, "file"));
	CHECK_EQ(write(file, "a", 1), 1);
	CHECK_OK(close(CHECK_OK(open("file", O_RDONLY))));
	CHECK_STREQ(events(fd), "12/file");
}

CASE(what_is_ignored_until_a_change_is_not_where_a_writer_is, "fanotify_mark(2)")
{
	int fd, file = make_file("file", "text");

	fd = marking(0, "file", FAN_OPEN);
	CHECK_OK(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_OPEN, AT_FDCWD, "file"));
	CHECK_OK(close(CHECK_OK(open("file", O_RDONLY))));
	CHECK_STREQ(events(fd), "20/file");
	CHECK_OK(close(file));
}

CASE(removed_mark_tells_nothing, "fanotify_mark(2)")
{
	int fd;

	put_file("file", "text");
	fd = marking(0, "file", FAN_OPEN | FAN_CLOSE);
	CHECK_OK(fanotify_mark(fd, FAN_MARK_REMOVE, FAN_OPEN, AT_FDCWD, "file"));
	CHECK_OK(close(CHECK_OK(open("file", O_RDONLY))));
	CHECK_STREQ(events(fd), "10/file");
	CHECK_OK(fanotify_mark(fd, FAN_MARK_REMOVE, FAN_CLOSE, AT_FDCWD, "file"));
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_REMOVE, FAN_CLOSE, AT_FDCWD, "file"), ENOENT);
	CHECK_OK(close(CHECK_OK(open("file", O_RDONLY))));
	CHECK_STREQ(events(fd), "EAGAIN");
}

CASE(exec_tells_of_its_file, "fanotify_mark(2)")
{
	int fd = marking(0, "/bin/true", FAN_OPEN_EXEC);
	pid_t child = fork_child();

	if (child == 0) {
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	CHECK_EQ(wait_status(child), 0);
	CHECK_STREQ(events(fd), "1000/true");
}

CASE(short_buffer_is_invalid, "fanotify(7)")
{
	int fd, size;

	put_file("file", "text");
	fd = marking(0, "file", FAN_OPEN);
	CHECK_ERR(read(fd, buffer, 10), EAGAIN);
	CHECK_OK(close(CHECK_OK(open("file", O_RDONLY))));
	CHECK_EQ(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0), 1);
	CHECK_OK(ioctl(fd, FIONREAD, &size));
	CHECK_EQ(size, FAN_EVENT_METADATA_LEN);
	CHECK_ERR(read(fd, buffer, 10), EINVAL);
	CHECK_STREQ(events(fd), "20/file");
	CHECK_ERR(write(fd, buffer, 8), EINVAL);
}

/* A child that answers each permission event with the next of these, then ends. */
static pid_t answer(int fd, const char *answers)
{
	pid_t child = fork_child();

	if (child)
		return child;
	for (; *answers; answers++) {
		struct fanotify_event_metadata *event = (void *)buffer;
		struct fanotify_response response;

		poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1);
		if (read(fd, buffer, FAN_EVENT_METADATA_LEN) != FAN_EVENT_METADATA_LEN)
			_exit(1);
		response.fd = event->fd;
		response.response = 77;
		if (write(fd, &response, sizeof(response)) != -1 || errno != EINVAL)
			_exit(2);
		response.fd = 4000;
		response.response = FAN_ALLOW;
		if (write(fd, &response, sizeof(response)) != -1 || errno != ENOENT)
			_exit(3);
		response.fd = event->fd;
		response.response = *answers == 'y' ? FAN_ALLOW : FAN_DENY;
		if (write(fd, &response, sizeof(response)) != sizeof(response))
			_exit(4);
		close(event->fd);
	}
	_exit(0);
}

CASE(opens_wait_for_an_answer, "fanotify(7)")
{
	int fd;
	pid_t child;

	put_file("file", "text");
	fd = marking(FAN_CLASS_CONTENT, "file", FAN_OPEN_PERM);
	child = answer(fd, "yn");
	CHECK_OK(close(CHECK_OK(open("file", O_RDONLY))));
	CHECK_ERR(open("file", O_RDONLY), EPERM);
	CHECK_EQ(wait_status(child), 0);
}

CASE(reads_wait_for_an_answer, "fanotify(7)")
{
	char byte;
	int fd, file;
	pid_t child;

	put_file("file", "text");
	fd = marking(FAN_CLASS_CONTENT, "file", FAN_ACCESS_PERM);
	file = CHECK_OK(open("file", O_RDONLY));
	child = answer(fd, "ny");
	CHECK_ERR(read(file, &byte, 1), EPERM);
	CHECK_EQ(read(file, &byte, 1), 1);
	CHECK_EQ(wait_status(child), 0);
}

CASE(end_of_the_group_allows_what_waits, "fanotify(7)")
{
	int fd;
	pid_t child;

	put_file("file", "text");
	fd = marking(FAN_CLASS_CONTENT, "file", FAN_OPEN_PERM);
	child = fork_child();
	if (child == 0) {
		close(fd);
		_exit(open("file", O_RDONLY) == -1);
	}
	CHECK_EQ(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 10000), 1);
	CHECK_OK(close(fd));
	CHECK_EQ(wait_status(child), 0);
}
