/* tmpfs(5): its mount options, what fits into it and what statfs(2) tells of it. */
#include "harness.h"
#include "fixtures.h"
#include "mounts.h"

#include <sys/statfs.h>

static void tmpfs_with(const char *options)
{
	CHECK_OK(mount("x", "a", "tmpfs", 0, options));
}

static struct statfs room(void)
{
	struct statfs info;

	CHECK_OK(statfs("a", &info));
	return info;
}

static long fill(const char *path)
{
	char page[4096] = { 1 };
	int fd = CHECK_OK(open(path, O_WRONLY | O_CREAT, 0600));
	long total = 0;
	ssize_t count;

	while ((count = write(fd, page, sizeof(page))) > 0)
		total += count;
	CHECK_EQ(errno, ENOSPC);
	CHECK_OK(close(fd));
	return total;
}

CASE(size_limits_the_contents, "tmpfs(5)")
{
	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_with("size=64k");
	CHECK_EQ(room().f_blocks, 16);
	CHECK_EQ(room().f_bfree, 16);
	CHECK_EQ(room().f_bsize, 4096);
	CHECK_EQ(room().f_type, 0x01021994);
	CHECK_EQ(room().f_namelen, 255);
	CHECK_EQ(fill("a/file"), 65536);
	CHECK_EQ(room().f_bfree, 0);
	CHECK_EQ(room().f_bavail, 0);
	CHECK_OK(truncate("a/file", 4096));
	CHECK_EQ(room().f_bfree, 15);
	CHECK_OK(unlink("a/file"));
	CHECK_EQ(room().f_bfree, 16);
}

CASE(sizes_are_rounded_up_to_pages_and_take_suffixes, "tmpfs(5)")
{
	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_with("size=5000");
	CHECK_EQ(room().f_blocks, 2);
	CHECK_OK(umount("a"));
	tmpfs_with("size=2M");
	CHECK_EQ(room().f_blocks, 512);
	CHECK_OK(umount("a"));
	tmpfs_with("nr_blocks=7");
	CHECK_EQ(room().f_blocks, 7);
	CHECK_OK(umount("a"));
	tmpfs_with("nr_blocks=1k,size=8k");
	CHECK_EQ(room().f_blocks, 2);
	CHECK_OK(umount("a"));
	tmpfs_with("size=10%");
	CHECK(room().f_blocks > 1000);
}

CASE(size_0_means_no_limit_and_is_told_as_0, "tmpfs(5)")
{
	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_with("size=0,nr_inodes=0");
	CHECK_EQ(room().f_blocks, 0);
	CHECK_EQ(room().f_files, 0);
	put_file("a/file", "text");
}

CASE(the_default_is_half_of_the_memory, "tmpfs(5)")
{
	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_with(NULL);
	CHECK(room().f_blocks > 1000);
	CHECK(room().f_files > 1000);
	CHECK(strstr(mountinfo("/a"), "size=") == NULL);
}

CASE(nr_inodes_limits_the_files, "tmpfs(5)")
{
	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_with("nr_inodes=4");
	CHECK_EQ(room().f_files, 4);
	CHECK_EQ(room().f_ffree, 3);
	put_file("a/1", "");
	CHECK_OK(mkdir("a/2", 0700));
	CHECK_OK(symlink("x", "a/3"));
	CHECK_EQ(room().f_ffree, 0);
	CHECK_ERR(mkdir("a/4", 0700), ENOSPC);
	CHECK_ERR(open("a/4", O_WRONLY | O_CREAT, 0600), ENOSPC);
	CHECK_ERR(symlink("x", "a/4"), ENOSPC);
	CHECK_ERR(mknod("a/4", S_IFIFO | 0600, 0), ENOSPC);
	CHECK_OK(rmdir("a/2"));
	CHECK_OK(mkdir("a/4", 0700));
}

CASE(mode_and_owner_of_the_root, "tmpfs(5)")
{
	struct stat status;

	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_with("mode=0750,uid=12,gid=34");
	CHECK_OK(stat("a", &status));
	CHECK_EQ(status.st_mode, S_IFDIR | 0750);
	CHECK_EQ(status.st_uid, 12);
	CHECK_EQ(status.st_gid, 34);
	CHECK(strstr(mountinfo("/a"), "mode=750,uid=12,gid=34") != NULL);
	CHECK_OK(umount("a"));
	tmpfs_with(NULL);
	CHECK_OK(stat("a", &status));
	CHECK_EQ(status.st_mode, S_IFDIR | 01777);
}

CASE(options_that_are_wrong, "tmpfs(5)")
{
	static const char *const wrong[] = {
		"size=x", "size=", "size", "size=-1", "size=1q", "mode=8", "mode=", "uid=x", "gid=-5", "nr_inodes=x", "unknown=1",
		"nosuid", "size=4k,unknown", "huge=maybe",
	};

	PRIVATE_MOUNTS();
	directory("a");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (mount("x", "a", "tmpfs", 0, wrong[i]) != -1 || errno != EINVAL)
			FAIL("%s: %s", wrong[i], errno_name(errno));
	tmpfs_with(",,size=4k,");
}

CASE(a_remount_changes_the_limits, "tmpfs(5)")
{
	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_with("size=64k,nr_inodes=10");
	CHECK_EQ(fill("a/file"), 65536);
	CHECK_OK(mount(NULL, "a", NULL, MS_REMOUNT, "size=128k"));
	CHECK_EQ(room().f_blocks, 32);
	CHECK_EQ(room().f_bfree, 16);
	CHECK_EQ(room().f_files, 10);
	CHECK_ERR(mount(NULL, "a", NULL, MS_REMOUNT, "size=4k"), EINVAL);
	CHECK_ERR(mount(NULL, "a", NULL, MS_REMOUNT, "nr_inodes=1"), EINVAL);
	CHECK_OK(mount(NULL, "a", NULL, MS_REMOUNT, "size=64k"));
	CHECK_EQ(room().f_bfree, 0);
	CHECK_OK(mount(NULL, "a", NULL, MS_REMOUNT, "size=0"));
	CHECK_ERR(mount(NULL, "a", NULL, MS_REMOUNT, "size=128k"), EINVAL);
}

CASE(a_sparse_file_takes_only_what_is_written, "tmpfs(5)")
{
	struct stat status;
	char byte = 1;
	int fd;

	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_with("size=64k");
	fd = make_file("a/file", "");
	CHECK_OK(ftruncate(fd, 6ll << 30));
	CHECK_EQ(room().f_bfree, 16);
	CHECK_EQ(pwrite(fd, &byte, 1, 5ll << 30), 1);
	CHECK_EQ(room().f_bfree, 15);
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_size, 6ll << 30);
	CHECK_EQ(status.st_blocks, 8);
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 5ll << 30);
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5ll << 30, 4096));
	CHECK_EQ(room().f_bfree, 16);
	CHECK_ERR(fallocate(fd, 0, 0, 68 * 1024), ENOSPC);
	CHECK_OK(fallocate(fd, 0, 0, 32 * 1024));
	CHECK_EQ(room().f_bfree, 8);
}

CASE(an_unlinked_open_file_keeps_its_room, "tmpfs(5)")
{
	int fd;

	PRIVATE_MOUNTS();
	directory("a");
	tmpfs_with("size=64k");
	fd = make_file("a/file", "text");
	CHECK_OK(unlink("a/file"));
	CHECK_EQ(room().f_bfree, 15);
	CHECK_OK(close(fd));
	CHECK_EQ(room().f_bfree, 16);
}
