/* inotify(7): which events tell of what. */
#include "harness.h"
#include "fixtures.h"
#include "inotify.h"

#include <limits.h>
#include <pthread.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/xattr.h>

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

static void make_a_file(int signo)
{
	(void)signo;
	put_file("late", "");
}

CASE(read_of_no_bytes_waits_for_an_event_and_finds_no_room, "inotify(7)")
{
	struct itimerval soon = { .it_value.tv_usec = 20000 };
	int fd = CHECK_OK(inotify_init1(IN_NONBLOCK));
	char byte;

	CHECK_OK(inotify_add_watch(fd, ".", IN_CREATE));
	CHECK_ERR(read(fd, &byte, 0), EAGAIN);
	CHECK_ERR(read(fd, &byte, 1), EAGAIN);
	put_file("file", "");
	CHECK_ERR(read(fd, &byte, 0), EINVAL);
	CHECK_ERR(read(fd, &byte, 1), EINVAL);
	CHECK_STREQ(events(fd), "1:create/file");
	CHECK_OK(fcntl(fd, F_SETFL, 0));
	handle(SIGALRM, make_a_file, SA_RESTART);
	CHECK_OK(setitimer(ITIMER_REAL, &soon, NULL));
	CHECK_ERR(read(fd, &byte, 0), EINVAL);
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
