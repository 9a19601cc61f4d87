/* Numbers below /proc/sys that root may change (sysctl(8)).  Natively they are the machine's: each is only set to
 * what it is. */
#include "harness.h"
#include "fixtures.h"

static const char *const names[] = {
	"kernel/pid_max", "kernel/threads-max", "kernel/sched_rr_timeslice_ms", "vm/swappiness", "vm/dirty_ratio",
	"vm/dirty_background_ratio", "vm/vfs_cache_pressure", "vm/min_free_kbytes", "vm/page-cluster",
	"vm/stat_interval", "vm/dirty_expire_centisecs",
};

static int open_setting(const char *name, int flags)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	return open(path, flags);
}

static long value_of(const char *name)
{
	char text[64] = "";
	int fd = CHECK_OK(open_setting(name, O_RDONLY));

	CHECK(CHECK_OK(read(fd, text, sizeof(text) - 1)) > 0);
	CHECK_OK(close(fd));
	return atol(text);
}

static int store(const char *name, const char *text)
{
	int fd = open_setting(name, O_WRONLY);
	int result = fd < 0 ? -1 : (int)write(fd, text, strlen(text)), error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
	return result;
}

#define EACH_NAME for (size_t i_ = 0; i_ < sizeof(names) / sizeof(*names); i_++)

CASE(root_may_set_what_is_there, "proc(5)")
{
	NEEDS_ROOT();
	EACH_NAME {
		char text[64];
		long before = value_of(names[i_]);

		snprintf(text, sizeof(text), "%ld\n", before);
		if (store(names[i_], text) == -1 && (errno == EROFS || errno == EACCES))
			SKIP("/proc/sys is read-only");
		CHECK_EQ(store(names[i_], text), strlen(text));
		CHECK_EQ(value_of(names[i_]), before);
	}
}

CASE(numbers_out_of_bounds_are_refused, "proc(5)")
{
	NEEDS_ROOT();
	if (store("vm/swappiness", "junk") == -1 && (errno == EROFS || errno == EACCES))
		SKIP("/proc/sys is read-only");
	CHECK_ERR(store("vm/swappiness", "junk"), EINVAL);
	CHECK_ERR(store("vm/swappiness", "201"), EINVAL);
	CHECK_ERR(store("vm/swappiness", "-1"), EINVAL);
	CHECK_ERR(store("vm/dirty_ratio", "101"), EINVAL);
	CHECK_ERR(store("kernel/pid_max", "300"), EINVAL);
	CHECK_ERR(store("kernel/pid_max", "4194305"), EINVAL);
	CHECK_ERR(store("kernel/threads-max", "0"), EINVAL);
}

CASE(an_ordinary_user_may_only_read, "proc(5)")
{
	if (!geteuid())
		CHECK_OK(setresuid(65534, 65534, 65534));
	EACH_NAME {
		CHECK(value_of(names[i_]) >= 0);
		CHECK_ERR(open_setting(names[i_], O_WRONLY), EACCES);
	}
}

CASE(actions_of_seccomp_are_listed, "seccomp(2), /proc interfaces")
{
	CHECK(strcmp(text_of("/proc/sys/kernel/seccomp/actions_avail"),
		     "kill_process kill_thread trap errno user_notif trace log allow\n") == 0);
	CHECK(strstr(text_of("/proc/sys/kernel/seccomp/actions_logged"), "allow") == NULL);
}

CASE(drivers_of_terminals_are_listed, "proc_tty(5)")
{
	CHECK(strstr(text_of("/proc/tty/drivers"),
		     "pty_slave            /dev/pts      136 0-1048575 pty:slave\n") != NULL);
	CHECK(strstr(text_of("/proc/tty/ldiscs"), "n_tty       0\n") != NULL);
}
