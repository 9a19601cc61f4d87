/* stat, statx, access, chmod, chown, utimensat, umask: what is known of a file. */
#include "harness.h"
#include "fixtures.h"

#include <sys/sysmacros.h>
#include <time.h>

CASE(stat_of_a_regular_file, "stat(2)")
{
	struct stat status;

	put_file("file", "hello");
	CHECK_OK(chmod("file", 0640));
	CHECK_OK(stat("file", &status));
	CHECK_EQ(status.st_mode, S_IFREG | 0640);
	CHECK_EQ(status.st_size, 5);
	CHECK_EQ(status.st_nlink, 1);
	CHECK_EQ(status.st_uid, geteuid());
	CHECK_EQ(status.st_gid, getegid());
	CHECK(status.st_ino != 0);
	CHECK(status.st_blksize > 0);
}

CASE(stat_fstat_and_lstat_agree_on_a_file, "stat(2)")
{
	struct stat by_name, by_descriptor, by_link;
	int fd = make_file("file", "hello");

	memset(&by_name, 0, sizeof(by_name));
	memset(&by_descriptor, 0, sizeof(by_descriptor));
	memset(&by_link, 0, sizeof(by_link));
	CHECK_OK(stat("file", &by_name));
	CHECK_OK(fstat(fd, &by_descriptor));
	CHECK_OK(lstat("file", &by_link));
	CHECK(memcmp(&by_name, &by_descriptor, sizeof(by_name)) == 0);
	CHECK(memcmp(&by_name, &by_link, sizeof(by_name)) == 0);
}

CASE(inode_numbers_differ_between_files_and_agree_between_links, "stat(2)")
{
	struct stat first, second, other;

	put_file("first", "");
	put_file("other", "");
	CHECK_OK(link("first", "second"));
	CHECK_OK(stat("first", &first));
	CHECK_OK(stat("second", &second));
	CHECK_OK(stat("other", &other));
	CHECK_EQ(first.st_ino, second.st_ino);
	CHECK_EQ(first.st_dev, other.st_dev);
	CHECK(first.st_ino != other.st_ino);
	CHECK_EQ(first.st_nlink, 2);
}

CASE(lstat_describes_the_link_and_stat_its_target, "lstat(2)")
{
	struct stat status;

	put_file("file", "12345678");
	CHECK_OK(symlink("file", "link"));
	CHECK_OK(lstat("link", &status));
	CHECK(S_ISLNK(status.st_mode));
	CHECK_EQ(status.st_size, 4);
	CHECK_EQ(status.st_mode & 0777, 0777);
	CHECK_OK(stat("link", &status));
	CHECK(S_ISREG(status.st_mode));
}

CASE(types_of_files, "inode(7)")
{
	struct stat status;
	int ends[2];

	CHECK_OK(stat(".", &status));
	CHECK(S_ISDIR(status.st_mode));
	CHECK_OK(mkfifo("fifo", 0600));
	CHECK_OK(stat("fifo", &status));
	CHECK(S_ISFIFO(status.st_mode));
	CHECK_OK(pipe(ends));
	CHECK_OK(fstat(ends[0], &status));
	CHECK(S_ISFIFO(status.st_mode));
	CHECK_OK(stat("/dev/null", &status));
	CHECK(S_ISCHR(status.st_mode));
	CHECK_EQ(status.st_rdev, makedev(1, 3));
	CHECK_OK(stat("/dev/zero", &status));
	CHECK_EQ(status.st_rdev, makedev(1, 5));
}

CASE(directory_link_count_grows_with_subdirectories, "inode(7)")
{
	struct stat status;

	CHECK_OK(mkdir("top", 0755));
	CHECK_OK(mkdir("top/one", 0755));
	CHECK_OK(mkdir("top/two", 0755));
	CHECK_OK(stat("top", &status));
	CHECK_EQ(status.st_nlink, 4);
	CHECK_OK(rmdir("top/one"));
	CHECK_OK(stat("top", &status));
	CHECK_EQ(status.st_nlink, 3);
}

CASE(stat_errors, "stat(2)")
{
	struct stat status;

	CHECK_ERR(stat("missing", &status), ENOENT);
	CHECK_ERR(stat("", &status), ENOENT);
	CHECK_ERR(fstat(999, &status), EBADF);
	CHECK_ERR(syscall(SYS_stat, ".", unmapped()), EFAULT);
	CHECK_ERR(syscall(SYS_stat, unmapped(), &status), EFAULT);
	CHECK_ERR(fstatat(AT_FDCWD, ".", &status, 0x40000000), EINVAL);
}

CASE(fstatat_with_AT_EMPTY_PATH_is_fstat, "stat(2)")
{
	struct stat status;
	int fd = make_file("file", "abc");

	CHECK_OK(fstatat(fd, "", &status, AT_EMPTY_PATH));
	CHECK_EQ(status.st_size, 3);
	CHECK_ERR(fstatat(fd, "", &status, 0), ENOENT);
	CHECK_ERR(fstatat(fd, "x", &status, 0), ENOTDIR);
	CHECK_OK(fstatat(AT_FDCWD, "", &status, AT_EMPTY_PATH));
	CHECK(S_ISDIR(status.st_mode));
}

CASE(statx_gives_the_basic_stats, "statx(2)")
{
	struct statx status;

	put_file("file", "hello");
	CHECK_OK(statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &status));
	CHECK_EQ(status.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	CHECK_EQ(status.stx_size, 5);
	CHECK_EQ(status.stx_nlink, 1);
	CHECK(S_ISREG(status.stx_mode));
	CHECK_ERR(statx(AT_FDCWD, "file", 0, 0x80000000u, &status), EINVAL);
	CHECK_ERR(statx(AT_FDCWD, "file", 0x6000, STATX_SIZE, &status), EINVAL);
	CHECK_ERR(syscall(SYS_statx, AT_FDCWD, "file", 0, STATX_SIZE, unmapped()), EFAULT);
}

CASE(chmod_sets_all_twelve_bits, "chmod(2)")
{
	struct stat status;
	int fd = make_file("file", "");

	CHECK_OK(chmod("file", 07755));
	CHECK_OK(stat("file", &status));
	CHECK_EQ(status.st_mode & 07777, 07755);
	CHECK_OK(fchmod(fd, 0));
	CHECK_OK(stat("file", &status));
	CHECK_EQ(status.st_mode & 07777, 0);
	CHECK_OK(fchmodat(AT_FDCWD, "file", 0600, 0));
	CHECK_ERR(chmod("missing", 0600), ENOENT);
	CHECK_ERR(fchmod(999, 0600), EBADF);
}

CASE(umask_returns_the_previous_mask, "umask(2)")
{
	umask(022);
	CHECK_EQ(umask(07777), 022);
	CHECK_EQ(umask(0), 0777);
}

CASE(umask_applies_to_mkdir_and_mkfifo, "umask(2)")
{
	struct stat status;

	umask(077);
	CHECK_OK(mkdir("below", 0777));
	CHECK_OK(mkfifo("fifo", 0666));
	CHECK_OK(stat("below", &status));
	CHECK_EQ(status.st_mode & 0777, 0700);
	CHECK_OK(stat("fifo", &status));
	CHECK_EQ(status.st_mode & 0777, 0600);
}

CASE(access_tells_existence_and_permission, "access(2)")
{
	CHECK_OK(close(make_file("file", "")));
	CHECK_OK(chmod("file", 0644));
	CHECK_OK(access("file", F_OK));
	CHECK_OK(access("file", R_OK | W_OK));
	CHECK_ERR(access("file", X_OK), EACCES);
	CHECK_ERR(access("missing", F_OK), ENOENT);
	CHECK_ERR(access("file", 8), EINVAL);
	CHECK_ERR(syscall(439 /* faccessat2 */, AT_FDCWD, "file", R_OK, 0x80000000), EINVAL);
}

CASE(chown_to_oneself_is_allowed_and_minus_1_changes_nothing, "chown(2)")
{
	struct stat status;
	int fd = make_file("file", "");

	CHECK_OK(chown("file", -1, -1));
	CHECK_OK(fchown(fd, geteuid(), getegid()));
	CHECK_OK(stat("file", &status));
	CHECK_EQ(status.st_uid, geteuid());
	CHECK_ERR(chown("missing", -1, -1), ENOENT);
}

CASE(chown_by_root_changes_owner_and_clears_set_user_id, "chown(2)")
{
	struct stat status;

	NEEDS_ROOT();
	put_file("file", "");
	CHECK_OK(chmod("file", 06755));
	CHECK_OK(chown("file", 1234, 5678));
	CHECK_OK(stat("file", &status));
	CHECK_EQ(status.st_uid, 1234);
	CHECK_EQ(status.st_gid, 5678);
	CHECK_EQ(status.st_mode & 07777, 0755);
}

CASE(chown_by_another_user_gives_EPERM, "chown(2)")
{
	CHECK_OK(chmod(".", 0777));
	put_file("file", "");
	if (geteuid() == 0)
		CHECK_OK(setresuid(-1, 65534, -1));
	CHECK_ERR(chown("file", 1, -1), EPERM);
	if (getuid() == 0) {
		CHECK_ERR(chmod("file", 0777), EPERM);
		CHECK_OK(setresuid(-1, 0, -1));
	}
}

CASE(utimensat_sets_times_to_the_nanosecond, "utimensat(2)")
{
	struct timespec times[2] = { { 1000000000, 123456789 }, { 1500000000, 987654321 } };
	struct stat status;

	put_file("file", "");
	CHECK_OK(utimensat(AT_FDCWD, "file", times, 0));
	CHECK_OK(stat("file", &status));
	CHECK_EQ(status.st_atim.tv_sec, 1000000000);
	CHECK_EQ(status.st_atim.tv_nsec, 123456789);
	CHECK_EQ(status.st_mtim.tv_sec, 1500000000);
	CHECK_EQ(status.st_mtim.tv_nsec, 987654321);
}

CASE(utimensat_UTIME_OMIT_keeps_and_UTIME_NOW_sets_the_present, "utimensat(2)")
{
	struct timespec times[2] = { { 1000, 0 }, { 2000, 0 } };
	struct stat status;

	put_file("file", "");
	CHECK_OK(utimensat(AT_FDCWD, "file", times, 0));
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_nsec = UTIME_NOW;
	CHECK_OK(utimensat(AT_FDCWD, "file", times, 0));
	CHECK_OK(stat("file", &status));
	CHECK_EQ(status.st_atim.tv_sec, 1000);
	CHECK(status.st_mtim.tv_sec > 1000000000);
	times[0].tv_nsec = 1000000000;
	CHECK_ERR(utimensat(AT_FDCWD, "file", times, 0), EINVAL);
	CHECK_ERR(utimensat(AT_FDCWD, "missing", NULL, 0), ENOENT);
}

CASE(write_changes_modification_time_and_chmod_change_time, "inode(7)")
{
	struct timespec times[2] = { { 1000, 0 }, { 1000, 0 } };
	struct stat status;
	int fd = make_file("file", "");

	CHECK_OK(futimens(fd, times));
	CHECK_OK(fchmod(fd, 0600));
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_mtim.tv_sec, 1000);
	CHECK(status.st_ctim.tv_sec > 1000000000);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_OK(fstat(fd, &status));
	CHECK(status.st_mtim.tv_sec > 1000000000);
}

CASE(creating_a_file_changes_the_time_of_its_directory, "inode(7)")
{
	struct timespec times[2] = { { 1000, 0 }, { 1000, 0 } };
	struct stat status;

	CHECK_OK(mkdir("below", 0755));
	CHECK_OK(utimensat(AT_FDCWD, "below", times, 0));
	put_file("below/file", "");
	CHECK_OK(stat("below", &status));
	CHECK(status.st_mtim.tv_sec > 1000000000);
}

CASE(st_blocks_counts_what_is_there_and_not_the_holes, "inode(7)")
{
	struct stat status;
	struct statx more;
	int fd = make_file("file", "");

	CHECK_OK(ftruncate(fd, 16 * PAGE));
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_blocks, 0);
	CHECK_EQ(pwrite(fd, "x", 1, 15 * PAGE), 1);
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_blocks, PAGE / 512);
	CHECK_EQ(pwrite(fd, "x", 1, 16 * PAGE), 1);
	CHECK_OK(fstatat(fd, "", &status, AT_EMPTY_PATH));
	CHECK_EQ(status.st_blocks, 2 * PAGE / 512);
	char *pages = CHECK_OK(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	pages[0] = 'x';
	pages[PAGE] = 'x';
	CHECK_OK(stat("file", &status));
	CHECK_EQ(status.st_blocks, 4 * PAGE / 512);
	CHECK_OK(statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &more));
	CHECK_EQ(more.stx_blocks, 4 * PAGE / 512);
	CHECK_EQ(more.stx_size, 16 * PAGE + 1);
}

CASE(statx_and_stat_agree, "statx(2)")
{
	static const char *const names[] = {"file", "link", "dir", "/dev/null", "/"};
	struct stat status;
	struct statx more;

	put_file("file", "12345");
	CHECK_OK(mkdir("dir", 0751));
	CHECK_OK(symlink("file", "link"));
	for (int i = 0; i < 2 * (int)(sizeof names / sizeof *names); i++) {
		const char *name = names[i / 2];
		CHECK_OK(lstat(name, &status));
		CHECK_OK(statx(AT_FDCWD, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &more));
		CHECK_EQ(more.stx_ino, status.st_ino);
		CHECK_EQ(more.stx_mode, status.st_mode);
		CHECK_EQ(more.stx_nlink, status.st_nlink);
		CHECK_EQ(more.stx_size, (uint64_t)status.st_size);
		CHECK_EQ(more.stx_blocks, (uint64_t)status.st_blocks);
		CHECK_EQ(more.stx_mtime.tv_sec, status.st_mtim.tv_sec);
		CHECK_EQ(more.stx_mtime.tv_nsec, status.st_mtim.tv_nsec);
		CHECK_EQ(makedev(more.stx_dev_major, more.stx_dev_minor), status.st_dev);
		CHECK_EQ(makedev(more.stx_rdev_major, more.stx_rdev_minor), status.st_rdev);
	}
	int fd = CHECK_OK(open("file", O_RDONLY));
	CHECK_OK(fstat(fd, &status));
	CHECK_OK(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &more));
	CHECK_EQ(more.stx_ino, status.st_ino);
	CHECK_ERR(statx(fd, "", 0, STATX_BASIC_STATS, &more), ENOENT);
	CHECK_ERR(statx(AT_FDCWD, "missing", 0, STATX_BASIC_STATS, &more), ENOENT);
	CHECK_ERR(statx(AT_FDCWD, "file", AT_STATX_SYNC_TYPE, STATX_BASIC_STATS, &more), EINVAL);
	CHECK_ERR(statx(AT_FDCWD, "file", 0, STATX__RESERVED, &more), EINVAL);
}
