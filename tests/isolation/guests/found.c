/* found WHAT: calls that once were too much for the kernel, found by tests/fuzz and every_call. */
#include "hostile.h"

#include <errno.h>
#include <sys/mount.h>

static void say(const char *what, long result)
{
	printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "done");
}

/* The sealed sentry can open none of the host's files for it. */
static void mounts_of_kernel_file_systems(void)
{
	if (mkdir("/tmp/proc", 0755) || mkdir("/tmp/sys", 0755))
		_exit(2);
	say("proc", mount("none", "/tmp/proc", "proc", 0, NULL));
	say("sysfs", mount("none", "/tmp/sys", "sysfs", 0, NULL));
	say("a file there", open("/tmp/proc/meminfo", O_RDONLY));
}

static void detached_mount_taken_off_again(void)
{
	if (mkdir("/tmp/m", 0755) || mount("none", "/tmp/m", "tmpfs", 0, NULL) || chdir("/tmp/m"))
		_exit(2);
	say("detached", umount2(".", MNT_DETACH));
	say("again", umount2(".", MNT_DETACH));
}

/* Beyond what 64 bits of nanoseconds hold. */
static void deadlines_in_the_far_future(void)
{
	const struct itimerspec far = { .it_value = { INT64_MAX, 0 } }, near = { .it_value = { 0, 1000000 } };
	int slow = timerfd_create(CLOCK_MONOTONIC, 0), quick = timerfd_create(CLOCK_MONOTONIC, 0);
	struct epoll_event event;
	int epoll = epoll_create1(0);
	uint64_t count;
	pid_t sleeper = fork();

	if (sleeper == 0) {
		call(SYS_nanosleep, (uint64_t)&far.it_value, 0, 0, 0, 0, 0);
		_exit(0);
	}
	say("far", timerfd_settime(slow, TFD_TIMER_ABSTIME, &far, NULL));
	say("near", timerfd_settime(quick, 0, &near, NULL));
	say("wait", read(quick, &count, sizeof(count)));
	say("epoll", epoll_wait(epoll, &event, 1, 1));
	kill(sleeper, SIGKILL);
}

static void vectors_beyond_count(void)
{
	struct iovec vector = { NULL, 0 };
	long self = syscall(SYS_pidfd_open, getpid(), 0);
	int ends[2];

	if (pipe(ends))
		_exit(2);
	say("process_madvise", syscall(SYS_process_madvise, self, &vector, -1L, 20, 0));
	say("readv", syscall(SYS_readv, 0, &vector, -1L));
	say("vmsplice", syscall(SYS_vmsplice, ends[1], &vector, -1L, 0));
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "mounts", mounts_of_kernel_file_systems },
	{ "detached", detached_mount_taken_off_again },
	{ "deadlines", deadlines_in_the_far_future },
	{ "vectors", vectors_beyond_count },
};

int main(int argc, char **argv)
{
	for (unsigned i = 0; i < COUNT(cases) && argc == 2; i++) {
		if (strcmp(argv[1], cases[i].name) == 0) {
			cases[i].run();
			return 0;
		}
	}
	return 2;
}
