/* Takes as much of one thing as it gets; says how much that was, and which error ended it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MANY = 1000000, MIB = 1 << 20 };

static char block[MIB];
static long bytes;

static int mapping(long n)
{
	/* Of two kinds by turns, or neighbours would be one. */
	return mmap(NULL, 4096, n & 1 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

static int split(long n)
{
	static char *start;

	if (!start)
		start = mmap(NULL, 16UL << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return mprotect(start + n * 8192, 4096, PROT_NONE);
}

static int fill(int fd)
{
	ssize_t count;

	while ((count = write(fd, block, sizeof(block))) > 0)
		bytes += count;
	return errno != EAGAIN;
}

static int pipe_buffer(long n)
{
	int ends[2];

	(void)n;
	if (pipe2(ends, O_NONBLOCK))
		return 1;
	if (fcntl(ends[1], F_SETPIPE_SZ, MIB) == -1 && errno != ENOMEM && errno != EPERM)
		return 1;
	return fill(ends[1]);
}

static int socket_buffer(long n)
{
	int ends[2], size = 64 * MIB;

	(void)n;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends))
		return 1;
	setsockopt(ends[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return fill(ends[1]);
}

static int socket_pair(long n)
{
	int ends[2];

	(void)n;
	return socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
}

static int epoll(long n)
{
	(void)n;
	return epoll_create1(0) == -1;
}

static int watcher(long n)
{
	(void)n;
	return inotify_init1(0) == -1;
}

static int timer(long n)
{
	timer_t id;

	(void)n;
	return timer_create(CLOCK_MONOTONIC, NULL, &id);
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

static int deep_directory(long n)
{
	char path[4096];

	if (n == 0 && (mkdir("/tmp/deep", 0700) || chdir("/tmp/deep")))
		return 1;
	if (n == 5000)
		return getcwd(path, sizeof(path)) == NULL;
	return mkdir("x", 0700) || chdir("x");
}

static int symlink_maze(long n)
{
	char from[32], to[32];

	snprintf(from, sizeof(from), "/tmp/maze%ld", n);
	snprintf(to, sizeof(to), "/tmp/maze%ld", n - 1);
	if (symlink(n ? to : "/tmp", from))
		return 1;
	return open(from, O_RDONLY) == -1;
}

static const struct {
	const char *name;
	int (*take)(long n);
} bombs[] = {
	{ "mappings", mapping }, { "splits", split }, { "pipes", pipe_buffer }, { "sockets", socket_buffer },
	{ "epolls", epoll }, { "inotify", watcher }, { "timers", timer }, { "signals", queued_signal },
	{ "pairs", socket_pair }, { "directories", deep_directory }, { "links", symlink_maze },
};

int main(int argc, char **argv)
{
	struct rlimit files;
	long count = 0;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	if (strcmp(argv[argc - 1], "epolls") != 0)
		setrlimit(RLIMIT_NOFILE, &files);
	for (unsigned i = 0; i < sizeof(bombs) / sizeof(*bombs); i++)
		if (strcmp(argv[argc - 1], bombs[i].name) == 0) {
			while (count < MANY && !bombs[i].take(count))
				count++;
			int error = errno;
			printf("%ld %ld %s\n", count, bytes / MIB, strerrorname_np(error));
			return 0;
		}
	return 2;
}
