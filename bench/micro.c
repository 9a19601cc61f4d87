/* Micro-benchmarks: what single calls cost.  Prints "name nanoseconds" lines; each row is the best of several
 * rounds, so that a busy machine disturbs it little.  The same binary runs natively and in each sandbox.
 *
 *	micro [ROW...]		the rows named, or all
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 5
#define ROUND_NS 40000000 /* at most so long, however slow a call is; the rows' counts are for a fast one */

static char page[4096];
static int tmp_fd, null_fd, zero_fd, pipe_fds[2], event_fd, epoll_fd;
static const char *self;

static void must(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "micro: %s: %s\n", what, strerror(errno));
		exit(1);
	}
}

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void getppid_call(void) { syscall(SYS_getppid); }
static void clock_call(void)
{
	struct timespec t;
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
}
static void clock_vdso(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
}
static void yield(void) { sched_yield(); }
static void read_zero(void) { must(read(zero_fd, page, 4096) == 4096, "read"); }
static void write_null(void) { must(write(null_fd, page, 1) == 1, "write"); }
static void seek(void) { lseek(tmp_fd, 0, SEEK_SET); }
static void fstat_tmp(void)
{
	struct stat st;
	must(fstat(tmp_fd, &st) == 0, "fstat");
}
static void pread_tmp(void) { must(pread(tmp_fd, page, 4096, 0) == 4096, "pread"); }
static void pwrite_tmp(void) { must(pwrite(tmp_fd, page, 4096, 0) == 4096, "pwrite"); }
static void stat_call(void)
{
	struct stat st;
	must(stat("/etc/passwd", &st) == 0, "stat");
}
static void stat_missing(void)
{
	struct stat st;
	must(stat("/etc/no-such-file", &st) < 0, "stat of a missing file");
}
static void open_close(void)
{
	int fd = open("/etc/passwd", O_RDONLY);
	must(fd >= 0, "open");
	close(fd);
}
static void creat_unlink(void)
{
	int fd = creat("bench.tmp", 0600);
	must(fd >= 0, "creat");
	close(fd);
	unlink("bench.tmp");
}
static void pipe_self(void)
{
	must(write(pipe_fds[1], page, 1) == 1 && read(pipe_fds[0], page, 1) == 1, "pipe");
}
static void event_loop(void)
{
	uint64_t one = 1;
	struct epoll_event event;
	must(write(event_fd, &one, 8) == 8 && epoll_wait(epoll_fd, &event, 1, -1) == 1 && read(event_fd, &one, 8) == 8,
	     "eventfd");
}
static void futex_wake(void)
{
	static uint32_t word;
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
static void on_signal(int signo) { (void)signo; }
static void signal_self(void) { raise(SIGUSR1); }
static void map_touch(void)
{
	char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(p != MAP_FAILED, "mmap");
	for (int i = 0; i < 65536; i += 4096)
		p[i] = 1;
	munmap(p, 65536);
}
static void protect(void)
{
	static char *p;
	static int prot;
	if (!p)
		p = mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	prot ^= PROT_WRITE;
	must(mprotect(p, 65536, PROT_READ | prot) == 0, "mprotect");
}
static void *nothing(void *p) { return p; }
static void thread(void)
{
	pthread_t t;
	must(pthread_create(&t, NULL, nothing, NULL) == 0, "pthread_create");
	pthread_join(t, NULL);
}
static void fork_wait(void)
{
	pid_t pid = fork();
	if (!pid)
		_exit(0);
	must(pid > 0 && waitpid(pid, NULL, 0) == pid, "fork");
}
static void fork_exec(void)
{
	pid_t pid = fork();
	if (!pid) {
		execl(self, self, "nop", (char *)NULL);
		_exit(1);
	}
	int status;
	must(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "fork+exec");
}
static void ping_pong(void)
{
	static int there[2], back[2];
	static pid_t peer;
	char c = 0;
	if (!peer) {
		must(pipe(there) == 0 && pipe(back) == 0, "pipe");
		peer = fork();
		if (!peer) {
			close(there[1]);
			while (read(there[0], &c, 1) == 1)
				if (write(back[1], &c, 1) != 1)
					break;
			_exit(0);
		}
	}
	must(write(there[1], &c, 1) == 1 && read(back[0], &c, 1) == 1, "ping-pong");
}

static const struct {
	const char *name;
	void (*call)(void);
	int count;
} rows[] = {
	{"getppid", getppid_call, 20000},
	{"clock_gettime-syscall", clock_call, 20000},
	{"clock_gettime-vdso", clock_vdso, 200000},
	{"sched_yield", yield, 20000},
	{"read-zero-4k", read_zero, 10000},
	{"write-null-1", write_null, 10000},
	{"lseek", seek, 10000},
	{"fstat", fstat_tmp, 10000},
	{"pread-4k", pread_tmp, 10000},
	{"pwrite-4k", pwrite_tmp, 10000},
	{"stat", stat_call, 5000},
	{"stat-missing", stat_missing, 5000},
	{"open-close", open_close, 5000},
	{"creat-close-unlink", creat_unlink, 2000},
	{"pipe-write-read", pipe_self, 5000},
	{"pipe-ping-pong", ping_pong, 3000},
	{"eventfd-epoll-read", event_loop, 3000},
	{"futex-wake", futex_wake, 20000},
	{"signal-self", signal_self, 3000},
	{"mmap-touch-munmap-64k", map_touch, 2000},
	{"mprotect", protect, 3000},
	{"thread-create-join", thread, 500},
	{"fork-exit-wait", fork_wait, 100},
	{"fork-exec-wait", fork_exec, 100},
};

static int wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return 1;
	return argc == 1;
}

/* Nanoseconds of one call, the best of the rounds; a first short round tells how many calls fit in one. */
static double measure(void (*call)(void), int count)
{
	double best = 1e18;
	for (int round = 0; round <= ROUNDS; round++) {
		int calls = round ? count : count / 50 + 1;
		uint64_t start = now();
		for (int n = 0; n < calls; n++)
			call();
		double took = (double)(now() - start) / calls;
		if (round && took < best)
			best = took;
		if (count * took > ROUND_NS)
			count = (int)(ROUND_NS / took) + 1;
	}
	return best;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "nop"))
		return 0;
	self = argv[0];
	null_fd = open("/dev/null", O_WRONLY);
	zero_fd = open("/dev/zero", O_RDONLY);
	tmp_fd = open("bench.data", O_RDWR | O_CREAT, 0600);
	must(tmp_fd >= 0 && write(tmp_fd, page, 4096) == 4096, "bench.data");
	unlink("bench.data");
	must(pipe(pipe_fds) == 0, "pipe");
	event_fd = eventfd(0, 0);
	epoll_fd = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN};
	must(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event_fd, &event) == 0, "epoll_ctl");
	signal(SIGUSR1, on_signal);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (!wanted(rows[i].name, argc, argv))
			continue;
		printf("%s %.1f\n", rows[i].name, measure(rows[i].call, rows[i].count));
		fflush(stdout);
	}
	return 0;
}
