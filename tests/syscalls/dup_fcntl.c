/* dup and fcntl, close_range, ioctl basics. Record locks: locks.c. */
#include "harness.h"
#include "fixtures.h"

#include <linux/close_range.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

CASE(dup_shares_offset_and_status_flags, "dup(2)")
{
	int fd = make_file("file", "0123456789"), copy = CHECK_OK(dup(fd));

	CHECK_EQ(lseek(fd, 5, SEEK_SET), 5);
	CHECK_EQ(lseek(copy, 0, SEEK_CUR), 5);
	CHECK_OK(fcntl(fd, F_SETFL, O_APPEND));
	CHECK(fcntl(copy, F_GETFL) & O_APPEND);
}

CASE(separate_opens_have_separate_offsets, "open(2)")
{
	int first = make_file("file", "0123456789"), second = CHECK_OK(open("file", O_RDONLY));

	CHECK_EQ(lseek(first, 5, SEEK_SET), 5);
	CHECK_EQ(lseek(second, 0, SEEK_CUR), 0);
}

CASE(dup_does_not_share_close_on_exec, "dup(2)")
{
	int fd = CHECK_OK(open(".", O_RDONLY | O_CLOEXEC));

	CHECK_EQ(fcntl(CHECK_OK(dup(fd)), F_GETFD), 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

CASE(dup2_closes_the_target_first, "dup(2)")
{
	int first = make_file("first", "1"), second = make_file("second", "2");
	char byte;

	CHECK_EQ(dup2(first, second), second);
	CHECK_EQ(read(second, &byte, 1), 1);
	CHECK_EQ(byte, '1');
}

CASE(dup2_onto_itself_does_nothing, "dup(2)")
{
	int fd = CHECK_OK(open(".", O_RDONLY | O_CLOEXEC));

	CHECK_EQ(syscall(SYS_dup2, fd, fd), fd);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_ERR(syscall(SYS_dup3, fd, fd, 0), EINVAL);
}

CASE(dup_errors, "dup(2)")
{
	struct rlimit limit;

	CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
	CHECK_ERR(dup(-1), EBADF);
	CHECK_ERR(dup(999), EBADF);
	CHECK_ERR(dup2(999, 5), EBADF);
	CHECK_ERR(dup2(0, -1), EBADF);
	CHECK_ERR(dup2(0, limit.rlim_cur), EBADF);
	CHECK_ERR(syscall(SYS_dup2, 999, 999), EBADF);
	CHECK_ERR(dup3(0, 10, O_APPEND), EINVAL);
}

CASE(dup3_sets_close_on_exec, "dup(2)")
{
	CHECK_EQ(dup3(0, 50, O_CLOEXEC), 50);
	CHECK_EQ(fcntl(50, F_GETFD), FD_CLOEXEC);
}

CASE(F_DUPFD_takes_the_lowest_at_or_above, "fcntl(2)")
{
	CHECK_EQ(fcntl(0, F_DUPFD, 40), 40);
	CHECK_EQ(fcntl(0, F_DUPFD, 40), 41);
	CHECK_EQ(fcntl(0, F_DUPFD_CLOEXEC, 40), 42);
	CHECK_EQ(fcntl(42, F_GETFD), FD_CLOEXEC);
	CHECK_ERR(fcntl(0, F_DUPFD, -1), EINVAL);
	CHECK_ERR(fcntl(0, F_DUPFD, 1 << 30), EINVAL);
	CHECK_ERR(fcntl(999, F_DUPFD, 0), EBADF);
}

CASE(F_SETFD_sets_only_close_on_exec, "fcntl(2)")
{
	int fd = make_file("file", "");

	CHECK_OK(fcntl(fd, F_SETFD, FD_CLOEXEC));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_OK(fcntl(fd, F_SETFD, 0));
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
}

CASE(F_SETFL_cannot_change_the_access_mode, "fcntl(2)")
{
	int fd = CHECK_OK(open("file", O_WRONLY | O_CREAT, 0600));

	CHECK_OK(fcntl(fd, F_SETFL, O_RDWR | O_APPEND | O_NONBLOCK));
	CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY);
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_APPEND | O_NONBLOCK), O_APPEND | O_NONBLOCK);
	CHECK_OK(fcntl(fd, F_SETFL, 0));
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_APPEND | O_NONBLOCK), 0);
}

CASE(F_GETFL_leaves_out_creation_flags, "fcntl(2)")
{
	int fd = CHECK_OK(open("file", O_RDWR | O_CREAT | O_TRUNC | O_EXCL, 0600));

	CHECK_EQ(fcntl(fd, F_GETFL) & (O_CREAT | O_TRUNC | O_EXCL), 0);
}

CASE(unknown_fcntl_command_gives_EINVAL, "fcntl(2)")
{
	CHECK_ERR(fcntl(0, 98765), EINVAL);
	CHECK_ERR(fcntl(999, F_GETFL), EBADF);
	CHECK_ERR(fcntl(CHECK_OK(open(".", O_PATH)), F_SETFL, 0), EBADF);
}

CASE(FIOCLEX_FIONCLEX_and_FIONBIO_set_flags, "ioctl(2)")
{
	int fd, on = 1, ends[2];

	CHECK_OK(pipe(ends));
	fd = ends[0];
	CHECK_OK(ioctl(fd, FIOCLEX));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_OK(ioctl(fd, FIONCLEX));
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	CHECK_OK(ioctl(fd, FIONBIO, &on));
	CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

CASE(ioctl_of_a_terminal_on_something_else_gives_ENOTTY, "ioctl(2)")
{
	char space[64];
	int ends[2];

	CHECK_OK(pipe(ends));
	CHECK_ERR(ioctl(make_file("file", ""), TCGETS, space), ENOTTY);
	CHECK_ERR(ioctl(ends[0], TCGETS, space), ENOTTY);
	CHECK_ERR(ioctl(CHECK_OK(open("/dev/null", O_RDWR)), TIOCGWINSZ, space), ENOTTY);
	CHECK_ERR(ioctl(999, TCGETS, space), EBADF);
}

CASE(close_range_closes_or_marks_a_range, "close_range(2)")
{
	for (int fd = 60; fd < 70; fd++)
		CHECK_EQ(dup2(0, fd), fd);
	CHECK_OK(syscall(SYS_close_range, 62, 64, 0));
	CHECK_OK(fcntl(61, F_GETFD));
	CHECK_ERR(fcntl(62, F_GETFD), EBADF);
	CHECK_ERR(fcntl(64, F_GETFD), EBADF);
	CHECK_EQ(fcntl(65, F_GETFD), 0);
	CHECK_OK(syscall(SYS_close_range, 66, 67, CLOSE_RANGE_CLOEXEC));
	CHECK_EQ(fcntl(66, F_GETFD), FD_CLOEXEC);
	CHECK_OK(syscall(SYS_close_range, 60, ~0u, 0));
	CHECK_ERR(fcntl(69, F_GETFD), EBADF);
	CHECK_ERR(syscall(SYS_close_range, 5, 4, 0), EINVAL);
	CHECK_ERR(syscall(SYS_close_range, 5, 6, 0x100), EINVAL);
}

CASE(fsync_and_friends_accept_files_and_refuse_pipes, "fsync(2)")
{
	int fd = make_file("file", "x"), ends[2];

	CHECK_OK(pipe(ends));
	CHECK_OK(fsync(fd));
	CHECK_OK(fdatasync(fd));
	CHECK_ERR(fsync(ends[0]), EINVAL);
	CHECK_ERR(fsync(999), EBADF);
}

CASE(fallocate_extends_and_punches, "fallocate(2)")
{
	struct stat status;
	char byte = 'x';
	int fd = make_file("file", "");

	CHECK_OK(fallocate(fd, 0, 0, 10000));
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_size, 10000);
	CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 50000));
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_size, 10000);
	CHECK_EQ(pwrite(fd, "abcd", 4, 5000), 4);
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5000, 2));
	CHECK_EQ(pread(fd, &byte, 1, 5001), 1);
	CHECK_EQ(byte, 0);
	CHECK_EQ(pread(fd, &byte, 1, 5002), 1);
	CHECK_EQ(byte, 'c');
	CHECK_ERR(fallocate(fd, 0, -1, 10), EINVAL);
	CHECK_ERR(fallocate(fd, 0, 0, 0), EINVAL);
	CHECK_ERR(fallocate(999, 0, 0, 1), EBADF);
}

CASE(a_hole_beyond_the_end_takes_the_last_page, "fallocate(2)")
{
	struct stat status;
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

	CHECK_EQ(write(fd, "hello", 5), 5);
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1 << 20));
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_blocks, 0);
	CHECK_EQ(status.st_size, 5);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 5);
	CHECK_OK(close(fd));
}

CASE(a_punched_file_holds_no_blocks, "fallocate(2)")
{
	struct stat status;
	char byte = 'x';
	int fd = make_file("file", ""), large = make_file("large", "");

	CHECK_OK(fallocate(fd, 0, 0, 1 << 20));
	CHECK_EQ(pwrite(fd, "abcd", 4, 5000), 4);
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1 << 20));
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_size, 1 << 20);
	CHECK_EQ(status.st_blocks, 0);
	CHECK_EQ(pread(fd, &byte, 1, 5001), 1);
	CHECK_EQ(byte, 0);
	CHECK_OK(ftruncate(large, 1ll << 40));
	CHECK_OK(fallocate(large, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1ll << 40));
	CHECK_OK(fstat(large, &status));
	CHECK_EQ(status.st_blocks, 0);
}

CASE(open_below_a_lowered_RLIMIT_NOFILE_finds_free_descriptors, "getrlimit(2)")
{
	struct rlimit limit = { 6, 6 };
	int high = CHECK_OK(fcntl(0, F_DUPFD, 20)), fd;

	for (fd = 21; fd < 32; fd++)
		CHECK_OK(dup2(high, fd));
	for (fd = 3; fd < 6; fd++)
		close(fd);
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	for (fd = 3; fd < 6; fd++)
		CHECK_EQ(open("/dev/null", O_RDONLY), fd);
	CHECK_ERR(open("new", O_RDWR | O_CREAT, 0600), EMFILE);
	CHECK_ERR(access("new", F_OK), ENOENT);
}

CASE(fadvise_errors, "posix_fadvise(2)")
{
	int fd = make_file("file", ""), ends[2];

	CHECK_OK(pipe(ends));
	CHECK_OK(syscall(SYS_fadvise64, fd, 0, 0, POSIX_FADV_SEQUENTIAL));
	CHECK_ERR(syscall(SYS_fadvise64, fd, 0, 0, 99), EINVAL);
	CHECK_ERR(syscall(SYS_fadvise64, ends[0], 0, 0, POSIX_FADV_NORMAL), ESPIPE);
	CHECK_ERR(syscall(SYS_fadvise64, 999, 0, 0, POSIX_FADV_NORMAL), EBADF);
}
