/* An overlay of directories, mounted by the guest. */
#include "overlay.h"

#include <sys/mman.h>

CASE(overlay_merges_its_layers, "filesystems/overlayfs.rst, Upper and Lower")
{
	OVERLAY();
	CHECK_STREQ(get("m/both"), "of a");
	CHECK_STREQ(get("m/deep"), "of b");
	CHECK_STREQ(get("m/dir/1"), "one");
	CHECK_STREQ(get("m/dir/2"), "two");
	CHECK_EQ(count("m"), 3);
	CHECK_EQ(count("m/dir"), 2);
	CHECK_EQ(count("u"), 0);
	CHECK(strstr(mountinfo("/m"), LAYERS) != NULL);
}

CASE(overlay_copies_up_what_is_written, "filesystems/overlayfs.rst, Non-directories")
{
	struct stat found;
	int fd;

	PRIVATE_MOUNTS();
	layers();
	CHECK_OK(chmod("b/dir/2", 0640));
	CHECK_OK(chown("b/dir/2", 5, 6));
	CHECK_OK(setxattr("b/dir/2", "user.note", "x", 1, 0));
	CHECK_OK(mount("overlay", "m", "overlay", 0, LAYERS));
	fd = CHECK_OK(open("m/dir/2", O_RDWR | O_APPEND));
	CHECK_EQ(write(fd, "!", 1), 1);
	CHECK_OK(fstat(fd, &found));
	CHECK_EQ(found.st_size, 4);
	CHECK_STREQ(get("m/dir/2"), "two!");
	CHECK_STREQ(get("u/dir/2"), "two!");
	CHECK_STREQ(get("b/dir/2"), "two");
	CHECK_OK(stat("m/dir/2", &found));
	CHECK_EQ(found.st_mode & 07777, 0640);
	CHECK_EQ(found.st_uid, 5);
	CHECK_EQ(found.st_gid, 6);
	CHECK_EQ(getxattr("m/dir/2", "user.note", NULL, 0), 1);
	CHECK(!there("u/dir/1"));
	CHECK_OK(close(fd));
}

CASE(overlay_copies_up_for_attributes_too, "filesystems/overlayfs.rst, Non-directories")
{
	struct stat found;

	OVERLAY();
	CHECK_OK(chmod("m/deep", 0600));
	CHECK_OK(stat("b/deep", &found));
	CHECK_EQ(found.st_mode & 07777, 0644);
	CHECK_OK(stat("u/deep", &found));
	CHECK_EQ(found.st_mode & 07777, 0600);
	CHECK_OK(truncate("m/both", 2));
	CHECK_STREQ(get("u/both"), "of");
	CHECK_STREQ(get("a/both"), "of a");
	CHECK_OK(access("m/dir/1", W_OK));
	CHECK(!there("u/dir"));
}

CASE(overlay_notes_what_was_deleted, "filesystems/overlayfs.rst, whiteouts and opaque directories")
{
	OVERLAY();
	CHECK_OK(unlink("m/both"));
	CHECK(!there("m/both"));
	CHECK(is_whiteout("u/both"));
	CHECK_EQ(count("m"), 2);
	CHECK_STREQ(get("b/both"), "of b");
	CHECK_ERR(unlink("m/both"), ENOENT);
	CHECK_ERR(rmdir("m/dir"), ENOTEMPTY);
	CHECK_OK(unlink("m/dir/1"));
	CHECK_OK(unlink("m/dir/2"));
	CHECK_OK(rmdir("m/dir"));
	CHECK(is_whiteout("u/dir"));
	put("m/both", "anew");
	CHECK_STREQ(get("u/both"), "anew");
	put("m/own", "x");
	CHECK_OK(unlink("m/own"));
	CHECK(!there("u/own"));
}

CASE(overlay_makes_a_new_directory_opaque, "filesystems/overlayfs.rst, whiteouts and opaque directories")
{
	char value[2] = "";

	OVERLAY();
	CHECK_OK(unlink("m/dir/1"));
	CHECK_OK(unlink("m/dir/2"));
	CHECK_OK(rmdir("m/dir"));
	CHECK_OK(mkdir("m/dir", 0755));
	CHECK_EQ(count("m/dir"), 0);
	CHECK_EQ(getxattr("u/dir", "trusted.overlay.opaque", value, sizeof(value)), 1);
	CHECK_EQ(value[0], 'y');
	CHECK_ERR(getxattr("m/dir", "trusted.overlay.opaque", value, sizeof(value)), ENODATA);
}

CASE(overlay_understands_layers_made_by_others, "filesystems/overlayfs.rst, whiteouts and opaque directories")
{
	PRIVATE_MOUNTS();
	layers();
	CHECK_OK(mknod("a/deep", S_IFCHR, makedev(0, 0)));
	CHECK_OK(setxattr("a/dir", "trusted.overlay.opaque", "y", 1, 0));
	CHECK_OK(mount("overlay", "m", "overlay", 0, LAYERS));
	CHECK(!there("m/deep"));
	CHECK_EQ(count("m"), 2);
	CHECK(there("m/dir/1"));
	CHECK(!there("m/dir/2"));
}

CASE(overlay_renames_files_and_new_directories, "filesystems/overlayfs.rst, renaming directories")
{
	OVERLAY();
	CHECK_OK(rename("m/deep", "m/elsewhere"));
	CHECK_STREQ(get("m/elsewhere"), "of b");
	CHECK(is_whiteout("u/deep"));
	CHECK(!there("m/deep"));
	CHECK_OK(rename("m/elsewhere", "m/both"));
	CHECK_STREQ(get("m/both"), "of b");
	CHECK_STREQ(get("a/both"), "of a");
	CHECK(!there("u/elsewhere"));
	CHECK_ERR(rename("m/dir", "m/dir2"), EXDEV);
	CHECK_OK(mkdir("m/new", 0755));
	put("m/new/file", "x");
	CHECK_OK(rename("m/new", "m/newer"));
	CHECK_STREQ(get("m/newer/file"), "x");
	CHECK_STREQ(get("u/newer/file"), "x");
	CHECK_ERR(rename("m/newer", "m/dir"), ENOTEMPTY);
	CHECK_OK(unlink("m/dir/1"));
	CHECK_OK(unlink("m/dir/2"));
	CHECK_OK(rename("m/newer", "m/dir"));
	CHECK_EQ(count("m/dir"), 1);
}

CASE(overlay_links_files, "filesystems/overlayfs.rst, Non-standard behavior")
{
	struct stat one, two;

	OVERLAY();
	CHECK_OK(link("m/deep", "m/dir/other"));
	CHECK_OK(stat("m/deep", &one));
	CHECK_OK(stat("m/dir/other", &two));
	CHECK_EQ(one.st_ino, two.st_ino);
	CHECK_EQ(one.st_nlink, 2);
	put("m/dir/other", "through the other");
	CHECK_STREQ(get("m/deep"), "through the other");
	CHECK_OK(unlink("m/deep"));
	CHECK_OK(stat("m/dir/other", &two));
	CHECK_EQ(two.st_nlink, 1);
	CHECK_OK(symlink("both", "m/link"));
	CHECK_STREQ(get("m/link"), "of a");
	CHECK_OK(mkfifo("m/fifo", 0600));
	CHECK_OK(close(CHECK_OK(open("m/fifo", O_RDWR))));
}

CASE(overlay_file_stays_usable_without_a_name, "filesystems/overlayfs.rst, Non-directories")
{
	struct stat found;
	char *bytes;
	int fd;

	OVERLAY();
	fd = CHECK_OK(open("m/both", O_RDWR));
	CHECK_OK(unlink("m/both"));
	CHECK_OK(fstat(fd, &found));
	CHECK_EQ(found.st_nlink, 0);
	CHECK_EQ(pwrite(fd, "ON", 2, 0), 2);
	bytes = mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(bytes != MAP_FAILED);
	CHECK(memcmp(bytes, "ON a", 4) == 0);
	bytes[3] = 'b';
	CHECK_EQ(pread(fd, &found, 4, 0), 4);
	CHECK(memcmp(&found, "ON b", 4) == 0);
	CHECK_STREQ(get("a/both"), "of a");
	CHECK_OK(munmap(bytes, 4));
	CHECK_OK(close(fd));
}

CASE(overlay_of_lower_layers_alone_is_read_only, "filesystems/overlayfs.rst, Multiple lower layers")
{
	PRIVATE_MOUNTS();
	layers();
	CHECK_OK(mount("overlay", "m", "overlay", 0, "lowerdir=a:b"));
	CHECK_STREQ(get("m/both"), "of a");
	CHECK_EQ(count("m/dir"), 2);
	CHECK_ERR(open("m/new", O_CREAT | O_WRONLY, 0600), EROFS);
	CHECK_ERR(open("m/both", O_WRONLY), EROFS);
	CHECK_ERR(unlink("m/both"), EROFS);
	CHECK_ERR(chmod("m/both", 0600), EROFS);
	CHECK_ERR(mkdir("m/new", 0700), EROFS);
}

CASE(overlay_does_not_see_what_is_mounted_on_its_layers, "filesystems/overlayfs.rst")
{
	PRIVATE_MOUNTS();
	layers();
	tmpfs_on("a/dir");
	put("a/dir/hidden", "x");
	CHECK_OK(mount("overlay", "m", "overlay", 0, LAYERS));
	CHECK(!there("m/dir/hidden"));
	CHECK(there("m/dir/1"));
	CHECK(there("m/dir/2"));
}

CASE(overlay_in_a_user_namespace_marks_with_user_attributes, "filesystems/overlayfs.rst, User xattr")
{
	char value[2] = "";

	PRIVATE_MOUNTS();
	layers();
	CHECK_OK(mount("overlay", "m", "overlay", 0, LAYERS ",userxattr"));
	CHECK_OK(unlink("m/both"));
	CHECK_OK(mkdir("m/both", 0755));
	CHECK_EQ(getxattr("u/both", "user.overlay.opaque", value, sizeof(value)), 1);
	CHECK_ERR(getxattr("m/both", "user.overlay.opaque", value, sizeof(value)), ENODATA);
	CHECK_OK(setxattr("m/both", "user.overlay.mine", "1", 1, 0));
	CHECK_EQ(getxattr("m/both", "user.overlay.mine", value, sizeof(value)), 1);
	CHECK_EQ(getxattr("u/both", "user.overlay.overlay.mine", value, sizeof(value)), 1);
}

CASE(overlay_options_that_are_wrong, "filesystems/overlayfs.rst")
{
	static const struct {
		const char *options;
		int error;
	} wrong[] = {
		{ "", EINVAL },
		{ "lowerdir=a", EINVAL },
		{ "lowerdir=a:missing", ENOENT },
		{ "lowerdir=a:b/both", EINVAL },
		{ "lowerdir=a,upperdir=u", EINVAL },
		{ "lowerdir=a,upperdir=u,workdir=u", EINVAL },
		{ "lowerdir=a,upperdir=u,workdir=missing", ENOENT },
		{ "lowerdir=a,upperdir=missing,workdir=w", ENOENT },
		{ "lowerdir=a:b,nosuchoption", EINVAL },
		{ "lowerdir=a:b,index=maybe", EINVAL },
		{ "upperdir=u,workdir=w", EINVAL },
	};
	size_t i;

	PRIVATE_MOUNTS();
	layers();
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK_ERR(mount("overlay", "m", "overlay", 0, wrong[i].options), wrong[i].error);
}

CASE(overlays_can_be_stacked_twice, "filesystems/overlayfs.rst, Nesting overlayfs mounts")
{
	PRIVATE_MOUNTS();
	layers();
	directory("m2");
	directory("m3");
	CHECK_OK(mount("overlay", "m", "overlay", 0, "lowerdir=a:b"));
	CHECK_OK(mount("overlay", "m2", "overlay", 0, "lowerdir=m,upperdir=u,workdir=w"));
	put("m2/both", "on top");
	CHECK_STREQ(get("m2/both"), "on top");
	CHECK_STREQ(get("m/both"), "of a");
	CHECK_ERR(mount("overlay", "m3", "overlay", 0, "lowerdir=m2:a"), EINVAL);
}
