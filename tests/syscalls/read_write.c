/* read, write, pread, pwrite, lseek and their vector forms on files and /dev nodes. Pipes: pipes.c. */
#include "harness.h"
#include "fixtures.h"

#include <limits.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

static char buffer[3 * 65536];

CASE(read_at_end_of_file_returns_0, "read(2)")
{
	int fd = make_file("file", "abc");

	CHECK_EQ(read(fd, buffer, 10), 3);
	CHECK_EQ(read(fd, buffer, 10), 0);
	CHECK_EQ(lseek(fd, 1000, SEEK_SET), 1000);
	CHECK_EQ(read(fd, buffer, 10), 0);
}

CASE(read_of_0_bytes_returns_0, "read(2)")
{
	CHECK_EQ(read(make_file("file", "abc"), buffer, 0), 0);
}

CASE(read_and_write_of_a_bad_descriptor_give_EBADF, "read(2)")
{
	CHECK_ERR(read(-1, buffer, 1), EBADF);
	CHECK_ERR(read(999, buffer, 1), EBADF);
	CHECK_ERR(write(-1, buffer, 1), EBADF);
	CHECK_ERR(write(999, buffer, 0), EBADF);
	CHECK_ERR(read(INT_MAX, buffer, 1), EBADF);
}

CASE(read_needs_a_descriptor_open_for_reading, "read(2)")
{
	int fd = CHECK_OK(open("file", O_WRONLY | O_CREAT, 0600));

	CHECK_ERR(read(fd, buffer, 1), EBADF);
	CHECK_ERR(pread(fd, buffer, 1, 0), EBADF);
}

CASE(write_needs_a_descriptor_open_for_writing, "write(2)")
{
	int fd;

	put_file("file", "abc");
	fd = CHECK_OK(open("file", O_RDONLY));
	CHECK_ERR(write(fd, buffer, 1), EBADF);
	CHECK_ERR(pwrite(fd, buffer, 1, 0), EBADF);
}

CASE(mode_of_the_descriptor_is_checked_before_the_buffer, "read(2)")
{
	char *beyond = (char *)-4096L;
	int writer = CHECK_OK(open("file", O_WRONLY | O_CREAT, 0600));
	int reader = CHECK_OK(open("file", O_RDONLY));

	CHECK_ERR(read(writer, beyond, 1), EBADF);
	CHECK_ERR(pread(writer, beyond, 1, 0), EBADF);
	CHECK_ERR(write(reader, beyond, 1), EBADF);
	CHECK_ERR(pwrite(reader, beyond, 1, 0), EBADF);
}

CASE(buffer_outside_user_addresses_gives_EFAULT_even_when_nothing_is_moved, "read(2)")
{
	char *beyond = (char *)-4096L;
	int fd = make_file("file", "");
	int null = CHECK_OK(open("/dev/null", O_RDWR));

	CHECK_ERR(read(fd, beyond, 1), EFAULT);
	CHECK_ERR(pread(fd, beyond, 1, 0), EFAULT);
	CHECK_ERR(syscall(SYS_read, fd, buffer, -1L), EFAULT);
	CHECK_ERR(syscall(SYS_write, fd, buffer, -1L), EFAULT);
	CHECK_ERR(read(null, beyond, 1), EFAULT);
	CHECK_ERR(write(null, beyond, 1), EFAULT);
	CHECK_EQ(read(fd, unmapped(), 1), 0);
	CHECK_EQ(write(null, unmapped(), 1), 1);
}

CASE(read_of_a_directory_gives_EISDIR, "read(2)")
{
	CHECK_ERR(read(CHECK_OK(open(".", O_RDONLY)), buffer, 1), EISDIR);
}

CASE(write_moves_the_offset_and_extends_the_file, "write(2)")
{
	struct stat status;
	int fd = make_file("file", "");

	CHECK_EQ(write(fd, "hello", 5), 5);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_size, 5);
}

CASE(O_APPEND_writes_at_the_end_whatever_the_offset, "open(2)")
{
	int fd;

	put_file("file", "abc");
	fd = CHECK_OK(open("file", O_RDWR | O_APPEND));
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(write(fd, "def", 3), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
	CHECK_STREQ(text_of("file"), "abcdef");
}

CASE(pwrite_with_O_APPEND_appends_too, "pwrite(2)")
{
	int fd;

	put_file("file", "abc");
	fd = CHECK_OK(open("file", O_RDWR | O_APPEND));
	CHECK_EQ(pwrite(fd, "X", 1, 0), 1);
	CHECK_STREQ(text_of("file"), "abcX");
}

CASE(pread_and_pwrite_leave_the_offset_alone, "pread(2)")
{
	int fd = make_file("file", "0123456789");

	CHECK_EQ(lseek(fd, 2, SEEK_SET), 2);
	CHECK_EQ(pread(fd, buffer, 3, 5), 3);
	CHECK(memcmp(buffer, "567", 3) == 0);
	CHECK_EQ(pwrite(fd, "x", 1, 9), 1);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 2);
	CHECK_STREQ(text_of("file"), "012345678x");
}

CASE(pread_with_a_negative_offset_gives_EINVAL, "pread(2)")
{
	int fd = make_file("file", "abc");

	CHECK_ERR(pread(fd, buffer, 1, -1), EINVAL);
	CHECK_ERR(pwrite(fd, buffer, 1, -1), EINVAL);
}

CASE(pread_and_pwrite_beyond_the_last_offset_give_EINVAL, "pread(2)")
{
	int fd = make_file("file", "abc");

	CHECK_ERR(pread(fd, buffer, 4, INT64_MAX), EINVAL);
	CHECK_ERR(pwrite(fd, buffer, 4, INT64_MAX), EINVAL);
	CHECK_EQ(pread(fd, buffer, 4096, INT64_MAX - 4096), 0);
	CHECK_ERR(pread(fd, buffer, 4097, INT64_MAX - 4096), EINVAL);
}

CASE(hole_left_by_a_far_write_reads_as_zeros, "lseek(2)")
{
	int fd = make_file("file", "a");

	CHECK_EQ(pwrite(fd, "z", 1, 100000), 1);
	memset(buffer, 'x', 4096);
	CHECK_EQ(pread(fd, buffer, 4096, 50000), 4096);
	for (int i = 0; i < 4096; i++)
		CHECK_EQ(buffer[i], 0);
}

CASE(lseek_whence_and_limits, "lseek(2)")
{
	int fd = make_file("file", "0123456789");

	CHECK_EQ(lseek(fd, -3, SEEK_END), 7);
	CHECK_EQ(lseek(fd, 2, SEEK_CUR), 9);
	CHECK_EQ(lseek(fd, 5, SEEK_END), 15);
	CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERR(lseek(fd, -100, SEEK_CUR), EINVAL);
	CHECK_ERR(lseek(fd, 0, 99), EINVAL);
	CHECK_ERR(lseek(fd, LLONG_MAX, SEEK_CUR), EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 15);
	CHECK_ERR(lseek(999, 0, SEEK_CUR), EBADF);
}

CASE(SEEK_DATA_and_SEEK_HOLE_at_the_end_of_data, "lseek(2)")
{
	int fd = make_file("file", "0123456789");

	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 10);
	CHECK_ERR(lseek(fd, 10, SEEK_DATA), ENXIO);
	CHECK_ERR(lseek(fd, 10, SEEK_HOLE), ENXIO);
}

CASE(readv_fills_buffers_in_order, "readv(2)")
{
	char first[3], second[4];
	struct iovec parts[3] = { { first, 3 }, { NULL, 0 }, { second, 4 } };
	int fd = make_file("file", "abcdefghij");

	CHECK_EQ(readv(fd, parts, 3), 7);
	CHECK(memcmp(first, "abc", 3) == 0);
	CHECK(memcmp(second, "defg", 4) == 0);
	CHECK_EQ(readv(fd, parts, 3), 3);
	CHECK_EQ(readv(fd, parts, 3), 0);
}

CASE(writev_gathers_and_returns_the_sum, "writev(2)")
{
	struct iovec parts[3] = { { "ab", 2 }, { "", 0 }, { "cde", 3 } };
	int fd = make_file("file", "");

	CHECK_EQ(writev(fd, parts, 3), 5);
	CHECK_STREQ(text_of("file"), "abcde");
	CHECK_EQ(writev(fd, parts, 0), 0);
}

CASE(vector_counts_and_sums_are_limited, "readv(2)")
{
	struct iovec parts[2] = { { buffer, SSIZE_MAX }, { buffer, SSIZE_MAX } };
	int fd = make_file("file", "abc");

	CHECK_ERR(syscall(SYS_readv, fd, parts, -1), EINVAL);
	CHECK_ERR(syscall(SYS_writev, fd, parts, IOV_MAX + 1), EINVAL);
	parts[1].iov_len = (size_t)-1;
	CHECK_ERR(syscall(SYS_readv, fd, parts, 2), EINVAL);
}

CASE(preadv_and_pwritev_use_the_given_offset, "preadv(2)")
{
	char first[2], second[2];
	struct iovec in[2] = { { first, 2 }, { second, 2 } }, out[2] = { { "X", 1 }, { "Y", 1 } };
	int fd = make_file("file", "0123456789");

	CHECK_EQ(preadv(fd, in, 2, 4), 4);
	CHECK(memcmp(first, "45", 2) == 0 && memcmp(second, "67", 2) == 0);
	CHECK_EQ(pwritev(fd, out, 2, 8), 2);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	CHECK_STREQ(text_of("file"), "01234567XY");
}

CASE(preadv2_with_offset_minus_1_uses_the_file_offset, "preadv2(2)")
{
	struct iovec in = { buffer, 2 };
	int fd = make_file("file", "0123456789");

	CHECK_EQ(lseek(fd, 3, SEEK_SET), 3);
	CHECK_EQ(preadv2(fd, &in, 1, -1, 0), 2);
	CHECK_EQ(buffer[0], '3');
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
	CHECK_ERR(preadv2(fd, &in, 1, 0, 0x40000000), EOPNOTSUPP);
}

CASE(transfer_of_many_pages_is_complete, "write(2)")
{
	static char copy[sizeof(buffer)];
	int fd = make_file("file", "");

	for (size_t i = 0; i < sizeof(buffer); i++)
		buffer[i] = (char)(i * 7 + i / 4096);
	CHECK_EQ(write(fd, buffer, sizeof(buffer)), sizeof(buffer));
	CHECK_EQ(pread(fd, copy, sizeof(copy), 0), sizeof(copy));
	CHECK(memcmp(buffer, copy, sizeof(copy)) == 0);
}

CASE(dev_null_reads_nothing_and_swallows_writes, "null(4)")
{
	int fd = CHECK_OK(open("/dev/null", O_RDWR));

	CHECK_EQ(read(fd, buffer, 10), 0);
	CHECK_EQ(write(fd, buffer, 100000), 100000);
}

CASE(dev_zero_reads_zeros, "zero(4)")
{
	int fd = CHECK_OK(open("/dev/zero", O_RDWR));

	memset(buffer, 1, 5000);
	CHECK_EQ(read(fd, buffer, 5000), 5000);
	for (int i = 0; i < 5000; i++)
		CHECK_EQ(buffer[i], 0);
	CHECK_EQ(write(fd, buffer, 7), 7);
}

CASE(memory_devices_have_every_offset, "null(4)")
{
	int null = CHECK_OK(open("/dev/null", O_RDWR)), zero = CHECK_OK(open("/dev/zero", O_RDWR));
	int full = CHECK_OK(open("/dev/full", O_RDWR)), urandom = CHECK_OK(open("/dev/urandom", O_RDWR));

	CHECK_EQ(pread(null, buffer, 4, 1ll << 40), 0);
	CHECK_EQ(pwrite(null, buffer, 4, 1ll << 40), 4);
	CHECK_EQ(pread(zero, buffer, 4, 5), 4);
	CHECK_EQ(pread(full, buffer, 4, 1ll << 40), 4);
	CHECK_ERR(pwrite(full, buffer, 4, 5), ENOSPC);
	CHECK_EQ(pread(urandom, buffer, 4, 5), 4);
	CHECK_EQ(lseek(zero, 100, SEEK_SET), 0);
	CHECK_ERR(pread(zero, buffer, 4, INT64_MAX), EINVAL);
	CHECK_ERR(fallocate(null, 0, 0, 10), ENODEV);
}

CASE(dev_full_gives_ENOSPC_on_write, "full(4)")
{
	int fd = CHECK_OK(open("/dev/full", O_RDWR));

	CHECK_ERR(write(fd, "x", 1), ENOSPC);
	CHECK_EQ(read(fd, buffer, 4), 4);
}

#ifndef RWF_NOAPPEND
#define RWF_NOAPPEND 0x20
#endif

CASE(noappend_writes_where_it_is_told, "pwritev2(2)")
{
	struct iovec iov = { "x", 1 }, in;
	char byte;
	int fd;

	make_file("file", "text");
	fd = CHECK_OK(open("file", O_RDWR | O_APPEND));
	if (pwritev2(fd, &iov, 1, 0, RWF_NOAPPEND) == -1 && errno == EOPNOTSUPP)
		SKIP("no RWF_NOAPPEND");
	CHECK_STREQ(text_of("file"), "xext");
	CHECK_EQ(pwritev2(fd, &iov, 1, 0, 0), 1);
	CHECK_STREQ(text_of("file"), "xextx");
	CHECK_ERR(pwritev2(fd, &iov, 1, 0, RWF_APPEND | RWF_NOAPPEND), EINVAL);
	in = (struct iovec){ &byte, 1 };
	CHECK_EQ(preadv2(fd, &in, 1, 0, RWF_APPEND), 1);
	CHECK_EQ(preadv2(fd, &in, 1, 0, RWF_NOAPPEND), 1);
}

CASE(flags_are_judged_after_the_descriptor_and_only_when_there_is_something_to_do, "preadv2(2)")
{
	int fd = make_file("file", "abc");
	int ends[2];
	struct iovec one = { buffer, 1 };

	CHECK_ERR(preadv2(fd, &one, 1, 0, 1 << 20), EOPNOTSUPP);
	CHECK_ERR(pwritev2(fd, &one, 1, 0, 1 << 20), EOPNOTSUPP);
	CHECK_EQ(preadv2(fd, &one, 0, 0, 1 << 20), 0);
	CHECK_ERR(preadv2(-1, &one, 1, 0, 1 << 20), EBADF);
	CHECK_OK(pipe(ends));
	CHECK_ERR(preadv2(ends[0], &one, 1, 0, 1 << 20), ESPIPE);
	CHECK_ERR(preadv2(ends[1], &one, 1, -1, 1 << 20), EBADF);
}

CASE(memory_files_have_no_RWF_NOWAIT, "preadv2(2)")
{
	int fd = CHECK_OK(memfd_create("file", 0));
	struct iovec one = { buffer, 1 };

	CHECK_ERR(pwritev2(fd, &one, 1, 0, RWF_NOWAIT), EOPNOTSUPP);
	CHECK_ERR(preadv2(fd, &one, 1, 0, RWF_NOWAIT), EOPNOTSUPP);
}

CASE(write_without_SIGPIPE, "pwritev2(2)")
{
	int ends[2];
	struct iovec one = { buffer, 1 };

	CHECK_OK(pipe(ends));
	if (pwritev2(ends[1], &one, 1, -1, 0x100) == -1 && errno == EOPNOTSUPP)
		SKIP("the kernel lacks RWF_NOSIGNAL");
	CHECK_OK(close(ends[0]));
	CHECK_ERR(pwritev2(ends[1], &one, 1, -1, 0x100), EPIPE); /* which would have killed */
}

/* RWF_ATOMIC, RWF_DONTCACHE */
CASE(flags_that_memory_lacks_are_refused_one_by_one, "preadv2(2)")
{
	int fd = CHECK_OK(memfd_create("file", 0)), ends[2];
	struct iovec one = { buffer, 1 };

	if (preadv2(fd, &one, 1, 0, 0x100) == -1)
		SKIP("a kernel before 6.18");
	CHECK_OK(pipe(ends));
	CHECK_ERR(pwritev2(fd, &one, 1, 0, 0x40), EOPNOTSUPP);
	CHECK_ERR(preadv2(fd, &one, 1, 0, 0x40), EOPNOTSUPP);
	CHECK_ERR(preadv2(fd, &one, 1, 0, 0x80), EOPNOTSUPP);
	CHECK_ERR(pwritev2(ends[1], &one, 1, -1, 0x40), EOPNOTSUPP);
	CHECK_ERR(pwritev2(ends[1], &one, 1, -1, 0x80), EOPNOTSUPP);
	/* What contradicts itself is looked at before what the file lacks. */
	CHECK_ERR(preadv2(fd, &one, 1, 0, 0x38), EINVAL);
	CHECK_ERR(preadv2(fd, &one, 1, 0, 0x70), EINVAL);
	CHECK_ERR(preadv2(fd, &one, 1, 0, 0x230), EOPNOTSUPP);
	CHECK_EQ(pwritev2(fd, &one, 1, 0, 0x107), 1);
	CHECK_EQ(preadv2(fd, &one, 1, 0, 0x107), 1);
}

CASE(old_kinds_of_files_know_no_flags, "preadv2(2)")
{
	static const struct {
		const char *path;
		int flags, nowait; /* the errnos of RWF_DSYNC and RWF_NOWAIT */
	} files[] = {
		{ "/dev/zero", 0, 0 },
		{ "/dev/full", 0, EOPNOTSUPP },
		{ "/proc/sys/kernel/hostname", 0, EOPNOTSUPP },
		{ "/proc/filesystems", 0, EOPNOTSUPP },
		{ "/proc/self/stat", EOPNOTSUPP, EOPNOTSUPP },
		{ ".", EOPNOTSUPP, EOPNOTSUPP },
	};
	uint64_t count = 1;
	struct iovec one = { buffer, 8 }, counter = { &count, 8 };
	int fd;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		fd = CHECK_OK(open(files[i].path, O_RDONLY));
		CHECK_EQ(preadv2(fd, &one, 1, 0, 2) < 0 ? errno : 0, files[i].flags);
		CHECK_EQ(preadv2(fd, &one, 1, 0, 8) < 0 ? errno : 0, files[i].nowait);
		CHECK_OK(close(fd));
	}
	fd = CHECK_OK(open("/dev/full", O_WRONLY));
	CHECK_ERR(pwritev2(fd, &one, 1, 0, 1), ENOSPC);
	CHECK_ERR(pwritev2(fd, &one, 1, 0, 2), EOPNOTSUPP);
	fd = CHECK_OK(eventfd(0, 0));
	CHECK_EQ(pwritev2(fd, &counter, 1, -1, 1), 8);
	CHECK_ERR(pwritev2(fd, &counter, 1, -1, 2), EOPNOTSUPP);
	CHECK_EQ(preadv2(fd, &counter, 1, -1, 2), 8);
	CHECK_OK(mkfifo("fifo", 0600));
	fd = CHECK_OK(open("fifo", O_RDWR));
	CHECK_ERR(preadv2(fd, &one, 1, -1, 8), EOPNOTSUPP);
}

CASE(descriptors_without_a_file_have_no_offset, "preadv2(2)")
{
	struct iovec one = { buffer, 1 };
	int fd = CHECK_OK(open(".", O_PATH));

	CHECK_ERR(preadv2(fd, &one, 1, 0, 0), EBADF);
	CHECK_ERR(pwritev2(fd, &one, 1, 0, 0), EBADF);
	CHECK_ERR(pread(fd, buffer, 1, 0), EBADF);
	CHECK_ERR(pwrite(fd, buffer, 1, 0), EBADF);
	CHECK_ERR(pwritev(fd, &one, 1, 0), EBADF);
	CHECK_ERR(pread(fd, buffer, 1, -1), EINVAL);
}

CASE(vectors_without_bytes_ask_no_file, "readv(2)")
{
	struct iovec none = { buffer, 0 };
	int event = CHECK_OK(eventfd(1, 0)), directory = CHECK_OK(open(".", O_RDONLY)), ends[2];
	int full = CHECK_OK(open("/dev/full", O_WRONLY));

	CHECK_ERR(read(event, buffer, 0), EINVAL);
	CHECK_EQ(readv(event, &none, 1), 0);
	CHECK_EQ(writev(event, &none, 1), 0);
	CHECK_EQ(readv(event, NULL, 0), 0);
	CHECK_ERR(read(directory, buffer, 0), EISDIR);
	CHECK_EQ(readv(directory, &none, 1), 0);
	CHECK_EQ(preadv(directory, &none, 1, 0), 0);
	CHECK_ERR(write(full, buffer, 0), ENOSPC);
	CHECK_EQ(writev(full, &none, 1), 0);
	CHECK_EQ(pwritev2(full, &none, 1, 0, 1 << 20), 0);
	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends));
	CHECK_EQ(writev(ends[0], &none, 1), 0); /* no empty message */
	CHECK_ERR(read(ends[1], buffer, 1), EAGAIN);
	CHECK_EQ(write(ends[0], buffer, 0), 0); /* but here */
	CHECK_EQ(read(ends[1], buffer, 1), 0);
}

CASE(mode_of_a_file_comes_before_the_memory, "read(2)")
{
	struct iovec *bad = unmapped();
	int ends[2], directory = CHECK_OK(open(".", O_RDONLY));

	CHECK_OK(pipe(ends));
	CHECK_ERR(readv(ends[1], bad, 1), EBADF);
	CHECK_ERR(writev(ends[0], bad, 1), EBADF);
	CHECK_ERR(readv(ends[0], bad, 1), EFAULT);
	CHECK_ERR(syscall(SYS_readv, ends[1], bad, -1L), EBADF);
	CHECK_ERR(syscall(SYS_readv, ends[0], bad, -1L), EINVAL);
	CHECK_ERR(pwritev(directory, bad, 1, 0), EBADF);
	CHECK_ERR(preadv2(ends[1], bad, 1, -1, 1 << 20), EBADF);
}

CASE(files_with_nothing_to_read_or_write_say_so_first, "read(2)")
{
	struct iovec none = { buffer, 0 };
	int epoll = CHECK_OK(epoll_create1(0)), timer = CHECK_OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	int pid = CHECK_OK(syscall(SYS_pidfd_open, getpid(), 0));
	int space = CHECK_OK(open("/proc/self/ns/uts", O_RDONLY));
	const int neither[] = { epoll, pid };
	char *above = (char *)-4096L;

	for (size_t i = 0; i < 2; i++) {
		CHECK_ERR(read(neither[i], above, 1), EINVAL);
		CHECK_ERR(write(neither[i], above, 1), EINVAL);
		CHECK_ERR(readv(neither[i], &none, 1), EINVAL);
		CHECK_ERR(writev(neither[i], unmapped(), 1), EINVAL);
		CHECK_ERR(preadv2(neither[i], &none, 1, -1, 1 << 20), EINVAL);
	}
	CHECK_ERR(write(timer, above, 8), EINVAL);
	CHECK_ERR(writev(timer, &none, 1), EINVAL);
	CHECK_ERR(read(timer, above, 8), EFAULT);
	CHECK_EQ(readv(timer, &none, 1), 0);
	CHECK_ERR(read(space, above, 1), EINVAL);
	CHECK_ERR(write(space, above, 1), EBADF);
}

CASE(fallocate_refuses_what_memory_can_not_do, "fallocate(2)")
{
	static const int modes[] = { 0x10, 0x11, 0x08, 0x20, 0x40, 0x41, 0x80, 0x02, 0x09, 0x21, 0x81, 0x12, 0x100 };
	int fd = CHECK_OK(memfd_create("file", 0)), ends[2];

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		CHECK_ERR(fallocate(fd, modes[i], 0, 4096), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, 0x100, 0, 0), EINVAL);
	CHECK_OK(pipe(ends));
	CHECK_ERR(fallocate(ends[0], 0x20, 0, 4096), EBADF);
	CHECK_ERR(fallocate(ends[1], 0x20, 0, 4096), ESPIPE);
	CHECK_ERR(fallocate(ends[1], 0x21, 0, 4096), EOPNOTSUPP);
}
