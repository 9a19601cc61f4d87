/* open, openat, creat, close, truncate: flags and refusals. Long and winding paths: paths.c. */
#include "harness.h"
#include "fixtures.h"

#include <linux/openat2.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/timerfd.h>

CASE(open_returns_the_lowest_free_descriptor, "open(2)")
{
	int first = make_file("file", ""), second = CHECK_OK(open("file", O_RDONLY));

	CHECK_EQ(second, first + 1);
	CHECK_OK(close(first));
	CHECK_EQ(open("file", O_RDONLY), first);
}

CASE(O_CREAT_makes_a_file_with_mode_less_umask, "open(2)")
{
	struct stat status;

	umask(027);
	CHECK_OK(fstat(CHECK_OK(open("file", O_WRONLY | O_CREAT, 0666)), &status));
	CHECK_EQ(status.st_mode, S_IFREG | 0640);
	CHECK_EQ(status.st_size, 0);
	CHECK_EQ(status.st_nlink, 1);
}

CASE(O_CREAT_read_only_mode_still_gives_a_writable_descriptor, "open(2)")
{
	int fd = CHECK_OK(open("file", O_RDWR | O_CREAT, 0));

	CHECK_EQ(write(fd, "x", 1), 1);
}

CASE(O_EXCL_gives_EEXIST_even_for_a_dangling_link, "open(2)")
{
	put_file("file", "");
	CHECK_OK(symlink("nowhere", "dangling"));
	CHECK_ERR(open("file", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	CHECK_ERR(open("dangling", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	CHECK_ERR(access("nowhere", F_OK), ENOENT);
}

CASE(O_CREAT_follows_a_dangling_link, "open(2)")
{
	CHECK_OK(symlink("target", "dangling"));
	CHECK_OK(open("dangling", O_CREAT | O_RDWR, 0600));
	CHECK_OK(access("target", F_OK));
}

CASE(O_TRUNC_empties_the_file, "open(2)")
{
	struct stat status;

	put_file("file", "contents");
	CHECK_OK(fstat(CHECK_OK(open("file", O_WRONLY | O_TRUNC)), &status));
	CHECK_EQ(status.st_size, 0);
}

CASE(O_DIRECTORY_gives_ENOTDIR_for_a_file, "open(2)")
{
	put_file("file", "");
	CHECK_ERR(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));
}

CASE(directory_opened_for_writing_gives_EISDIR, "open(2)")
{
	CHECK_ERR(open(".", O_WRONLY), EISDIR);
	CHECK_ERR(open(".", O_RDWR), EISDIR);
	CHECK_ERR(open(".", O_RDONLY | O_CREAT, 0600), EISDIR);
}

CASE(O_NOFOLLOW_gives_ELOOP_for_a_link, "open(2)")
{
	put_file("file", "");
	CHECK_OK(symlink("file", "link"));
	CHECK_ERR(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_OK(open("file", O_RDONLY | O_NOFOLLOW));
}

CASE(O_PATH_allows_no_transfer, "open(2)")
{
	struct stat status;
	char byte;
	int fd;

	put_file("file", "x");
	fd = CHECK_OK(open("file", O_PATH));
	CHECK_ERR(read(fd, &byte, 1), EBADF);
	CHECK_ERR(write(fd, &byte, 1), EBADF);
	CHECK_ERR(fchmod(fd, 0600), EBADF);
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_size, 1);
}

CASE(O_PATH_with_O_NOFOLLOW_opens_the_link_itself, "open(2)")
{
	struct stat status;
	char target[10];
	int fd;

	CHECK_OK(symlink("nowhere", "link"));
	fd = CHECK_OK(open("link", O_PATH | O_NOFOLLOW));
	CHECK_OK(fstat(fd, &status));
	CHECK(S_ISLNK(status.st_mode));
	CHECK_EQ(readlinkat(fd, "", target, sizeof(target)), 7);
}

CASE(O_CLOEXEC_sets_the_descriptor_flag, "open(2)")
{
	CHECK_EQ(fcntl(CHECK_OK(open(".", O_RDONLY | O_CLOEXEC)), F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(CHECK_OK(open(".", O_RDONLY)), F_GETFD), 0);
}

CASE(missing_file_or_directory_gives_ENOENT, "open(2)")
{
	CHECK_ERR(open("missing", O_RDONLY), ENOENT);
	CHECK_ERR(open("missing/file", O_RDWR | O_CREAT, 0600), ENOENT);
	CHECK_ERR(open("", O_RDONLY), ENOENT);
}

CASE(permission_bits_give_EACCES_to_an_ordinary_user, "open(2)")
{
	CHECK_OK(close(make_file("file", "")));
	CHECK_OK(chmod("file", 0));
	if (geteuid() == 0) {
		CHECK_OK(open("file", O_RDWR));
		CHECK_OK(chmod(".", 0777));
		CHECK_OK(setresuid(-1, 65534, -1));
	}
	CHECK_ERR(open("file", O_RDONLY), EACCES);
	CHECK_ERR(open("file", O_WRONLY), EACCES);
	if (getuid() == 0)
		CHECK_OK(setresuid(-1, 0, -1));
}

CASE(directory_without_search_permission_gives_EACCES, "path_resolution(7)")
{
	CHECK_OK(mkdir("closed", 0777));
	put_file("closed/file", "");
	CHECK_OK(chmod("closed", 0600));
	if (geteuid() == 0) {
		CHECK_OK(access("closed/file", F_OK));
		CHECK_OK(setresuid(-1, 65534, -1));
	}
	CHECK_ERR(open("closed/file", O_RDONLY), EACCES);
	if (getuid() == 0)
		CHECK_OK(setresuid(-1, 0, -1));
	CHECK_OK(chmod("closed", 0700));
}

CASE(openat_is_relative_to_the_directory, "openat(2)")
{
	int directory;

	CHECK_OK(mkdir("below", 0755));
	put_file("below/file", "inside");
	directory = CHECK_OK(open("below", O_RDONLY | O_DIRECTORY));
	CHECK_OK(openat(directory, "file", O_RDONLY));
	CHECK_OK(openat(directory, "../below/file", O_RDONLY));
	CHECK_ERR(openat(directory, "below/file", O_RDONLY), ENOENT);
	CHECK_OK(openat(-1, "/dev/null", O_RDONLY));
	CHECK_ERR(openat(-1, "file", O_RDONLY), EBADF);
	CHECK_ERR(openat(make_file("plain", ""), "file", O_RDONLY), ENOTDIR);
}

CASE(O_TMPFILE_makes_a_nameless_file_that_can_be_linked, "open(2)")
{
	struct stat status;
	char path[64];
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);

	if (fd == -1 && errno == EOPNOTSUPP)
		SKIP("the file system has no O_TMPFILE");
	CHECK_OK(fd);
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_nlink, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_OK(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_nlink, 1);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_TMPFILE, O_TMPFILE);
	CHECK_ERR(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
}

CASE(close_frees_the_descriptor_and_twice_gives_EBADF, "close(2)")
{
	int fd = make_file("file", "");

	CHECK_OK(close(fd));
	CHECK_ERR(close(fd), EBADF);
	CHECK_ERR(close(-1), EBADF);
}

CASE(RLIMIT_NOFILE_gives_EMFILE, "open(2)")
{
	struct rlimit limit;
	int fd = make_file("file", "");

	CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = fd + 2;
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	CHECK_OK(open("file", O_RDONLY));
	CHECK_ERR(open("file", O_RDONLY), EMFILE);
	CHECK_ERR(dup(fd), EMFILE);
}

CASE(truncate_shrinks_grows_and_refuses, "truncate(2)")
{
	struct stat status;
	int fd = make_file("file", "0123456789");

	CHECK_OK(truncate("file", 4));
	CHECK_STREQ(text_of("file"), "0123");
	CHECK_OK(ftruncate(fd, 6));
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_size, 6);
	CHECK_ERR(truncate("file", -1), EINVAL);
	CHECK_ERR(ftruncate(CHECK_OK(open("file", O_RDONLY)), 1), EINVAL);
	CHECK_ERR(truncate(".", 1), EISDIR);
	CHECK_ERR(truncate("missing", 1), ENOENT);
	CHECK_ERR(ftruncate(999, 1), EBADF);
}

CASE(unlinked_open_file_stays_usable, "unlink(2)")
{
	struct stat status;
	char text[3];
	int fd = make_file("file", "abc");

	CHECK_OK(unlink("file"));
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_nlink, 0);
	CHECK_EQ(pread(fd, text, 3, 0), 3);
	CHECK_ERR(open("file", O_RDONLY), ENOENT);
}

CASE(openat2_RESOLVE_BENEATH_keeps_below_the_directory, "openat2(2)")
{
	struct open_how how = { .flags = O_RDONLY, .resolve = RESOLVE_BENEATH };
	int fd;

	put_file("file", "");
	fd = syscall(SYS_openat2, AT_FDCWD, "file", &how, sizeof(how));
	if (fd == -1 && errno == ENOSYS)
		SKIP("openat2 is not there");
	CHECK_OK(fd);
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "..", &how, sizeof(how)), EXDEV);
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "/etc", &how, sizeof(how)), EXDEV);
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "file", &how, 8), EINVAL);
	how.resolve = 1ull << 40;
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "file", &how, sizeof(how)), EINVAL);
}

CASE(tmpfile_is_not_created_by_name, "open(2)")
{
	CHECK_ERR(open(".", O_TMPFILE | O_CREAT | O_RDWR, 0600), EINVAL);
	CHECK_ERR(open("none", O_TMPFILE | O_RDONLY, 0600), EINVAL);
	CHECK_ERR(open(".", (O_TMPFILE & ~O_DIRECTORY) | O_RDWR, 0600), EINVAL);
}

CASE(openat2_takes_no_access_mode_with_path, "openat2(2)")
{
	struct { uint64_t flags, mode, resolve; } how = { O_PATH | O_RDWR, 0, 0 };

	put_file("file", "");
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "file", &how, sizeof(how)), EINVAL);
	how.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW;
	CHECK_OK(syscall(SYS_openat2, AT_FDCWD, "file", &how, sizeof(how)));
}

CASE(fifo_opened_neither_to_read_nor_to_write_gives_EINVAL, "fifo(7)")
{
	CHECK_OK(mkfifo("fifo", 0600));
	CHECK_ERR(open("fifo", O_ACCMODE | O_NONBLOCK), EINVAL);
	CHECK_ERR(open("fifo", O_RDONLY | O_DIRECT | O_NONBLOCK), EINVAL);
	CHECK_ERR(open("/dev/null", O_RDONLY | O_DIRECT), EINVAL);
}

CASE(O_CREAT_through_a_link_to_a_name_with_a_slash_gives_EISDIR, "open(2)")
{
	CHECK_OK(symlink("nowhere/", "link"));
	CHECK_ERR(open("link", O_CREAT | O_RDWR, 0600), EISDIR);
	CHECK_ERR(open("link", O_RDWR), ENOENT);
	put_file("nowhere", "");
	CHECK_ERR(open("link", O_CREAT | O_RDWR, 0600), EISDIR);
	CHECK_ERR(open("link", O_RDWR), ENOTDIR);
}

CASE(O_DIRECTORY_with_O_NOFOLLOW_gives_ENOTDIR_for_a_link, "open(2)")
{
	CHECK_OK(symlink(".", "link"));
	CHECK_ERR(open("link", O_RDONLY | O_DIRECTORY | O_NOFOLLOW), ENOTDIR);
	CHECK_ERR(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
}

CASE(descriptor_is_looked_at_only_where_the_name_needs_it, "openat(2), path_resolution(7)")
{
	struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_NO_MAGICLINKS};
	struct stat status;

	CHECK_ERR(openat(-1, "", O_RDONLY), ENOENT);
	CHECK_ERR(openat(-1, "", O_CREAT | O_RDWR, 0600), ENOENT);
	CHECK_ERR(fstatat(-1, "", &status, 0), ENOENT);
	CHECK_ERR(fstatat(-1, "x", &status, 0), EBADF);
	CHECK_OK(syscall(SYS_openat2, -1, "/", &how, sizeof(how)));
	how.resolve = RESOLVE_IN_ROOT;
	CHECK_ERR(syscall(SYS_openat2, -1, "/", &how, sizeof(how)), EBADF);
	how.resolve = RESOLVE_BENEATH;
	CHECK_ERR(syscall(SYS_openat2, -1, "/", &how, sizeof(how)), EXDEV);
	how = (struct open_how){.flags = O_CREAT | O_WRONLY, .resolve = RESOLVE_NO_MAGICLINKS};
	CHECK_OK(syscall(SYS_openat2, -1, "/dev/null", &how, sizeof(how)));
}

CASE(nameless_file_gets_a_first_name_once, "linkat(2); open(2), O_TMPFILE")
{
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);

	if (fd < 0 && errno == EOPNOTSUPP)
		SKIP("the file system has no O_TMPFILE");
	CHECK_OK(fd);
	CHECK_OK(linkat(fd, "", AT_FDCWD, "name", AT_EMPTY_PATH));
	CHECK_OK(unlink("name"));
	CHECK_ERR(linkat(fd, "", AT_FDCWD, "name", AT_EMPTY_PATH), ENOENT);
	fd = CHECK_OK(open(".", O_TMPFILE | O_EXCL | O_RDWR, 0600));
	CHECK_ERR(linkat(fd, "", AT_FDCWD, "name", AT_EMPTY_PATH), ENOENT);
	fd = CHECK_OK(open("#1", O_CREAT | O_RDWR, 0600));
	CHECK_OK(unlink("#1"));
	CHECK_ERR(linkat(fd, "", AT_FDCWD, "name", AT_EMPTY_PATH), ENOENT);
}

CASE(O_PATH_descriptor_is_a_bad_one_to_calls_for_other_kinds, "open(2), O_PATH")
{
	int fd = CHECK_OK(open(".", O_PATH | O_DIRECTORY));
	struct itimerspec timer;
	char buffer[256];

	CHECK_ERR(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)), EBADF);
	CHECK_ERR(timerfd_gettime(fd, &timer), EBADF);
	CHECK_ERR(inotify_add_watch(fd, ".", IN_CREATE), EBADF);
	CHECK_ERR(inotify_rm_watch(fd, 1), EBADF);
	CHECK_ERR(setns(fd, 0), EBADF);
	CHECK_ERR(sync_file_range(fd, -1, 0, 0), EBADF);
}
