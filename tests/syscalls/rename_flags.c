/* The flags of renameat2(2), and whiteouts. links_rename.c has the plain calls. */
#include "harness.h"
#include "fixtures.h"

#include <sys/sysmacros.h>

static int rename_with(const char *old, const char *new, unsigned flags)
{
	return syscall(SYS_renameat2, AT_FDCWD, old, AT_FDCWD, new, flags);
}

CASE(exchange_swaps_files_directories_and_links, "rename(2)")
{
	char target[10] = "";

	put_file("file", "f");
	CHECK_OK(mkdir("dir", 0755));
	put_file("dir/inner", "i");
	CHECK_OK(symlink("x", "link"));
	CHECK_OK(rename_with("file", "dir", RENAME_EXCHANGE));
	CHECK_STREQ(text_of("dir"), "f");
	CHECK_STREQ(text_of("file/inner"), "i");
	CHECK_OK(rename_with("dir", "link", RENAME_EXCHANGE));
	CHECK_STREQ(text_of("link"), "f");
	CHECK_EQ(readlink("dir", target, sizeof(target)), 1);
	CHECK_OK(rename_with("link", "link", RENAME_EXCHANGE));
}

CASE(exchange_between_directories_keeps_link_counts_and_parents, "rename(2)")
{
	struct stat one, two, parent, up;

	CHECK_OK(mkdir("one", 0755));
	CHECK_OK(mkdir("two", 0755));
	CHECK_OK(mkdir("one/dir", 0755));
	put_file("two/file", "");
	CHECK_OK(rename_with("one/dir", "two/file", RENAME_EXCHANGE));
	CHECK_OK(stat("one", &one));
	CHECK_OK(stat("two", &two));
	CHECK(S_ISREG((CHECK_OK(stat("one/dir", &parent)), parent.st_mode)));
	CHECK_OK(stat("two/file/..", &up));
	CHECK_EQ(up.st_ino, two.st_ino);
	if (one.st_nlink > 1) {
		CHECK_EQ(one.st_nlink, 2);
		CHECK_EQ(two.st_nlink, 3);
	}
}

CASE(exchange_errors, "rename(2)")
{
	put_file("file", "");
	CHECK_OK(mkdir("dir", 0755));
	CHECK_OK(mkdir("dir/inner", 0755));
	CHECK_ERR(rename_with("file", "missing", RENAME_EXCHANGE), ENOENT);
	CHECK_ERR(rename_with("missing", "file", RENAME_EXCHANGE), ENOENT);
	CHECK_ERR(rename_with("dir", "dir/inner", RENAME_EXCHANGE), EINVAL);
	CHECK_ERR(rename_with("dir/inner", "dir", RENAME_EXCHANGE), EINVAL);
	CHECK_ERR(rename_with("file", "dir", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
	CHECK_ERR(rename_with("file", "dir", RENAME_EXCHANGE | RENAME_WHITEOUT), EINVAL);
	CHECK_ERR(rename_with("file", "dir", 8), EINVAL);
	CHECK_ERR(rename_with("file", ".", RENAME_EXCHANGE), EBUSY);
}

CASE(noreplace_moves_only_to_a_free_name, "rename(2)")
{
	put_file("file", "f");
	put_file("other", "o");
	CHECK_OK(mkdir("dir", 0755));
	CHECK_ERR(rename_with("file", "other", RENAME_NOREPLACE), EEXIST);
	CHECK_ERR(rename_with("file", "file", RENAME_NOREPLACE), EEXIST);
	CHECK_ERR(rename_with("dir", "file", RENAME_NOREPLACE), EEXIST);
	CHECK_ERR(rename_with("missing", "other", RENAME_NOREPLACE), ENOENT);
	CHECK_OK(rename_with("file", "dir/file", RENAME_NOREPLACE));
	CHECK_STREQ(text_of("dir/file"), "f");
	CHECK_STREQ(text_of("other"), "o");
}

CASE(whiteout_leaves_a_device_node_behind, "rename(2)")
{
	struct stat status;

	NEEDS_ROOT();
	put_file("file", "f");
	CHECK_OK(rename_with("file", "new", RENAME_WHITEOUT));
	CHECK_STREQ(text_of("new"), "f");
	CHECK_OK(lstat("file", &status));
	CHECK(S_ISCHR(status.st_mode));
	CHECK_EQ(status.st_rdev, makedev(0, 0));
	CHECK_ERR(open("file", O_RDONLY), ENXIO);
	put_file("other", "o");
	CHECK_OK(rename_with("other", "new", RENAME_WHITEOUT));
	CHECK_STREQ(text_of("new"), "o");
	CHECK_OK(unlink("file"));
	CHECK_OK(unlink("other"));
}
