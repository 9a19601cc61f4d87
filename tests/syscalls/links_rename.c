/* Names of files: link, symlink, unlink, rename. Directories: dirs_getdents.c. */
#include "harness.h"
#include "fixtures.h"

static bool exists(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

CASE(link_adds_a_name_for_the_same_file, "link(2)")
{
	struct stat status;

	put_file("first", "shared");
	CHECK_OK(link("first", "second"));
	CHECK_STREQ(text_of("second"), "shared");
	CHECK_OK(unlink("first"));
	CHECK_OK(stat("second", &status));
	CHECK_EQ(status.st_nlink, 1);
}

CASE(link_errors, "link(2)")
{
	put_file("file", "");
	put_file("other", "");
	CHECK_OK(mkdir("below", 0755));
	CHECK_ERR(link("file", "other"), EEXIST);
	CHECK_ERR(link("missing", "new"), ENOENT);
	CHECK_ERR(link("file", "missing/new"), ENOENT);
	CHECK_ERR(link("below", "new"), EPERM);
	CHECK_ERR(link("file", "other/new"), ENOTDIR);
	CHECK_ERR(linkat(AT_FDCWD, "file", AT_FDCWD, "new", 0x4000000), EINVAL);
}

CASE(link_of_a_symbolic_link_links_the_link_itself, "link(2)")
{
	char target[10];

	put_file("file", "");
	CHECK_OK(symlink("file", "symbolic"));
	CHECK_OK(link("symbolic", "hard"));
	CHECK_EQ(readlink("hard", target, sizeof(target)), 4);
	CHECK_OK(linkat(AT_FDCWD, "symbolic", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
	CHECK_ERR(readlink("followed", target, sizeof(target)), EINVAL);
}

CASE(readlink_truncates_without_terminating, "readlink(2)")
{
	char target[10] = "xxxxxxxxx";

	CHECK_OK(symlink("abcdef", "link"));
	CHECK_EQ(readlink("link", target, 3), 3);
	CHECK(memcmp(target, "abcxxx", 6) == 0);
	CHECK_EQ(readlink("link", target, 10), 6);
	CHECK_ERR(readlink("link", target, 0), EINVAL);
	CHECK_ERR(readlink("missing", target, 10), ENOENT);
	CHECK_ERR(readlink(".", target, 10), EINVAL);
	CHECK_ERR(syscall(SYS_readlink, "link", unmapped(), 10), EFAULT);
}

CASE(symlink_errors, "symlink(2)")
{
	put_file("file", "");
	CHECK_ERR(symlink("any", "file"), EEXIST);
	CHECK_ERR(symlink("", "new"), ENOENT);
	CHECK_ERR(symlink("any", ""), ENOENT);
	CHECK_ERR(symlink("any", "missing/new"), ENOENT);
	CHECK_ERR(symlink("any", "file/new"), ENOTDIR);
}

CASE(unlink_removes_the_link_not_its_target, "unlink(2)")
{
	put_file("file", "");
	CHECK_OK(symlink("file", "link"));
	CHECK_OK(unlink("link"));
	CHECK(exists("file"));
	CHECK(!exists("link"));
}

CASE(unlink_errors, "unlink(2)")
{
	CHECK_OK(mkdir("below", 0755));
	put_file("file", "");
	CHECK_ERR(unlink("missing"), ENOENT);
	CHECK_ERR(unlink("below"), EISDIR);
	CHECK_ERR(unlink("file/x"), ENOTDIR);
	CHECK_ERR(unlink(""), ENOENT);
	CHECK_ERR(unlinkat(AT_FDCWD, "file", 0x1), EINVAL);
	CHECK_ERR(unlinkat(AT_FDCWD, "file", AT_REMOVEDIR), ENOTDIR);
	CHECK_OK(unlinkat(AT_FDCWD, "below", AT_REMOVEDIR));
}

CASE(sticky_directory_protects_the_files_of_others, "unlink(2)")
{
	NEEDS_ROOT();
	CHECK_OK(mkdir("sticky", 0777));
	CHECK_OK(chmod("sticky", 01777));
	put_file("sticky/file", "");
	CHECK_OK(setresuid(-1, 65534, -1));
	CHECK_ERR(unlink("sticky/file"), EPERM);
	CHECK_ERR(rename("sticky/file", "sticky/new"), EPERM);
	CHECK_OK(setresuid(-1, 0, -1));
	CHECK_OK(unlink("sticky/file"));
}

CASE(unlink_without_write_permission_on_the_directory_gives_EACCES, "unlink(2)")
{
	CHECK_OK(mkdir("closed", 0755));
	put_file("closed/file", "");
	CHECK_OK(chmod("closed", 0555));
	if (geteuid() == 0)
		CHECK_OK(setresuid(-1, 65534, -1));
	CHECK_ERR(unlink("closed/file"), EACCES);
	CHECK_ERR(open("closed/new", O_WRONLY | O_CREAT, 0600), EACCES);
	CHECK_ERR(mkdir("closed/new", 0700), EACCES);
	if (getuid() == 0)
		CHECK_OK(setresuid(-1, 0, -1));
	CHECK_OK(chmod("closed", 0755));
}

CASE(rename_replaces_an_existing_file, "rename(2)")
{
	put_file("old", "new contents");
	put_file("new", "old contents");
	CHECK_OK(rename("old", "new"));
	CHECK(!exists("old"));
	CHECK_STREQ(text_of("new"), "new contents");
}

CASE(rename_of_two_links_to_one_file_does_nothing, "rename(2)")
{
	put_file("first", "");
	CHECK_OK(link("first", "second"));
	CHECK_OK(rename("first", "second"));
	CHECK(exists("first"));
	CHECK(exists("second"));
	CHECK_OK(rename("first", "first"));
}

CASE(rename_replaces_an_empty_directory_only, "rename(2)")
{
	CHECK_OK(mkdir("source", 0755));
	put_file("source/file", "moved");
	CHECK_OK(mkdir("empty", 0755));
	CHECK_OK(mkdir("full", 0755));
	put_file("full/file", "");
	CHECK_ERR(rename("source", "full"), ENOTEMPTY);
	CHECK_OK(rename("source", "empty"));
	CHECK_STREQ(text_of("empty/file"), "moved");
}

CASE(rename_between_files_and_directories_is_refused, "rename(2)")
{
	put_file("file", "");
	CHECK_OK(mkdir("below", 0755));
	CHECK_ERR(rename("file", "below"), EISDIR);
	CHECK_ERR(rename("below", "file"), ENOTDIR);
}

CASE(rename_of_a_directory_into_itself_gives_EINVAL, "rename(2)")
{
	CHECK_OK(mkdir("top", 0755));
	CHECK_OK(mkdir("top/below", 0755));
	CHECK_ERR(rename("top", "top/below/inside"), EINVAL);
	CHECK_ERR(rename("top", "top/new"), EINVAL);
	CHECK_ERR(rename("top/below", "top"), ENOTEMPTY);
}

CASE(rename_path_errors, "rename(2)")
{
	put_file("file", "");
	CHECK_ERR(rename("missing", "new"), ENOENT);
	CHECK_ERR(rename("file", "missing/new"), ENOENT);
	CHECK_ERR(rename("file", ""), ENOENT);
	CHECK_ERR(rename("file/x", "new"), ENOTDIR);
	CHECK_ERR(rename(".", "new"), EBUSY);
	CHECK_ERR(rename("file", ".."), EBUSY);
	CHECK_ERR(rename("./.", "new"), EBUSY);
}

CASE(rename_onto_another_file_system_gives_EXDEV, "rename(2)")
{
	put_file("file", "");
	CHECK_ERR(rename("file", "/proc/file"), EXDEV);
	CHECK_ERR(link("/proc/version", "new"), EXDEV);
}

CASE(rename_moves_a_directory_with_its_contents, "rename(2)")
{
	CHECK_OK(mkdir("source", 0755));
	CHECK_OK(mkdir("target", 0755));
	CHECK_OK(mkdir("source/deep", 0755));
	put_file("source/deep/file", "here");
	CHECK_OK(rename("source/deep", "target/moved"));
	CHECK_STREQ(text_of("target/moved/file"), "here");
	CHECK_STREQ(text_of("target/moved/../moved/file"), "here");
	CHECK(!exists("source/deep"));
}

CASE(renamed_open_file_stays_open, "rename(2)")
{
	char text[4];
	int fd = make_file("old", "data");

	CHECK_OK(rename("old", "new"));
	CHECK_EQ(pread(fd, text, 4, 0), 4);
	CHECK_EQ(pwrite(fd, "DATA", 4, 0), 4);
	CHECK_STREQ(text_of("new"), "DATA");
}

CASE(RENAME_NOREPLACE_gives_EEXIST, "renameat2(2)")
{
	put_file("old", "");
	put_file("new", "");
	CHECK_ERR(renameat2(AT_FDCWD, "old", AT_FDCWD, "new", RENAME_NOREPLACE), EEXIST);
	CHECK_OK(renameat2(AT_FDCWD, "old", AT_FDCWD, "newer", RENAME_NOREPLACE));
}

static int renameat2_here(const char *old, const char *new, unsigned flags)
{
	return syscall(SYS_renameat2, AT_FDCWD, old, AT_FDCWD, new, flags);
}

CASE(RENAME_EXCHANGE_swaps_and_both_must_exist, "renameat2(2)")
{
	put_file("first", "1");
	CHECK_OK(mkdir("second", 0755));
	CHECK_OK(renameat2_here("first", "second", RENAME_EXCHANGE));
	CHECK_STREQ(text_of("second"), "1");
	CHECK_OK(rmdir("first"));
	CHECK_ERR(renameat2_here("second", "first", RENAME_EXCHANGE), ENOENT);
	CHECK_ERR(renameat2_here("second", "first", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
	CHECK_ERR(renameat2_here("second", "first", 0x100), EINVAL);
}

CASE(mknod_makes_fifos_and_regular_files, "mknod(2)")
{
	struct stat status;

	CHECK_OK(mknod("regular", S_IFREG | 0600, 0));
	CHECK_OK(mknod("implied", 0600, 0));
	CHECK_OK(mknod("fifo", S_IFIFO | 0600, 0));
	CHECK_OK(stat("implied", &status));
	CHECK(S_ISREG(status.st_mode));
	CHECK_OK(stat("fifo", &status));
	CHECK(S_ISFIFO(status.st_mode));
	CHECK_ERR(mknod("regular", S_IFREG | 0600, 0), EEXIST);
	CHECK_ERR(mknod("directory", S_IFDIR | 0600, 0), EPERM);
	CHECK_ERR(mknod("nonsense", 0170000 | 0600, 0), EINVAL);
	CHECK_ERR(mknod("regular", S_IFDIR | 0600, 0), EPERM);
	CHECK_ERR(mknod("regular", S_IFLNK | 0600, 0), EINVAL);
}

CASE(a_descriptor_of_ones_own_can_be_given_a_name, "linkat(2), AT_EMPTY_PATH")
{
	int foreign = make_file("foreign", ""), own;

	CHECK_OK(chmod(".", 0777));
	if (geteuid() == 0) {
		CHECK_OK(fchown(foreign, 65534, 65534));
		CHECK_OK(setresuid(65534, 65534, 65534));
		CHECK_ERR(linkat(foreign, "", AT_FDCWD, "third", AT_EMPTY_PATH), ENOENT);
	}
	CHECK_OK(mknod("file", S_IFREG | 0600, 0));
	own = CHECK_OK(open("file", O_RDONLY));
	CHECK_OK(linkat(own, "", AT_FDCWD, "second", AT_EMPTY_PATH));
	CHECK_ERR(linkat(own, "", AT_FDCWD, "fourth", 0), ENOENT);
	own = CHECK_OK(open("file", O_PATH));
	CHECK_OK(linkat(own, "", AT_FDCWD, "third", AT_EMPTY_PATH));
	CHECK_ERR(linkat(AT_FDCWD, "", AT_FDCWD, "fourth", AT_EMPTY_PATH), EPERM);
	CHECK_ERR(linkat(CHECK_OK(memfd_create("m", 0)), "", AT_FDCWD, "fourth", AT_EMPTY_PATH), EXDEV);
}

CASE(a_fifo_that_was_waited_for_can_be_given_a_name, "linkat(2), AT_EMPTY_PATH")
{
	pid_t child;
	int fd;

	CHECK_OK(chmod(".", 0777));
	if (geteuid() == 0)
		CHECK_OK(setresuid(65534, 65534, 65534));
	CHECK_OK(mkfifo("fifo", 0600));
	child = fork_child();
	if (child == 0)
		_exit(open("fifo", O_WRONLY) < 0);
	fd = CHECK_OK(open("fifo", O_RDONLY));
	CHECK_OK(linkat(fd, "", AT_FDCWD, "second", AT_EMPTY_PATH));
	CHECK_EXITS(child, 0);
}

CASE(whose_file_it_is_comes_before_where_the_link_would_be, "link(2), EPERM; proc_sys_fs(5)")
{
	int protects = *text_of("/proc/sys/fs/protected_hardlinks") == '1';

	NEEDS_ROOT();
	put_file("theirs", "");
	CHECK_OK(mkdir("closed", 0755));
	CHECK_OK(setresuid(-1, 65534, -1));
	CHECK_ERR(link("theirs", "closed/new"), protects ? EPERM : EACCES);
	CHECK_ERR(link("theirs", "theirs"), EEXIST);
}
