/* The flags of inodes: ioctl_iflags(2), file_getattr(2), and what immutable and append-only files forbid. */
#include "harness.h"
#include "fixtures.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#ifndef SYS_file_getattr
#define SYS_file_getattr 468
#define SYS_file_setattr 469
#endif

struct attr {
	uint64_t xflags;
	uint32_t extsize, nextents, projid, cowextsize;
};

#define CHANGEABLE (FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL)

static int flags_of(const char *path)
{
	int fd = CHECK_OK(open(path, O_RDONLY | O_NONBLOCK)), flags = -1;

	CHECK_OK(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	CHECK_OK(close(fd));
	return flags & CHANGEABLE;
}

static int set_flags(const char *path, int wanted)
{
	int fd = CHECK_OK(open(path, O_RDONLY)), flags = 0, result;

	CHECK_OK(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags = (flags & ~CHANGEABLE) | wanted;
	result = ioctl(fd, FS_IOC_SETFLAGS, &flags);
	close(fd);
	return result;
}

/* A file or directory with these flags, which are taken off at the end: nobody could remove it otherwise. */
static const char *flagged;

static void unflag(void)
{
	set_flags(flagged, 0);
}

static void flag(const char *path, int flags)
{
	NEEDS_ROOT();
	flagged = path;
	CHECK_OK(set_flags(path, flags));
}

static long getattr(int dirfd, const char *path, void *attr, size_t size, int flags)
{
	return syscall(SYS_file_getattr, dirfd, path, attr, size, flags);
}

static long setattr(int dirfd, const char *path, void *attr, size_t size, int flags)
{
	return syscall(SYS_file_setattr, dirfd, path, attr, size, flags);
}

CASE(new_file_has_no_flags, "ioctl_iflags(2)")
{
	put_file("file", "text");
	CHECK_EQ(flags_of("file"), 0);
	CHECK_EQ(flags_of("."), 0);
}

CASE(owner_sets_nodump_and_noatime, "ioctl_iflags(2)")
{
	put_file("file", "text");
	CHECK_OK(set_flags("file", FS_NODUMP_FL | FS_NOATIME_FL));
	CHECK_EQ(flags_of("file"), FS_NODUMP_FL | FS_NOATIME_FL);
	CHECK_OK(set_flags("file", 0));
	CHECK_EQ(flags_of("file"), 0);
}

CASE(new_files_take_nodump_and_noatime_from_their_directory, "ioctl_iflags(2)")
{
	CHECK_OK(mkdir("dir", 0755));
	CHECK_OK(set_flags("dir", FS_NODUMP_FL | FS_NOATIME_FL));
	put_file("dir/file", "text");
	CHECK_OK(mkdir("dir/sub", 0755));
	CHECK_EQ(flags_of("dir/file"), FS_NODUMP_FL | FS_NOATIME_FL);
	CHECK_EQ(flags_of("dir/sub"), FS_NODUMP_FL | FS_NOATIME_FL);
}

CASE(reads_of_a_noatime_file_leave_its_time, "ioctl_iflags(2)")
{
	struct timespec old[2] = { { 1, 0 }, { 2, 0 } };
	struct stat st;
	char byte;
	int fd;

	put_file("file", "text");
	CHECK_OK(set_flags("file", FS_NOATIME_FL));
	CHECK_OK(utimensat(AT_FDCWD, "file", old, 0));
	fd = CHECK_OK(open("file", O_RDONLY));
	CHECK_EQ(read(fd, &byte, 1), 1);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_atime, 1);
}

CASE(immutable_needs_its_capability, "ioctl_iflags(2)")
{
	if (geteuid() == 0) {
		CHECK_OK(chmod(".", 0777));
		CHECK_OK(setresuid(65534, 65534, 65534));
	}
	put_file("file", "text");
	CHECK_ERR(set_flags("file", FS_IMMUTABLE_FL), EPERM);
	CHECK_ERR(set_flags("file", FS_APPEND_FL), EPERM);
	CHECK_OK(set_flags("file", FS_NODUMP_FL));
}

CASE(only_the_owner_sets_flags, "ioctl_iflags(2)")
{
	NEEDS_ROOT();
	put_file("file", "text");
	CHECK_OK(setresuid(65534, 65534, 65534));
	CHECK_ERR(set_flags("file", FS_NODUMP_FL), EPERM);
	CHECK_EQ(flags_of("file"), 0);
}

CASE(immutable_file_can_not_be_changed, "ioctl_iflags(2)")
{
	struct timespec times[2] = { { 1, 0 }, { 2, 0 } };

	put_file("file", "text");
	flag("file", FS_IMMUTABLE_FL);
	CHECK_ERR(open("file", O_WRONLY), EPERM);
	CHECK_ERR(open("file", O_RDONLY | O_TRUNC), EPERM);
	CHECK_ERR(truncate("file", 1), EPERM);
	CHECK_ERR(chmod("file", 0600), EPERM);
	CHECK_ERR(chown("file", 1, 1), EPERM);
	CHECK_ERR(utimensat(AT_FDCWD, "file", times, 0), EPERM);
	CHECK_ERR(utimensat(AT_FDCWD, "file", NULL, 0), EPERM);
	CHECK_ERR(setxattr("file", "user.a", "b", 1, 0), EPERM);
	CHECK_ERR(access("file", W_OK), EPERM);
	CHECK_ERR(unlink("file"), EPERM);
	CHECK_ERR(rename("file", "other"), EPERM);
	CHECK_ERR(link("file", "other"), EPERM);
	CHECK_OK(access("file", R_OK));
	CHECK_STREQ(text_of("file"), "text");
	unflag();
}

CASE(append_only_file_grows_and_no_more, "ioctl_iflags(2)")
{
	struct timespec times[2] = { { 1, 0 }, { 2, 0 } };
	int fd;

	put_file("file", "text");
	flag("file", FS_APPEND_FL);
	CHECK_ERR(open("file", O_WRONLY), EPERM);
	CHECK_ERR(open("file", O_RDWR), EPERM);
	CHECK_ERR(open("file", O_RDONLY | O_TRUNC), EPERM);
	fd = CHECK_OK(open("file", O_RDWR | O_APPEND));
	CHECK_EQ(write(fd, "+", 1), 1);
	CHECK_ERR(fcntl(fd, F_SETFL, 0), EPERM);
	CHECK_ERR(ftruncate(fd, 0), EPERM);
	CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1), EPERM);
	CHECK_ERR(mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0, EACCES);
	CHECK_OK(mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0));
	CHECK_ERR(truncate("file", 1), EPERM);
	CHECK_ERR(chmod("file", 0600), EPERM);
	CHECK_ERR(unlink("file"), EPERM);
	CHECK_ERR(link("file", "other"), EPERM);
	CHECK_ERR(utimensat(AT_FDCWD, "file", times, 0), EPERM);
	CHECK_OK(utimensat(AT_FDCWD, "file", NULL, 0));
	CHECK_STREQ(text_of("file"), "text+");
	unflag();
}

CASE(immutable_directory_keeps_its_names, "ioctl_iflags(2)")
{
	CHECK_OK(mkdir("dir", 0755));
	put_file("dir/file", "text");
	put_file("other", "text");
	flag("dir", FS_IMMUTABLE_FL);
	CHECK_ERR(open("dir/new", O_CREAT | O_RDWR, 0600), EPERM);
	CHECK_ERR(mkdir("dir/new", 0700), EPERM);
	CHECK_ERR(link("other", "dir/new"), EPERM);
	CHECK_ERR(unlink("dir/file"), EPERM);
	CHECK_ERR(rename("dir/file", "dir/new"), EPERM);
	CHECK_ERR(rename("other", "dir/new"), EPERM);
	CHECK_ERR(rename("dir", "new"), EPERM);
	CHECK_ERR(rmdir("dir"), EPERM);
	put_file("dir/file", "changed");
	unflag();
}

CASE(append_only_directory_takes_names_and_gives_none, "ioctl_iflags(2)")
{
	CHECK_OK(mkdir("dir", 0755));
	put_file("dir/file", "text");
	flag("dir", FS_APPEND_FL);
	put_file("dir/new", "text");
	CHECK_OK(mkdir("dir/sub", 0700));
	CHECK_ERR(unlink("dir/file"), EPERM);
	CHECK_ERR(rename("dir/file", "dir/other"), EPERM);
	CHECK_ERR(rmdir("dir/sub"), EPERM);
	unflag();
}

CASE(statx_tells_flags, "statx(2)")
{
	unsigned known = STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP;
	struct statx st;

	put_file("file", "text");
	flag("file", FS_IMMUTABLE_FL | FS_NODUMP_FL);
	CHECK_OK(statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &st));
	CHECK_EQ(st.stx_attributes & known, STATX_ATTR_IMMUTABLE | STATX_ATTR_NODUMP);
	CHECK_EQ(st.stx_attributes_mask & known, known);
	unflag();
}

CASE(fsgetxattr_tells_the_same_flags, "file_getattr(2)")
{
	struct fsxattr attr;
	int fd = make_file("file", "text");

	CHECK_OK(set_flags("file", FS_NODUMP_FL));
	CHECK_OK(ioctl(fd, FS_IOC_FSGETXATTR, &attr));
	CHECK_EQ(attr.fsx_xflags, FS_XFLAG_NODUMP);
	attr.fsx_xflags = FS_XFLAG_NOATIME;
	CHECK_OK(ioctl(fd, FS_IOC_FSSETXATTR, &attr));
	CHECK_EQ(flags_of("file"), FS_NOATIME_FL);
	attr.fsx_xflags = FS_XFLAG_EXTSZINHERIT;
	CHECK_ERR(ioctl(fd, FS_IOC_FSSETXATTR, &attr), EINVAL);
}

CASE(ioctls_check_their_pointer, "ioctl_iflags(2)")
{
	int fd = make_file("file", "text");

	CHECK_ERR(ioctl(fd, FS_IOC_GETFLAGS, NULL), EFAULT);
	CHECK_ERR(ioctl(fd, FS_IOC_SETFLAGS, NULL), EFAULT);
	CHECK_ERR(ioctl(fd, FS_IOC_FSGETXATTR, NULL), EFAULT);
	CHECK_ERR(ioctl(fd, FS_IOC_FSSETXATTR, NULL), EFAULT);
}

CASE(files_without_flags_refuse, "ioctl_iflags(2)")
{
	struct attr attr;
	int pipes[2], flags;

	CHECK_OK(pipe(pipes));
	CHECK_ERR(ioctl(pipes[0], FS_IOC_GETFLAGS, &flags), ENOTTY);
	CHECK_OK(mkfifo("fifo", 0600));
	CHECK_ERR(ioctl(CHECK_OK(open("fifo", O_RDWR)), FS_IOC_GETFLAGS, &flags), ENOTTY);
	put_file("file", "text");
	CHECK_ERR(ioctl(CHECK_OK(open("file", O_PATH)), FS_IOC_GETFLAGS, &flags), EBADF);
	if (getattr(AT_FDCWD, "file", &attr, sizeof(attr), 0) == -1 && errno == ENOSYS)
		SKIP("no file_getattr");
	CHECK_ERR(getattr(AT_FDCWD, "fifo", &attr, sizeof(attr), 0), EOPNOTSUPP);
	memset(&attr, 0, sizeof(attr));
	CHECK_ERR(setattr(AT_FDCWD, "fifo", &attr, sizeof(attr), 0), EOPNOTSUPP);
	CHECK_ERR(getattr(pipes[0], "", &attr, sizeof(attr), AT_EMPTY_PATH), EOPNOTSUPP);
}

CASE(file_setattr_sets_and_file_getattr_tells, "file_getattr(2)")
{
	struct attr attr = { .xflags = FS_XFLAG_NODUMP, .nextents = 7 };
	struct {
		struct attr attr;
		char more[40];
	} longer;
	int fd = make_file("file", "text");

	if (setattr(AT_FDCWD, "file", &attr, sizeof(attr), 0) == -1 && errno == ENOSYS)
		SKIP("no file_setattr");
	CHECK_EQ(flags_of("file"), FS_NODUMP_FL);
	memset(&attr, 0xff, sizeof(attr));
	CHECK_EQ(getattr(fd, "", &attr, sizeof(attr), AT_EMPTY_PATH), 0);
	CHECK_EQ(attr.xflags, FS_XFLAG_NODUMP);
	CHECK_EQ(attr.projid, 0);
	memset(&longer, 0xff, sizeof(longer));
	CHECK_EQ(getattr(fd, NULL, &longer, sizeof(longer), AT_EMPTY_PATH), 0);
	CHECK_EQ(longer.more[0], 0);
	CHECK_EQ(longer.more[39], 0);
	CHECK_EQ(setattr(fd, "", &longer, sizeof(longer), AT_EMPTY_PATH), 0);
	longer.more[39] = 1;
	CHECK_ERR(setattr(fd, "", &longer, sizeof(longer), AT_EMPTY_PATH), E2BIG);
}

CASE(file_attr_calls_check_their_arguments, "file_getattr(2)")
{
	struct attr attr = { 0 };
	static char big[8192];

	put_file("file", "text");
	if (getattr(AT_FDCWD, "file", &attr, sizeof(attr), 0) == -1 && errno == ENOSYS)
		SKIP("no file_getattr");
	CHECK_ERR(getattr(AT_FDCWD, "file", &attr, 0, 0), EINVAL);
	CHECK_ERR(getattr(AT_FDCWD, "file", &attr, sizeof(attr) - 1, 0), EINVAL);
	CHECK_ERR(getattr(AT_FDCWD, "file", big, 4097, 0), E2BIG);
	CHECK_ERR(getattr(AT_FDCWD, "file", &attr, sizeof(attr), 1), EINVAL);
	CHECK_ERR(getattr(AT_FDCWD, "file", NULL, sizeof(attr), 0), EFAULT);
	CHECK_ERR(getattr(AT_FDCWD, "none", &attr, sizeof(attr), 0), ENOENT);
	CHECK_ERR(getattr(-1, "file", &attr, sizeof(attr), 0), EBADF);
	CHECK_ERR(setattr(AT_FDCWD, "file", &attr, sizeof(attr) - 1, 0), EINVAL);
	CHECK_ERR(setattr(AT_FDCWD, "file", big, 4097, 0), E2BIG);
	CHECK_ERR(setattr(AT_FDCWD, "file", &attr, sizeof(attr), 1), EINVAL);
	CHECK_ERR(setattr(AT_FDCWD, "file", NULL, sizeof(attr), 0), EFAULT);
	CHECK_ERR(setattr(AT_FDCWD, "none", &attr, sizeof(attr), 0), ENOENT);
	attr.xflags = 1ULL << 40;
	CHECK_ERR(setattr(AT_FDCWD, "file", &attr, sizeof(attr), 0), EINVAL);
}

CASE(cloning_checks_files, "ioctl_ficlone(2)")
{
	int file = make_file("file", "text"), reader = CHECK_OK(open("file", O_RDONLY));
	int directory = CHECK_OK(open(".", O_RDONLY)), target = make_file("target", ""), pipes[2];
	int appender = CHECK_OK(open("target", O_WRONLY | O_APPEND));

	CHECK_OK(pipe(pipes));
	CHECK_ERR(ioctl(target, FICLONE, file), EOPNOTSUPP);
	CHECK_ERR(ioctl(target, FICLONE, -1), EBADF);
	CHECK_ERR(ioctl(target, FICLONE, directory), EISDIR);
	CHECK_ERR(ioctl(directory, FICLONE, file), EISDIR);
	CHECK_ERR(ioctl(reader, FICLONE, target), EBADF);
	CHECK_ERR(ioctl(appender, FICLONE, file), EBADF);
	CHECK_ERR(ioctl(target, FICLONE, pipes[0]), EXDEV);
	CHECK_ERR(ioctl(pipes[1], FICLONE, file), EXDEV);
	CHECK_ERR(ioctl(target, FICLONERANGE, NULL), EFAULT);
}

CASE(deduplicating_checks_files, "ioctl_fideduperange(2)")
{
	static char page[8192];
	struct file_dedupe_range *range = (void *)page;
	int file = make_file("file", "text"), directory = CHECK_OK(open(".", O_RDONLY)), pipes[2];

	CHECK_OK(pipe(pipes));
	range->src_length = 4;
	range->dest_count = 1;
	range->info[0].dest_fd = file;
	CHECK_ERR(ioctl(file, FIDEDUPERANGE, range), EOPNOTSUPP);
	CHECK_ERR(ioctl(directory, FIDEDUPERANGE, range), EISDIR);
	CHECK_ERR(ioctl(pipes[0], FIDEDUPERANGE, range), EINVAL);
	CHECK_ERR(ioctl(file, FIDEDUPERANGE, NULL), EFAULT);
	range->reserved1 = 1;
	CHECK_ERR(ioctl(file, FIDEDUPERANGE, range), EINVAL);
	range->dest_count = 200;
	CHECK_ERR(ioctl(file, FIDEDUPERANGE, range), ENOMEM);
}
