/* Triggers of pressure stall information, on the machine and on a control group. */
#include "harness.h"
#include "fixtures.h"

#include <poll.h>

static int pressure_of(const char *name)
{
	int fd = open(name, O_RDWR);

	if (fd < 0)
		SKIP("%s: %s", name, errno_name(errno));
	return fd;
}

static int put(int fd, const char *text)
{
	return write(fd, text, strlen(text) + 1);
}

static short told(int fd)
{
	struct pollfd entry = { fd, POLLIN | POLLPRI | POLLOUT, 0 };

	CHECK_OK(poll(&entry, 1, 0));
	return entry.revents;
}

CASE(a_trigger_names_a_kind_a_threshold_and_a_window, "proc(5), /proc/pressure")
{
	static const char *const wrong[] = {
		"", "some", "some 1", "some 0 2000000", "some 1 0", "some 3000000 2000000", "some 1 10000001",
		"some 1 12000000", "all 1 2000000", " some 1 2000000", "SOME 1 2000000", "some -1 2000000",
		"some +1 2000000", "some 0x10 2000000", "some 1,2000000",
		"some    1           12000000            ", "some 00000000000000000000000100 2000000",
	};
	static const char *const right[] = {
		"some 100000 2000000", "full 100000 2000000\n", "some 2000000 2000000", "some 1 10000000",
		"some 1 2000000 more", "some\t1\n2000000", "some1 2000000", "some 4294967297 2000000",
		"some    1           2000000            ",
	};
	static const char *const files[] = { "/proc/pressure/cpu", "/proc/pressure/io", "/proc/pressure/memory" };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		int fd = pressure_of(files[i % 3]);

		if (put(fd, wrong[i]) != -1 || errno != EINVAL)
			FAIL("taken: \"%s\"", wrong[i]);
		CHECK_OK(close(fd));
	}
	for (size_t i = 0; i < sizeof(right) / sizeof(*right); i++) {
		int fd = pressure_of(files[i % 3]);

		if (put(fd, right[i]) != (int)strlen(right[i]) + 1)
			FAIL("refused: \"%s\": %s", right[i], errno_name(errno));
		CHECK_OK(close(fd));
	}
}

CASE(the_last_byte_of_a_trigger_is_lost, "proc(5), /proc/pressure")
{
	int fd = pressure_of("/proc/pressure/cpu");

	CHECK_ERR(write(fd, "some 2000000 2000000", 20), EINVAL);
	CHECK_ERR(write(fd, "", 0), EINVAL);
	CHECK_ERR(write(fd, unmapped(), 10), EFAULT);
	CHECK_EQ(write(fd, "some 2000000 2000000\n", 21), 21);
}

CASE(an_open_file_has_one_trigger, "proc(5), /proc/pressure")
{
	int fd = pressure_of("/proc/pressure/memory"), other = pressure_of("/proc/pressure/memory");
	char byte;

	CHECK_EQ(told(fd), POLLIN | POLLPRI | POLLERR | POLLOUT);
	CHECK_EQ(put(fd, "some 2000000 2000000"), 21);
	CHECK_ERR(put(fd, "some 2000000 2000000"), EBUSY);
	CHECK_ERR(put(fd, "nonsense"), EBUSY);
	CHECK_EQ(told(fd) & ~POLLPRI, POLLIN | POLLOUT);
	CHECK_EQ(told(other), POLLIN | POLLPRI | POLLERR | POLLOUT);
	CHECK_EQ(put(other, "full 2000000 2000000"), 21);
	CHECK_EQ(read(fd, &byte, 1), 1);
	CHECK_EQ(byte, 's');
}

CASE(a_group_takes_triggers, "Linux, admin-guide/cgroup-v2")
{
	static const char *const roots[] = { "/sys/fs/cgroup/", "/sys/fs/cgroup/unified/" };
	char name[64] = "";

	for (int i = 0; i < 2 && access(name, F_OK); i++)
		snprintf(name, sizeof(name), "%smemory.pressure", roots[i]);
	int fd = pressure_of(name);

	CHECK_EQ(told(fd), POLLIN | POLLPRI | POLLERR | POLLOUT);
	CHECK_EQ(write(fd, "", 0), 0);
	CHECK_ERR(put(fd, "some 2 1"), EINVAL);
	CHECK_EQ(write(fd, "some 2000000 2000000", 20), 20);
	CHECK_ERR(put(fd, "some 2000000 2000000"), EBUSY);
	CHECK_EQ(told(fd) & ~POLLPRI, POLLIN | POLLOUT);
}
