/* eventfd(2). */
#include "harness.h"
#include "fixtures.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <sys/xattr.h>

static uint64_t value;

CASE(read_returns_the_counter_and_resets_it, "eventfd(2)")
{
	int fd = CHECK_OK(eventfd(5, EFD_NONBLOCK));

	value = 3;
	CHECK_EQ(write(fd, &value, 8), 8);
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(value, 8);
	CHECK_ERR(read(fd, &value, 8), EAGAIN);
}

CASE(semaphore_read_returns_1_and_decrements, "eventfd(2)")
{
	int fd = CHECK_OK(eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK));

	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(value, 1);
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(value, 1);
	CHECK_ERR(read(fd, &value, 8), EAGAIN);
}

CASE(writes_of_more_than_8_bytes_give_EINVAL, "eventfd(2)")
{
	int fd = CHECK_OK(eventfd(0, EFD_NONBLOCK));
	uint64_t values[2] = {1, 1};

	CHECK_ERR(write(fd, values, sizeof(values)), EINVAL);
	CHECK_ERR(read(fd, values, sizeof(values)), EAGAIN);
	CHECK_EQ(write(fd, values, 8), 8);
	CHECK_EQ(read(fd, values, sizeof(values)), 8);
}

CASE(each_part_of_a_writev_is_a_write, "eventfd(2)")
{
	int fd = CHECK_OK(eventfd(0, EFD_NONBLOCK));
	uint64_t values[2] = {1, 2};
	struct iovec whole[] = {{values, 8}, {values + 1, 8}}, halves[] = {{values, 4}, {(char *)values + 4, 4}};
	struct iovec short_one[] = {{values, 8}, {values + 1, 4}};

	CHECK_EQ(writev(fd, whole, 2), 16);
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(value, 3);
	CHECK_ERR(writev(fd, halves, 2), EINVAL);
	CHECK_EQ(writev(fd, short_one, 2), 8);
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(value, 1);
}

CASE(mode_owner_and_times_can_not_be_changed, "fchmod(2), EOPNOTSUPP")
{
	int fd = CHECK_OK(eventfd(0, 0));

	CHECK_ERR(fchmod(fd, 0600), EOPNOTSUPP);
	CHECK_ERR(fchown(fd, -1, -1), EOPNOTSUPP);
	CHECK_ERR(futimens(fd, NULL), geteuid() ? EACCES : EOPNOTSUPP);
	CHECK_ERR(ftruncate(fd, 0), EINVAL);
	CHECK_ERR(lseek(fd, 0, 9), EINVAL);
	CHECK_ERR(sync_file_range(fd, 0, 0, 0), ESPIPE);
	CHECK_ERR(fremovexattr(fd, "trusted.x"), geteuid() ? EPERM : EOPNOTSUPP);
}

CASE(transfers_of_less_than_8_bytes_give_EINVAL, "eventfd(2)")
{
	int fd = CHECK_OK(eventfd(1, EFD_NONBLOCK));

	CHECK_ERR(read(fd, &value, 7), EINVAL);
	CHECK_ERR(write(fd, &value, 7), EINVAL);
	CHECK_EQ(read(fd, &value, 8), 8);
}

CASE(writing_the_largest_value_gives_EINVAL, "eventfd(2)")
{
	int fd = CHECK_OK(eventfd(0, EFD_NONBLOCK));

	value = UINT64_MAX;
	CHECK_ERR(write(fd, &value, 8), EINVAL);
	value = UINT64_MAX - 1;
	CHECK_EQ(write(fd, &value, 8), 8);
	value = 1;
	CHECK_ERR(write(fd, &value, 8), EAGAIN);
	value = 0;
	CHECK_EQ(write(fd, &value, 8), 8);
}

CASE(blocked_read_is_woken_by_a_write, "eventfd(2)")
{
	int fd = CHECK_OK(eventfd(0, 0));
	pid_t child = fork_child();

	if (child == 0) {
		value = 77;
		_exit(write(fd, &value, 8) != 8);
	}
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(value, 77);
	CHECK_EXITS(child, 0);
}

CASE(blocked_write_is_woken_by_a_read, "eventfd(2)")
{
	int fd = CHECK_OK(eventfd(0, 0));
	pid_t child;

	value = UINT64_MAX - 1;
	CHECK_EQ(write(fd, &value, 8), 8);
	child = fork_child();
	if (child == 0) {
		value = 2;
		_exit(write(fd, &value, 8) != 8);
	}
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(value, UINT64_MAX - 1);
	CHECK_EXITS(child, 0);
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(value, 2);
}

CASE(readiness_follows_the_counter, "eventfd(2)")
{
	struct pollfd entry = { .fd = CHECK_OK(eventfd(0, 0)), .events = POLLIN | POLLOUT };

	CHECK_EQ(poll(&entry, 1, 0), 1);
	CHECK_EQ(entry.revents, POLLOUT);
	value = UINT64_MAX - 1;
	CHECK_EQ(write(entry.fd, &value, 8), 8);
	CHECK_EQ(poll(&entry, 1, 0), 1);
	CHECK_EQ(entry.revents, POLLIN);
}

CASE(flags_are_checked, "eventfd(2)")
{
	CHECK_ERR(syscall(SYS_eventfd2, 0, 0x40), EINVAL);
	CHECK_EQ(fcntl(CHECK_OK(eventfd(0, EFD_CLOEXEC)), F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(CHECK_OK(syscall(SYS_eventfd, 0)), F_GETFD), 0);
}
