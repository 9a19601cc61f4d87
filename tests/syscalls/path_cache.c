/*
 * Names that were looked up before: what has changed since is seen at once (path_resolution(7)).
 * Each case asks twice, so that the second answer may come from a cache.
 */
#include "harness.h"
#include "fixtures.h"

#include <grp.h>
#include <sys/resource.h>

#define NOBODY 65534

static struct stat status;

static void exists(const char *path)
{
	CHECK_OK(stat(path, &status));
	CHECK_OK(stat(path, &status));
	CHECK_OK(access(path, F_OK));
	CHECK_OK(close(CHECK_OK(open(path, O_RDONLY))));
}

static void is_missing(const char *path)
{
	for (int i = 0; i < 2; i++) {
		CHECK_ERR(stat(path, &status), ENOENT);
		CHECK_ERR(lstat(path, &status), ENOENT);
		CHECK_ERR(access(path, F_OK), ENOENT);
		CHECK_ERR(open(path, O_RDONLY), ENOENT);
		CHECK_ERR(readlink(path, (char[1]){0}, 1), ENOENT);
	}
}

CASE(name_that_was_missing_is_found_once_it_is_made, "path_resolution(7)")
{
	is_missing("file");
	put_file("file", "first");
	exists("file");
	CHECK_OK(unlink("file"));
	is_missing("file");
	is_missing("file/below");
	CHECK_OK(mkdir("file", 0700));
	exists("file");
	is_missing("file/below");
	put_file("file/below", "");
	exists("file/below");
	CHECK_OK(unlink("file/below"));
	CHECK_OK(rmdir("file"));
	is_missing("file");
}

CASE(renamed_directory_takes_its_names_along, "rename(2)")
{
	CHECK_OK(mkdir("old", 0700));
	CHECK_OK(mkdir("old/deep", 0700));
	put_file("old/deep/file", "text");
	exists("old/deep/file");
	is_missing("new/deep/file");
	int dir = CHECK_OK(open("old/deep", O_RDONLY | O_DIRECTORY));
	CHECK_OK(rename("old", "new"));
	is_missing("old/deep/file");
	CHECK_STREQ(text_of("new/deep/file"), "text");
	CHECK_OK(fstatat(dir, "file", &status, 0));
	CHECK_OK(fstatat(dir, "../deep/../../new/deep/file", &status, 0));
	CHECK_OK(rename("new/deep", "deep"));
	CHECK_OK(fstatat(dir, "../deep/file", &status, 0));
	CHECK_ERR(fstatat(dir, "../../new", &status, 0), ENOENT);
}

CASE(name_given_to_another_file_shows_that_file, "rename(2)")
{
	struct stat other;

	put_file("one", "1");
	put_file("two", "22");
	exists("one");
	exists("two");
	CHECK_OK(stat("two", &other));
	CHECK_OK(rename("two", "one"));
	CHECK_OK(stat("one", &status));
	CHECK_EQ(status.st_ino, other.st_ino);
	CHECK_STREQ(text_of("one"), "22");
	is_missing("two");
	CHECK_OK(link("one", "two"));
	CHECK_OK(stat("two", &status));
	CHECK_EQ(status.st_nlink, 2);
}

CASE(link_that_was_replaced_leads_to_the_new_target, "symlink(7)")
{
	char target[8];

	put_file("a", "A");
	put_file("b", "B");
	CHECK_OK(symlink("a", "link"));
	CHECK_STREQ(text_of("link"), "A");
	CHECK_STREQ(text_of("link"), "A");
	CHECK_EQ(readlink("link", target, sizeof target), 1);
	CHECK_OK(symlink("b", "next"));
	CHECK_OK(rename("next", "link"));
	CHECK_STREQ(text_of("link"), "B");
	CHECK_EQ(readlink("link", target, sizeof target), 1);
	CHECK_EQ(target[0], 'b');
	CHECK_OK(unlink("b"));
	CHECK_ERR(open("link", O_RDONLY), ENOENT);
	CHECK_OK(lstat("link", &status));
	CHECK_OK(unlink("link"));
	is_missing("link");
}

CASE(permission_that_was_taken_away_is_missed_at_once, "path_resolution(7)")
{
	CHECK_OK(mkdir("dir", 0755));
	put_file("dir/file", "");
	CHECK_OK(chmod(".", 0755));
	if (geteuid() == 0)
		CHECK_OK(setresuid(-1, NOBODY, -1));
	exists("dir/file");
	if (getuid() == 0)
		CHECK_OK(setresuid(-1, 0, -1));
	CHECK_OK(chmod("dir", 0600));
	if (geteuid() == 0)
		CHECK_OK(setresuid(-1, NOBODY, -1));
	CHECK_ERR(stat("dir/file", &status), EACCES);
	CHECK_ERR(stat("dir/missing", &status), EACCES);
	CHECK_ERR(open("dir/file", O_RDONLY), EACCES);
	CHECK_ERR(open("dir/..", O_RDONLY), EACCES);
	if (getuid() == 0)
		CHECK_OK(setresuid(-1, 0, -1));
	CHECK_OK(chmod("dir", 0755));
	CHECK_OK(chmod("dir/file", 0200));
	if (geteuid() == 0)
		CHECK_OK(setresuid(-1, NOBODY, -1));
	CHECK_OK(stat("dir/file", &status));
	CHECK_ERR(open("dir/file", O_RDONLY), EACCES);
	if (getuid() == 0)
		CHECK_OK(setresuid(-1, 0, -1));
}

CASE(class_that_a_user_is_in_decides_even_if_others_may_more, "path_resolution(7)")
{
	gid_t group = 4711;

	if (geteuid() != 0)
		SKIP("needs root");
	put_file("own", "");
	put_file("grouped", "");
	put_file("granted", "");
	CHECK_OK(chown("own", NOBODY, 0));
	CHECK_OK(chmod("own", 0077));
	CHECK_OK(chown("grouped", 0, group));
	CHECK_OK(chmod("grouped", 0707));
	CHECK_OK(chown("granted", 0, group));
	CHECK_OK(chmod("granted", 0060));
	CHECK_OK(chmod(".", 0755));
	CHECK_OK(setgroups(1, &group));
	CHECK_OK(setresgid(-1, NOBODY, -1));
	CHECK_OK(setresuid(-1, NOBODY, -1));
	for (int i = 0; i < 2; i++) {
		CHECK_ERR(open("own", O_RDONLY), EACCES);
		CHECK_ERR(open("grouped", O_RDONLY), EACCES);
		CHECK_OK(close(CHECK_OK(open("granted", O_RDWR))));
	}
	CHECK_OK(setresuid(-1, 0, -1));
}

CASE(access_asks_for_the_real_user_and_AT_EACCESS_for_the_effective, "access(2)")
{
	if (geteuid() != 0)
		SKIP("needs root");
	put_file("file", "");
	CHECK_OK(chmod("file", 0600));
	CHECK_OK(setresuid(-1, NOBODY, -1));
	for (int i = 0; i < 2; i++) {
		CHECK_OK(access("file", R_OK | W_OK));
		CHECK_ERR(syscall(SYS_faccessat2, AT_FDCWD, "file", R_OK, AT_EACCESS), EACCES);
		CHECK_ERR(open("file", O_RDONLY), EACCES);
	}
	CHECK_OK(setresuid(NOBODY, 0, -1));
	CHECK_ERR(access("file", R_OK), EACCES);
	CHECK_OK(syscall(SYS_faccessat2, AT_FDCWD, "file", R_OK | W_OK, AT_EACCESS));
	CHECK_ERR(access("file", 8), EINVAL);
}

CASE(relative_name_starts_at_the_descriptor, "openat(2)")
{
	CHECK_OK(mkdir("dir", 0700));
	put_file("dir/file", "below");
	put_file("file", "above");
	int dir = CHECK_OK(open("dir", O_PATH)), file = CHECK_OK(open("file", O_RDONLY));
	struct stat above;

	CHECK_OK(stat("file", &above));
	for (int i = 0; i < 2; i++) {
		CHECK_OK(fstatat(dir, "file", &status, 0));
		CHECK_EQ(status.st_size, 5);
		CHECK(status.st_ino != above.st_ino);
		CHECK_OK(fstatat(dir, "../file", &status, 0));
		CHECK_EQ(status.st_ino, above.st_ino);
		CHECK_OK(fstatat(-1, "/dev/null", &status, 0));
		CHECK_ERR(fstatat(file, "x", &status, 0), ENOTDIR);
		CHECK_ERR(fstatat(-1, "file", &status, 0), EBADF);
		CHECK_ERR(fstatat(dir, "", &status, 0), ENOENT);
		CHECK_OK(fstatat(file, "", &status, AT_EMPTY_PATH));
		CHECK_EQ(status.st_ino, above.st_ino);
		CHECK_ERR(fstatat(-1, "", &status, AT_EMPTY_PATH), EBADF);
		CHECK_ERR(fstatat(dir, "file", &status, 0x8000), EINVAL);
	}
}

CASE(parent_of_a_mount_s_root_is_where_it_is_mounted, "path_resolution(7)")
{
	struct stat root;

	CHECK_OK(stat("/", &root));
	for (int i = 0; i < 2; i++) {
		CHECK_OK(stat("/proc/..", &status));
		CHECK_EQ(status.st_ino, root.st_ino);
		CHECK_OK(stat("/proc/../dev/../proc/..", &status));
		CHECK_EQ(status.st_ino, root.st_ino);
		CHECK_OK(stat("/../..", &status));
		CHECK_EQ(status.st_ino, root.st_ino);
	}
}

CASE(root_that_was_changed_holds_dotdot_and_absolute_links, "chroot(2)")
{
	if (geteuid() != 0)
		SKIP("needs root");
	CHECK_OK(mkdir("jail", 0755));
	CHECK_OK(mkdir("jail/dir", 0755));
	put_file("jail/file", "inside");
	put_file("file", "outside");
	CHECK_OK(symlink("/file", "jail/dir/link"));
	CHECK_OK(chmod(".", 0755));
	CHECK_ERR(access("jail/dir/link", F_OK), ENOENT);
	pid_t child = fork_child();
	if (!child) {
		CHECK_OK(chroot("jail"));
		CHECK_OK(chdir("/dir"));
		for (int i = 0; i < 2; i++) {
			CHECK_STREQ(text_of("link"), "inside");
			CHECK_STREQ(text_of("../../../file"), "inside");
		}
		_exit(0);
	}
	CHECK_EQ(wait_status(child), 0);
	CHECK_STREQ(text_of("file"), "outside");
}

CASE(O_CREAT_of_an_existing_file_only_opens_it, "open(2)")
{
	put_file("file", "kept");
	CHECK_OK(mkdir("dir", 0700));
	CHECK_OK(chmod("file", 0600));
	for (int i = 0; i < 2; i++) {
		int fd = CHECK_OK(open("file", O_RDWR | O_CREAT, 0777));
		CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | 0100000 /* O_LARGEFILE */);
		CHECK_EQ(fcntl(fd, F_GETFD), 0);
		CHECK_OK(fstat(fd, &status));
		CHECK_EQ(status.st_mode & 0777, 0600);
		CHECK_EQ(status.st_size, 4);
		CHECK_OK(close(fd));
		CHECK_ERR(open("file", O_RDWR | O_CREAT | O_EXCL, 0777), EEXIST);
		CHECK_ERR(open("dir", O_RDONLY | O_CREAT, 0777), EISDIR);
		CHECK_ERR(open("dir", O_WRONLY), EISDIR);
		CHECK_ERR(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
		CHECK_ERR(open("file/", O_RDONLY | O_CREAT, 0777), EISDIR);
	}
	CHECK_OK(symlink("made", "link"));
	CHECK_ERR(open("link", O_RDONLY), ENOENT);
	CHECK_OK(close(CHECK_OK(open("link", O_RDWR | O_CREAT, 0600))));
	exists("made");
}

CASE(opened_files_have_the_mode_that_was_asked_for, "open(2)")
{
	char c;

	put_file("file", "0");
	for (int i = 0; i < 2; i++) {
		int reader = CHECK_OK(open("file", O_RDONLY | O_CLOEXEC));
		int writer = CHECK_OK(open("file", O_WRONLY | O_APPEND));
		CHECK_EQ(fcntl(reader, F_GETFD), FD_CLOEXEC);
		CHECK_ERR(write(reader, "x", 1), EBADF);
		CHECK_ERR(read(writer, &c, 1), EBADF);
		CHECK_EQ(lseek(writer, 0, SEEK_SET), 0);
		CHECK_EQ(write(writer, "1", 1), 1);
		CHECK_EQ(fcntl(writer, F_GETFL) & (O_ACCMODE | O_APPEND), O_WRONLY | O_APPEND);
		CHECK_OK(close(reader));
		CHECK_OK(close(writer));
	}
	CHECK_STREQ(text_of("file"), "011");
}

CASE(full_table_gives_EMFILE_before_the_name_is_looked_at, "open(2)")
{
	struct rlimit limit;

	is_missing("missing");
	int fd = make_file("file", "");
	CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = fd + 1;
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	CHECK_ERR(open("missing", O_RDONLY), EMFILE);
	CHECK_ERR(open("file", O_RDONLY), EMFILE);
	CHECK_ERR(dup2(fd, fd + 1), EBADF);
	CHECK_ERR(fcntl(fd, F_DUPFD, 0), EMFILE);
	CHECK_ERR(fcntl(fd, F_DUPFD, -1), EINVAL);
}

CASE(removed_working_directory_still_has_dot_and_no_names, "rmdir(2)")
{
	CHECK_OK(mkdir("gone", 0700));
	CHECK_OK(chdir("gone"));
	exists(".");
	CHECK_OK(rmdir("../gone"));
	CHECK_OK(stat(".", &status));
	CHECK_EQ(status.st_nlink, 0);
	is_missing("file");
	is_missing("../gone");
	CHECK_ERR(open("file", O_CREAT | O_WRONLY, 0600), ENOENT);
}

CASE(answers_go_to_memory_that_is_there_or_EFAULT, "stat(2)")
{
	char *hole = unmapped();

	put_file("file", "");
	CHECK_OK(symlink("file", "link"));
	for (int i = 0; i < 2; i++) {
		CHECK_ERR(stat("file", (struct stat *)hole), EFAULT);
		CHECK_ERR(stat(hole, &status), EFAULT);
		CHECK_ERR(open(hole, O_RDONLY), EFAULT);
		CHECK_ERR(access(hole, F_OK), EFAULT);
		CHECK_ERR(readlink("link", hole, 4), EFAULT);
		CHECK_ERR(readlink("link", (char[4]){0}, 0), EINVAL);
		CHECK_ERR(readlink("file", hole, 4), EINVAL);
		CHECK_EQ(readlink("link", (char[4]){0}, 2), 2);
	}
}
