/* Takes, as root without limits, as many of one thing as there are; says how many, and which error ended it. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { MANY = 1000000, LONG_TARGET = 4000, VALUE = 60000 };

static char block[65536];

static int process(long n)
{
	pid_t child = fork();

	(void)n;
	while (child == 0)
		pause();
	return child < 0;
}

static int zombie(long n)
{
	pid_t child = fork();

	(void)n;
	if (child == 0)
		_exit(0);
	return child < 0;
}

/* One epoll for each 400 watches of the same 400 files. */
static int interest(long n)
{
	enum { FILES = 400 };
	static int epoll, files[FILES];
	struct epoll_event event = { .events = EPOLLIN };

	if (n < FILES && (files[n] = eventfd(0, 0)) < 0)
		return 1;
	if (n % FILES == 0)
		epoll = epoll_create1(0);
	return epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, files[n % FILES], &event);
}

static int queued_signal(long n)
{
	union sigval value = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	if (n == 0)
		sigprocmask(SIG_BLOCK, &set, NULL);
	return sigqueue(getpid(), SIGRTMIN, value);
}

static int timer(long n)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	timer_t id;

	(void)n;
	return timer_create(CLOCK_MONOTONIC, &event, &id);
}

static int long_link(long n)
{
	char name[32];

	snprintf(name, sizeof(name), "/tmp/%ld", n);
	block[LONG_TARGET] = 0;
	return symlink(block, name);
}

static int attribute(long n)
{
	char file[32], name[32];

	snprintf(file, sizeof(file), "/tmp/%ld", n / 4);
	snprintf(name, sizeof(name), "user.%ld", n % 4);
	if (n % 4 == 0)
		close(open(file, O_CREAT | O_WRONLY, 0600));
	return setxattr(file, name, block, VALUE, 0);
}

static int range(long n)
{
	static int file;
	struct flock lock = { .l_type = F_WRLCK, .l_start = n * 2, .l_len = 1 };

	if (n == 0)
		file = open("/tmp/locked", O_CREAT | O_RDWR, 0600);
	return fcntl(file, F_SETLK, &lock);
}

/* Connections that wait for listeners to accept them: of no descriptor. */
static int connection(long n)
{
	static struct sockaddr_un address = { .sun_family = AF_UNIX };
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), failed;

	if (client < 0)
		return 1;
	if (n % 1000 == 0) {
		int listener = socket(AF_UNIX, SOCK_STREAM, 0);

		snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/%ld", n);
		if (bind(listener, (void *)&address, sizeof(address)) || listen(listener, 4096))
			return 1;
	}
	failed = connect(client, (void *)&address, sizeof(address));
	if (!failed)
		close(client);
	return failed;
}

static int group_list(long n)
{
	enum { GROUPS = 65536 };
	static gid_t groups[GROUPS];

	for (int i = 0; i < GROUPS; i++)
		groups[i] = (gid_t)(n * GROUPS + i);
	return setgroups(GROUPS, groups) || process(n);
}

static const struct {
	const char *name;
	int (*take)(long n);
} hoards[] = {
	{ "processes", process },   { "zombies", zombie },	 { "interests", interest }, { "signals", queued_signal },
	{ "timers", timer },	    { "links", long_link },	 { "attributes", attribute }, { "ranges", range },
	{ "connections", connection }, { "groups", group_list },
};

int main(int argc, char **argv)
{
	static const int limits[] = { RLIMIT_NPROC, RLIMIT_SIGPENDING };
	struct rlimit files = { 1 << 20, 1 << 20 }, none = { RLIM_INFINITY, RLIM_INFINITY };
	long count = 0;

	memset(block, 'x', sizeof(block));
	setrlimit(RLIMIT_NOFILE, &files);
	for (unsigned i = 0; i < sizeof(limits) / sizeof(*limits); i++)
		setrlimit(limits[i], &none); /* which an ordinary user can't */
	for (unsigned i = 0; i < sizeof(hoards) / sizeof(*hoards); i++)
		if (strcmp(argv[argc - 1], hoards[i].name) == 0) {
			while (count < MANY && !hoards[i].take(count))
				count++;
			int error = errno;
			printf("%ld 0 %s\n", count, strerrorname_np(error));
			fflush(stdout);
			return 0;
		}
	return 2;
}
