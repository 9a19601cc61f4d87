/* cachestat(2). */
#include "harness.h"
#include "fixtures.h"

static struct {
	uint64_t cached, dirty, writeback, evicted, recently;
} counts;

static long ask(int fd, uint64_t offset, uint64_t length, int flags)
{
	uint64_t range[2] = { offset, length };

	memset(&counts, 0xff, sizeof(counts));
	return syscall(451, fd, range, &counts, flags);
}

static int file_of_four_pages(void)
{
	static char data[3 * PAGE];
	int fd = CHECK_OK(open("file", O_RDWR | O_CREAT, 0600));

	CHECK_EQ(pwrite(fd, data, sizeof(data), 0), (ssize_t)sizeof(data));
	CHECK_EQ(pwrite(fd, data, 1, 10 * PAGE), 1);
	if (ask(fd, 0, 0, 0) == -1 && errno == ENOSYS)
		SKIP("an old kernel");
	return fd;
}

CASE(pages_in_a_range_are_counted, "cachestat(2)")
{
	int fd = file_of_four_pages();

	CHECK_OK(ask(fd, 0, 0, 0));
	CHECK_EQ(counts.cached, 4);
	CHECK_EQ(counts.writeback, 0);
	CHECK_OK(ask(fd, 0, PAGE, 0));
	CHECK_EQ(counts.cached, 1);
	CHECK_OK(ask(fd, PAGE, 2 * PAGE, 0));
	CHECK_EQ(counts.cached, 2);
	CHECK_OK(ask(fd, 100, PAGE, 0));
	CHECK_EQ(counts.cached, 2);
	CHECK_OK(ask(fd, 4 * PAGE, 3 * PAGE, 0));
	CHECK_EQ(counts.cached, 0);
	CHECK_OK(ask(fd, -1, 0, 0));
	CHECK_EQ(counts.cached, 0);
}

CASE(other_files_have_no_pages, "cachestat(2)")
{
	int ends[2];

	file_of_four_pages();
	CHECK_OK(pipe(ends));
	CHECK_OK(ask(ends[0], 0, 0, 0));
	CHECK_EQ(counts.cached, 0);
	CHECK_OK(ask(CHECK_OK(open(".", O_RDONLY)), 0, 0, 0));
	CHECK_OK(ask(CHECK_OK(open("file", O_WRONLY)), 0, 0, 0));
	CHECK_EQ(counts.cached, 4);
}

CASE(errors_of_cachestat, "cachestat(2)")
{
	int fd = file_of_four_pages();
	uint64_t range[2] = { 0, 0 };

	CHECK_ERR(ask(fd, 0, 0, 1), EINVAL);
	CHECK_ERR(ask(999, 0, 0, 0), EBADF);
	CHECK_ERR(ask(CHECK_OK(open("file", O_PATH)), 0, 0, 0), EBADF);
	CHECK_ERR(syscall(451, fd, unmapped(), &counts, 0), EFAULT);
	CHECK_ERR(syscall(451, fd, range, unmapped(), 0), EFAULT);
}

CASE(memfds_have_pages_too, "cachestat(2)")
{
	int fd = CHECK_OK(memfd_create("name", 0));

	file_of_four_pages();
	CHECK_EQ(pwrite(fd, "x", 1, 5 * PAGE), 1);
	CHECK_OK(ask(fd, 0, 0, 0));
	CHECK_EQ(counts.cached, 1);
	CHECK_EQ(counts.dirty, 0);
	CHECK_OK(ask(fd, 5 * PAGE, 1, 0));
	CHECK_EQ(counts.cached, 1);
	CHECK_OK(ask(fd, 0, 5 * PAGE, 0));
	CHECK_EQ(counts.cached, 0);
	CHECK_OK(ftruncate(fd, 0));
	CHECK_OK(ask(fd, 0, 0, 0));
	CHECK_EQ(counts.cached, 0);
}

CASE(only_who_may_write_is_told, "cachestat(2)")
{
	int fd;

	NEEDS_ROOT();
	file_of_four_pages();
	fd = CHECK_OK(open("file", O_RDONLY));
	CHECK_OK(ask(fd, 0, 0, 0));
	CHECK_OK(setresuid(65534, 65534, 65534));
	CHECK_ERR(ask(fd, 0, 0, 0), EPERM);
	CHECK_ERR(ask(fd, 0, 0, 1), EPERM);
}
