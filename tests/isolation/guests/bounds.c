/* bounds WHAT: asks for too much of one thing; says what came of it, then waits for standard input's end. */
#include "hostile.h"

#include <errno.h>

static void forks(void)
{
	int count = 0;
	pid_t child;

	setrlimit(RLIMIT_NPROC, &(struct rlimit){ 50, 50 });
	if (setgid(1000) || setuid(1000))
		_exit(2);
	while ((child = fork()) > 0)
		count++;
	if (child == 0)
		for (;;)
			pause();
	printf("%d forks, then %s\n", count, strerrorname_np(errno));
}

static void descriptors(void)
{
	struct rlimit limit = { 300, 300 };
	int last, fd = 0;

	setrlimit(RLIMIT_NOFILE, &limit);
	while ((last = open("/dev/null", O_RDONLY)) >= 0)
		fd = last;
	printf("last descriptor %d, then %s\n", fd, strerrorname_np(errno));
}

/* As many open files, of those that cost a host descriptor each, as the default limit allows. */
static void files(void)
{
	unsigned count = 0;
	int fd;

	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 4096, 4096 });
	while ((fd = memfd_create("file", 0)) >= 0 && write(fd, "x", 1) == 1)
		count++;
	printf("%s files, then %s\n", count > 400 ? "many" : "few", strerrorname_np(errno));
}

static void mappings(void)
{
	unsigned count = 0;

	while (count < 100000 && mmap(NULL, PAGE, count & 1 ? PROT_READ : PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		count++;
	printf("%s mappings, then %s\n", count > 65000 && count <= 65530 ? "65530" : "other", strerrorname_np(errno));
}

static void directories(void)
{
	char path[PAGE];
	unsigned depth = 0;

	if (chdir("/tmp"))
		_exit(2);
	while (depth < 5000 && mkdir("nested-directory", 0777) == 0 && chdir("nested-directory") == 0)
		depth++;
	errno = 0;
	path[0] = 0;
	long length = call(SYS_getcwd, (uint64_t)path, sizeof(path), 0, 0, 0, 0);
	printf("depth %u, getcwd %s\n", depth, length < 0 ? strerrorname_np(-length) : "succeeds");
	while (depth > 0 && chdir("..") == 0 && rmdir("nested-directory") == 0)
		depth--;
	printf("left: %u\n", depth);
}

static void links(void)
{
	char name[32], target[32];

	if (chdir("/tmp") || symlink("b", "a") || symlink("a", "b"))
		_exit(2);
	printf("loop: %s\n", open("a", O_RDONLY) < 0 ? strerrorname_np(errno) : "opened");
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "link%d", i);
		snprintf(target, sizeof(target), "link%d", i + 1);
		if (symlink(target, name))
			_exit(2);
	}
	printf("chain: %s\n", open("link0", O_RDONLY) < 0 ? strerrorname_np(errno) : "opened");
	/* Each link names the next one twice: 2^200 steps, if they were counted wrong. */
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "tree%d", i);
		snprintf(target, sizeof(target), "tree%d/tree%d", i + 1, i + 1);
		if (symlink(target, name))
			_exit(2);
	}
	printf("tree: %s\n", open("tree0", O_RDONLY) < 0 ? strerrorname_np(errno) : "opened");
}

static void epolls(void)
{
	int fds[20], depth = 0, error = 0;

	for (int i = 0; i < 20; i++)
		fds[i] = epoll_create1(0);
	for (; depth < 19; depth++) {
		struct epoll_event event = { .events = EPOLLIN };

		if (epoll_ctl(fds[depth + 1], EPOLL_CTL_ADD, fds[depth], &event) < 0) {
			error = errno;
			break;
		}
	}
	printf("nested %d deep, then %s\n", depth, strerrorname_np(error));
	struct epoll_event event = { .events = EPOLLIN };
	printf("cycle: %s\n", epoll_ctl(fds[0], EPOLL_CTL_ADD, fds[2], &event) < 0 ? strerrorname_np(errno) : "added");
}

static void arguments(void)
{
	size_t length = 100 << 10;
	char *string = malloc(length + 1), *vector[64];

	memset(string, 'x', length);
	string[length] = 0;
	for (unsigned i = 0; i < COUNT(vector) - 1; i++)
		vector[i] = string;
	vector[COUNT(vector) - 1] = NULL;
	execv("/bin/true", vector);
	printf("6 MB of arguments: %s\n", strerrorname_np(errno));
	size_t count = 3 << 20;
	char **many = malloc((count + 1) * sizeof(*many));
	for (size_t i = 0; i < count; i++)
		many[i] = "";
	many[count] = NULL;
	execv("/bin/true", many);
	printf("3 million arguments: %s\n", strerrorname_np(errno));
	char *endless[2] = { map_pages(64, PROT_READ | PROT_WRITE), NULL };
	memset(endless[0], 'y', 64 * PAGE);
	execv("/bin/true", endless);
	printf("one argument of 256 KiB: %s\n", strerrorname_np(errno));
}

static void pipes(void)
{
	static char block[1 << 16];
	size_t total = 0;
	int ends[2], count = 0;
	ssize_t wrote;

	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 4096, 4096 });
	if (setgid(1000) || setuid(1000))
		_exit(2);
	while (pipe2(ends, O_NONBLOCK) == 0) {
		fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
		while ((wrote = write(ends[1], block, sizeof(block))) > 0)
			total += wrote;
		count++;
	}
	printf("pipes end with %s\n", strerrorname_np(errno));
	fprintf(stderr, "%d pipes hold %zu MB\n", count, total >> 20);
}

static void timers(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	unsigned count = 0;
	long id;

	setrlimit(RLIMIT_SIGPENDING, &(struct rlimit){ 1000, 1000 });
	while (count < 100000 && call(SYS_timer_create, 1, (uint64_t)&event, (uint64_t)&id, 0, 0, 0) == 0)
		count++;
	printf("timers: %s\n", count < 100000 ? "limited" : "unlimited");
}

static void queued(void)
{
	unsigned count = 0;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	setrlimit(RLIMIT_SIGPENDING, &(struct rlimit){ 1000, 1000 });
	while (count < 100000 && sigqueue(getpid(), SIGRTMIN, (union sigval){ 0 }) == 0)
		count++;
	printf("queued signals: %s, then %s\n", count <= 1000 ? "limited" : "unlimited", strerrorname_np(errno));
}

static void rights(void)
{
	/* Sockets that hold each other's descriptors, each pair forgotten at once. */
	for (int i = 0; i < 3000; i++) {
		int pair[2];
		union {
			struct cmsghdr header;
			char space[CMSG_SPACE(2 * sizeof(int))];
		} control;
		struct iovec iov = { "x", 1 };
		struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
					  .msg_controllen = sizeof(control) };

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) {
			printf("socketpair: %s\n", strerrorname_np(errno));
			return;
		}
		control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(pair)), .cmsg_level = SOL_SOCKET,
						   .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.header), pair, sizeof(pair));
		sendmsg(pair[0], &message, 0);
		sendmsg(pair[1], &message, 0);
		close(pair[0]);
		close(pair[1]);
	}
	printf("all sent\n");
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "forks", forks },	  { "descriptors", descriptors }, { "files", files },	  { "mappings", mappings },
	{ "directories", directories }, { "links", links },	  { "epolls", epolls },	  { "arguments", arguments },
	{ "pipes", pipes },	  { "timers", timers },		  { "queued", queued },	  { "rights", rights },
};

int main(int argc, char **argv)
{
	char byte;
	pid_t child;
	int status;

	for (unsigned i = 0; i < COUNT(cases) && argc == 2; i++) {
		if (strcmp(argv[1], cases[i].name) != 0)
			continue;
		child = fork();
		if (child == 0) {
			cases[i].run();
			fflush(stdout);
			if (getppid() == 1 && read(0, &byte, 1) == 0)
				_exit(0);
			_exit(3);
		}
		return child < 0 || waitpid(child, &status, 0) != child || status != 0;
	}
	return 2;
}
