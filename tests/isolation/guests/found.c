/* found WHAT: calls that once were too much for the kernel, found by tests/fuzz and every_call. */
#include "hostile.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <linux/netlink.h>
#include <linux/unix_diag.h>
#include <linux/sock_diag.h>
#include <pthread.h>
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

/* As many as a set can have, far apart. */
static void descriptors_by_the_million(void)
{
	const int highest = (1 << 20) - 1;
	unsigned char *set = calloc(1, (highest + 1) / 8);
	int zero = open("/dev/zero", O_RDONLY);

	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ highest + 1, highest + 1 });
	for (int fd = highest; fd > 1000; fd -= 301) {
		if (dup2(zero, fd) != fd)
			_exit(2);
		set[fd / 8] |= 1 << fd % 8;
	}
	printf("select: %ld\n", call(SYS_select, highest + 1, (uint64_t)set, 0, 0, 0, 0));
	printf("the highest: %d\n", set[highest / 8] >> highest % 8 & 1);
}

/* One datagram asks for all sockets again and again. */
static void dumps_without_end(void)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req request;
	} ask[2000];
	char answer[1 << 16];
	long count, size = 0;
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_SOCK_DIAG), pair[2];

	for (int i = 0; i < 300; i++)
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
			_exit(2);
	memset(ask, 0, sizeof(ask));
	for (unsigned i = 0; i < COUNT(ask); i++) {
		ask[i].head.nlmsg_len = sizeof(*ask);
		ask[i].head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
		ask[i].head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
		ask[i].request.sdiag_family = AF_UNIX;
		ask[i].request.udiag_states = -1;
		ask[i].request.udiag_show = UDIAG_SHOW_PEER;
	}
	say("ask", send(netlink, ask, sizeof(ask), 0));
	while ((count = recv(netlink, answer, sizeof(answer), 0)) > 0)
		size += count;
	printf("answers: %s, then %s\n", size > 0 && size < 1 << 19 ? "some" : "all", strerrorname_np(errno));
}

static struct iocb first, second;
static aio_context_t context;

static void *submit(void *unused)
{
	struct iocb *both[] = { &first, &second };

	(void)unused;
	return (void *)syscall(SYS_io_submit, context, 2, both);
}

/* The first request waits; meanwhile there is no context any more, with which the second one could wait. */
static void requests_of_a_context_that_is_gone(void)
{
	char byte, text[64] = "";
	pthread_t thread;
	void *submitted;
	int ends[2], state;

	if (pipe(ends) || syscall(SYS_io_setup, 4, &context))
		_exit(2);
	first = (struct iocb){ .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = ends[0], .aio_buf = (uint64_t)&byte,
			       .aio_nbytes = 1 };
	second = (struct iocb){ .aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = eventfd(0, 0), .aio_buf = 1 };
	pthread_create(&thread, NULL, submit, NULL);
	do {
		state = open("/proc/self/task/2/syscall", O_RDONLY);
		if (state < 0 || read(state, text, sizeof(text) - 1) < 0)
			_exit(2);
		close(state);
	} while (atoi(text) != SYS_io_submit);
	say("destroy", syscall(SYS_io_destroy, context));
	if (write(ends[1], "x", 1) != 1)
		_exit(2);
	pthread_join(thread, &submitted);
	printf("submitted: %ld\n", (long)submitted);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "mounts", mounts_of_kernel_file_systems },
	{ "detached", detached_mount_taken_off_again },
	{ "deadlines", deadlines_in_the_far_future },
	{ "vectors", vectors_beyond_count },
	{ "select", descriptors_by_the_million },
	{ "dumps", dumps_without_end },
	{ "requests", requests_of_a_context_that_is_gone },
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
