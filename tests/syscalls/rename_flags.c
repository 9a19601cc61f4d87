/* The flags of renameat2(2), and whiteouts. links_rename.c has the plain calls. */
#include "harness.h"
#include "fixtures.h"
#include "mounts.h"

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

static void become_nobody(void)
{
	if (geteuid() != 0)
		return;
	CHECK_OK(chmod(".", 0777));
	CHECK_OK(setresgid(65534, 65534, 65534));
	CHECK_OK(setresuid(65534, 65534, 65534));
}

CASE(a_whiteout_needs_no_privilege_and_belongs_to_its_maker, "rename(2)")
{
	struct stat status;

	become_nobody();
	put_file("file", "f");
	CHECK_OK(rename_with("file", "new", RENAME_WHITEOUT));
	CHECK_OK(lstat("file", &status));
	CHECK_EQ(status.st_mode, S_IFCHR);
	CHECK_EQ(status.st_rdev, 0);
	CHECK_EQ(status.st_uid, geteuid());
	CHECK_EQ(status.st_nlink, 1);
	CHECK_ERR(rename_with("file", "new", RENAME_WHITEOUT | RENAME_NOREPLACE), EEXIST);
	CHECK_OK(rename_with("file", "again", RENAME_WHITEOUT | RENAME_NOREPLACE));
	CHECK_OK(lstat("again", &status));
	CHECK_EQ(status.st_mode, S_IFCHR);
	CHECK_OK(mkdir("dir", 0755));
	CHECK_OK(rename_with("dir", "moved", RENAME_WHITEOUT));
	CHECK_OK(lstat("dir", &status));
	CHECK_EQ(status.st_mode, S_IFCHR);
}

CASE(mknod_makes_whiteouts_for_everybody, "mknod(2)")
{
	struct stat status;

	become_nobody();
	umask(0);
	CHECK_OK(mknod("whiteout", S_IFCHR | 0644, makedev(0, 0)));
	CHECK_OK(lstat("whiteout", &status));
	CHECK_EQ(status.st_mode, S_IFCHR | 0644);
	CHECK_ERR(mknod("null", S_IFCHR | 0644, makedev(1, 3)), EPERM);
	CHECK_ERR(mknod("block", S_IFBLK | 0644, makedev(0, 0)), EPERM);
	CHECK_ERR(open("whiteout", O_RDONLY), ENXIO);
}

CASE(whiteout_errors, "rename(2)")
{
	put_file("file", "f");
	CHECK_OK(mkdir("dir", 0755));
	CHECK_ERR(rename_with("missing", "new", RENAME_WHITEOUT), ENOENT);
	CHECK_ERR(rename_with("file", "dir", RENAME_WHITEOUT), EISDIR);
	CHECK_ERR(rename_with("dir", "file", RENAME_WHITEOUT), ENOTDIR);
	CHECK_ERR(rename_with("dir", "dir/inner", RENAME_WHITEOUT), EINVAL);
	CHECK_ERR(rename_with(".", "new", RENAME_WHITEOUT), EBUSY);
	CHECK_OK(rename_with("file", "file", RENAME_WHITEOUT));
	CHECK_STREQ(text_of("file"), "f");
	CHECK_OK(link("file", "link"));
	CHECK_OK(rename_with("file", "link", RENAME_WHITEOUT));
	CHECK_STREQ(text_of("file"), "f");
}

CASE(exchange_looks_at_each_name_s_own_slash, "rename(2)")
{
	put_file("file", "f");
	CHECK_OK(mkdir("dir", 0755));
	CHECK_ERR(rename_with("file/", "dir", RENAME_EXCHANGE), ENOTDIR);
	CHECK_ERR(rename_with("dir", "file/", RENAME_EXCHANGE), ENOTDIR);
	CHECK_OK(rename_with("file", "dir/", RENAME_EXCHANGE));
	CHECK_STREQ(text_of("dir"), "f");
}

CASE(no_flag_crosses_mounts, "rename(2)")
{
	PRIVATE_MOUNTS();
	directory("one");
	directory("two");
	tmpfs_on("one");
	tmpfs_on("two");
	put_file("one/a", "");
	put_file("two/b", "");
	CHECK_ERR(rename_with("one/a", "two/c", RENAME_NOREPLACE), EXDEV);
	CHECK_ERR(rename_with("one/a", "two/b", RENAME_NOREPLACE), EXDEV);
	CHECK_ERR(rename_with("one/a", "two/b", RENAME_EXCHANGE), EXDEV);
	CHECK_ERR(rename_with("one/a", "two/c", RENAME_WHITEOUT), EXDEV);
	CHECK_OK(umount("two"));
	CHECK_OK(mount("one", "two", NULL, MS_BIND, NULL));
	CHECK_ERR(rename_with("one/a", "two/a", RENAME_EXCHANGE), EXDEV);
	put_file("file", "");
	CHECK_ERR(rename_with("one", "file", RENAME_EXCHANGE), EBUSY);
	CHECK_ERR(rename_with("file", "one", RENAME_EXCHANGE), EBUSY);
	CHECK_ERR(rename_with("one", "three", RENAME_WHITEOUT), EBUSY);
	CHECK_ERR(rename_with("file", "one", RENAME_NOREPLACE), EEXIST);
}

CASE(sticky_directories_keep_what_is_not_one_s_own, "rename(2)")
{
	NEEDS_ROOT();
	CHECK_OK(mkdir("sticky", 0));
	CHECK_OK(chmod("sticky", 01777));
	put_file("sticky/others", "");
	put_file("sticky/own", "");
	CHECK_OK(chown("sticky/own", 65534, 65534));
	become_nobody();
	CHECK_ERR(rename_with("sticky/others", "sticky/new", RENAME_NOREPLACE), EPERM);
	CHECK_ERR(rename_with("sticky/others", "sticky/new", RENAME_WHITEOUT), EPERM);
	CHECK_ERR(rename_with("sticky/own", "sticky/others", RENAME_EXCHANGE), EPERM);
	CHECK_ERR(rename_with("sticky/others", "sticky/own", RENAME_EXCHANGE), EPERM);
	CHECK_ERR(rename_with("sticky/own", "sticky/others", 0), EPERM);
	CHECK_OK(rename_with("sticky/own", "sticky/new", RENAME_WHITEOUT));
}

CASE(an_overlay_makes_no_whiteouts_of_its_own, "mount(8)")
{
	PRIVATE_MOUNTS();
	directory("lower");
	directory("upper");
	directory("work");
	directory("all");
	put_file("lower/file", "f");
	CHECK_OK(mount("overlay", "all", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work"));
	CHECK_ERR(rename_with("all/file", "all/new", RENAME_WHITEOUT), EINVAL);
	CHECK_ERR(mknod("all/whiteout", S_IFCHR, makedev(0, 0)), EPERM);
	CHECK_OK(rename_with("all/file", "all/new", RENAME_NOREPLACE));
}
