/*
 * Every pointer argument, in a call that would otherwise succeed, given addresses of every bad sort: the answer is
 * EFAULT.  Natively as in the sandbox; a line for each answer that is another, then "done".
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define PAGE 4096UL
#define BAD 0x5bad5badUL	/* stands for the bad address */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define P(pointer) ((uint64_t)(pointer))

enum { FILE_FD = 10, READ_END, WRITE_END, SOCKET, PEER, EPOLL, TIMER, DIRECTORY, EVENT };

static char good[PAGE];
static struct timespec soon = { 0, 1 };
static sigset_t none;
static int length = sizeof(good);

static const struct {
	const char *name;
	long nr;
	uint64_t arguments[6];
} calls[] = {
	{ "read", SYS_read, { FILE_FD, BAD, 64 } },
	{ "read of a pipe", SYS_read, { READ_END, BAD, 8 } },
	{ "pread", SYS_pread64, { FILE_FD, BAD, 64, 0 } },
	{ "write", SYS_write, { FILE_FD, BAD, 64 } },
	{ "write to a pipe", SYS_write, { WRITE_END, BAD, 8 } },
	{ "pwrite", SYS_pwrite64, { FILE_FD, BAD, 64, 0 } },
	{ "readv's vector", SYS_readv, { FILE_FD, BAD, 2 } },
	{ "writev's vector", SYS_writev, { FILE_FD, BAD, 2 } },
	{ "preadv's vector", SYS_preadv, { FILE_FD, BAD, 2 } },
	{ "pwritev's vector", SYS_pwritev, { FILE_FD, BAD, 2 } },
	{ "open", SYS_open, { BAD, O_RDONLY } },
	{ "openat", SYS_openat, { DIRECTORY, BAD, O_RDONLY } },
	{ "openat2's path", SYS_openat2, { DIRECTORY, BAD, P(good), 24 } },
	{ "openat2's how", SYS_openat2, { DIRECTORY, P("."), BAD, 24 } },
	{ "creat", SYS_creat, { BAD, 0600 } },
	{ "stat's path", SYS_stat, { BAD, P(good) } },
	{ "stat's buffer", SYS_stat, { P("/"), BAD } },
	{ "lstat's buffer", SYS_lstat, { P("/"), BAD } },
	{ "fstat", SYS_fstat, { FILE_FD, BAD } },
	{ "newfstatat's path", SYS_newfstatat, { DIRECTORY, BAD, P(good), 0 } },
	{ "newfstatat's buffer", SYS_newfstatat, { DIRECTORY, P("."), BAD, 0 } },
	{ "statx's path", SYS_statx, { DIRECTORY, BAD, 0, 0xfff, P(good) } },
	{ "statx's buffer", SYS_statx, { DIRECTORY, P("."), 0, 0xfff, BAD } },
	{ "statfs's path", SYS_statfs, { BAD, P(good) } },
	{ "statfs's buffer", SYS_statfs, { P("/"), BAD } },
	{ "fstatfs", SYS_fstatfs, { FILE_FD, BAD } },
	{ "access", SYS_access, { BAD, 0 } },
	{ "faccessat", SYS_faccessat, { DIRECTORY, BAD, 0 } },
	{ "chdir", SYS_chdir, { BAD } },
	{ "getcwd", SYS_getcwd, { BAD, 4096 } },
	{ "rename's old path", SYS_rename, { BAD, P("x") } },
	{ "rename's new path", SYS_rename, { P("x"), BAD } },
	{ "renameat2", SYS_renameat2, { DIRECTORY, BAD, DIRECTORY, P("x"), 0 } },
	{ "link's old path", SYS_link, { BAD, P("x") } },
	{ "link's new path", SYS_link, { P("."), BAD } },
	{ "symlink's target", SYS_symlink, { BAD, P("x") } },
	{ "symlink's path", SYS_symlink, { P("x"), BAD } },
	{ "readlink's path", SYS_readlink, { BAD, P(good), 64 } },
	{ "readlink's buffer", SYS_readlink, { P("/proc/self/exe"), BAD, 64 } },
	{ "unlink", SYS_unlink, { BAD } },
	{ "unlinkat", SYS_unlinkat, { DIRECTORY, BAD, 0 } },
	{ "mkdir", SYS_mkdir, { BAD, 0700 } },
	{ "rmdir", SYS_rmdir, { BAD } },
	{ "mknod", SYS_mknod, { BAD, S_IFIFO | 0600, 0 } },
	{ "chmod", SYS_chmod, { BAD, 0600 } },
	{ "chown", SYS_chown, { BAD, 0, 0 } },
	{ "truncate", SYS_truncate, { BAD, 0 } },
	{ "utimensat's path", SYS_utimensat, { DIRECTORY, BAD, 0, 0 } },
	{ "utimensat's times", SYS_utimensat, { DIRECTORY, P("."), BAD, 0 } },
	{ "getdents64", SYS_getdents64, { DIRECTORY, BAD, 4096 } },
	{ "getxattr's path", SYS_getxattr, { BAD, P("user.a"), P(good), 64 } },
	{ "getxattr's name", SYS_getxattr, { P("/"), BAD, P(good), 64 } },
	{ "setxattr's name", SYS_setxattr, { P("/"), BAD, P(good), 4, 0 } },
	{ "execve's path", SYS_execve, { BAD, 0, 0 } },
	{ "execve's arguments", SYS_execve, { P("/bin/true"), BAD, 0 } },
	{ "execve's environment", SYS_execve, { P("/bin/true"), 0, BAD } },
	{ "pipe2", SYS_pipe2, { BAD, 0 } },
	{ "socketpair", SYS_socketpair, { AF_UNIX, SOCK_STREAM, 0, BAD } },
	{ "poll", SYS_poll, { BAD, 2, 0 } },
	{ "ppoll's vector", SYS_ppoll, { BAD, 2, P(&soon), 0, 8 } },
	{ "ppoll's time", SYS_ppoll, { 0, 0, BAD, 0, 8 } },
	{ "ppoll's mask", SYS_ppoll, { 0, 0, P(&soon), BAD, 8 } },
	{ "select's set", SYS_select, { 8, BAD, 0, 0, P(&soon) } },
	{ "select's time", SYS_select, { 0, 0, 0, 0, BAD } },
	{ "epoll_ctl", SYS_epoll_ctl, { EPOLL, EPOLL_CTL_ADD, READ_END, BAD } },
	{ "epoll_wait", SYS_epoll_wait, { EPOLL, BAD, 4, 0 } },
	{ "timerfd_settime", SYS_timerfd_settime, { TIMER, 0, BAD, 0 } },
	{ "timerfd_gettime", SYS_timerfd_gettime, { TIMER, BAD } },
	{ "bind", SYS_bind, { SOCKET, BAD, 16 } },
	{ "connect", SYS_connect, { SOCKET, BAD, 16 } },
	{ "sendto's data", SYS_sendto, { SOCKET, BAD, 64, MSG_DONTWAIT, 0, 0 } },
	{ "recvfrom's data", SYS_recvfrom, { SOCKET, BAD, 8, MSG_DONTWAIT | MSG_PEEK, 0, 0 } },
	{ "sendmsg", SYS_sendmsg, { SOCKET, BAD, 0 } },
	{ "recvmsg", SYS_recvmsg, { SOCKET, BAD, MSG_DONTWAIT } },
	{ "getsockname's name", SYS_getsockname, { SOCKET, BAD, P(&length) } },
	{ "getsockname's length", SYS_getsockname, { SOCKET, P(good), BAD } },
	{ "getpeername's length", SYS_getpeername, { SOCKET, P(good), BAD } },
	{ "getsockopt's value", SYS_getsockopt, { SOCKET, SOL_SOCKET, SO_TYPE, BAD, P(&length) } },
	{ "getsockopt's length", SYS_getsockopt, { SOCKET, SOL_SOCKET, SO_TYPE, P(good), BAD } },
	{ "setsockopt", SYS_setsockopt, { SOCKET, SOL_SOCKET, SO_PASSCRED, BAD, 4 } },
	{ "uname", SYS_uname, { BAD } },
	{ "sysinfo", SYS_sysinfo, { BAD } },
	{ "times", SYS_times, { BAD } },
	{ "getrusage", SYS_getrusage, { RUSAGE_SELF, BAD } },
	{ "getrlimit", SYS_getrlimit, { RLIMIT_NOFILE, BAD } },
	{ "setrlimit", SYS_setrlimit, { RLIMIT_NOFILE, BAD } },
	{ "prlimit64's new limit", SYS_prlimit64, { 0, RLIMIT_NOFILE, BAD, 0 } },
	{ "prlimit64's old limit", SYS_prlimit64, { 0, RLIMIT_NOFILE, 0, BAD } },
	{ "clock_gettime", SYS_clock_gettime, { CLOCK_MONOTONIC, BAD } },
	{ "clock_getres", SYS_clock_getres, { CLOCK_MONOTONIC, BAD } },
	{ "nanosleep", SYS_nanosleep, { BAD, 0 } },
	{ "clock_nanosleep", SYS_clock_nanosleep, { CLOCK_MONOTONIC, 0, BAD, 0 } },
	{ "getitimer", SYS_getitimer, { ITIMER_REAL, BAD } },
	{ "timer_create's id", SYS_timer_create, { CLOCK_MONOTONIC, 0, BAD } },
	{ "timer_create's event", SYS_timer_create, { CLOCK_MONOTONIC, BAD, P(good) } },
	{ "rt_sigaction's new action", SYS_rt_sigaction, { SIGUSR1, BAD, 0, 8 } },
	{ "rt_sigaction's old action", SYS_rt_sigaction, { SIGUSR1, 0, BAD, 8 } },
	{ "rt_sigprocmask's new mask", SYS_rt_sigprocmask, { SIG_BLOCK, BAD, 0, 8 } },
	{ "rt_sigprocmask's old mask", SYS_rt_sigprocmask, { SIG_BLOCK, 0, BAD, 8 } },
	{ "rt_sigpending", SYS_rt_sigpending, { BAD, 8 } },
	{ "rt_sigtimedwait's mask", SYS_rt_sigtimedwait, { BAD, 0, P(&soon), 8 } },
	{ "rt_sigtimedwait's time", SYS_rt_sigtimedwait, { P(&none), 0, BAD, 8 } },
	{ "rt_sigsuspend", SYS_rt_sigsuspend, { BAD, 8 } },
	{ "sigaltstack's new stack", SYS_sigaltstack, { BAD, 0 } },
	{ "sigaltstack's old stack", SYS_sigaltstack, { 0, BAD } },
	{ "futex", SYS_futex, { BAD, FUTEX_WAIT, 0, P(&soon), 0, 0 } },
	{ "futex's time", SYS_futex, { P(good), FUTEX_WAIT, 0, BAD, 0, 0 } },
	{ "prlimit64 with both", SYS_prlimit64, { 0, RLIMIT_CORE, BAD, BAD } },
	{ "getresuid", SYS_getresuid, { BAD, P(good), P(good) } },
	{ "sched_getaffinity", SYS_sched_getaffinity, { 0, 128, BAD } },
	{ "sched_getparam", SYS_sched_getparam, { 0, BAD } },
	{ "memfd_create", SYS_memfd_create, { BAD, 0 } },
	{ "getrandom", SYS_getrandom, { BAD, 64, 0 } },
	{ "prctl(PR_GET_NAME)", SYS_prctl, { 16, BAD } },
	{ "prctl(PR_SET_NAME)", SYS_prctl, { 15, BAD } },
	{ "sendfile's offset", SYS_sendfile, { WRITE_END, FILE_FD, BAD, 4 } },
	{ "copy_file_range's offset", SYS_copy_file_range, { FILE_FD, BAD, FILE_FD, 0, 4, 0 } },
	{ "fcntl(F_GETLK)", SYS_fcntl, { FILE_FD, F_GETLK, BAD } },
	{ "fcntl(F_SETLK)", SYS_fcntl, { FILE_FD, F_SETLK, BAD } },
	{ "ioctl(FIONREAD)", SYS_ioctl, { READ_END, 0x541b, BAD } },
	{ "clone3", SYS_clone3, { BAD, 64 } },
	{ "gettimeofday", SYS_gettimeofday, { BAD, 0 } },
	{ "time", SYS_time, { BAD } },
};

static void become(int fd, int number)
{
	if (fd < 0 || dup2(fd, number) != number) {
		perror("efault");
		exit(2);
	}
	close(fd);
}

static void prepare(void)
{
	struct itimerspec timer = { .it_value = { 1000, 0 } };
	struct epoll_event event = { .events = EPOLLIN };
	int pair[2];

	memset(good, 0, sizeof(good));
	become(memfd_create("file", 0), FILE_FD);
	if (write(FILE_FD, good, sizeof(good)) != (ssize_t)sizeof(good) || lseek(FILE_FD, 0, SEEK_SET) || pipe(pair))
		exit(2);
	become(pair[0], READ_END);
	become(pair[1], WRITE_END);
	if (write(WRITE_END, good, 64) != 64 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		exit(2);
	become(pair[0], SOCKET);
	become(pair[1], PEER);
	if (write(PEER, good, 64) != 64)
		exit(2);
	become(epoll_create1(0), EPOLL);
	become(timerfd_create(CLOCK_MONOTONIC, 0), TIMER);
	become(open(".", O_RDONLY | O_DIRECTORY), DIRECTORY);
	event.data.fd = SOCKET;
	if (epoll_ctl(EPOLL, EPOLL_CTL_ADD, SOCKET, &event) || timerfd_settime(TIMER, 0, &timer, NULL))
		exit(2);
	sigemptyset(&none);
}

int main(void)
{
	char *pages = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned wrong = 0, count = 0;

	memset(pages, 'x', 2 * PAGE);
	mprotect(pages + 2 * PAGE, PAGE, PROT_NONE);
	munmap(pages + 3 * PAGE, PAGE);
	const uint64_t bad[] = {
		P(pages + 2 * PAGE), P(pages + 2 * PAGE + 1), P(pages + 3 * PAGE - 1), P(pages + 3 * PAGE), 8, 1,
		0xffffffffffffff00, 0xffff800000000000, 0x0000800000000000, 0x7ffffffff000, 0x8000000000000000,
		0x7fff80000000, 0x7fff80001000, 0xffffffffff600000,
	};
	prepare();
	for (unsigned i = 0; i < COUNT(calls); i++) {
		for (unsigned j = 0; j < COUNT(bad); j++) {
			uint64_t a[6];
			long result;

			if (calls[i].nr == SYS_futex && bad[j] & 3)
				continue;	/* EINVAL: that is looked at first */
			for (int k = 0; k < 6; k++)
				a[k] = calls[i].arguments[k] == BAD ? bad[j] : calls[i].arguments[k];
			count++;
			result = syscall(calls[i].nr, a[0], a[1], a[2], a[3], a[4], a[5]);
			if (result >= 0 || errno != EFAULT) {
				printf("%s at %#lx: %ld %s\n", calls[i].name, bad[j], result,
				       result < 0 ? strerrorname_np(errno) : "");
				wrong++;
			}
		}
	}
	printf("done: %u answers, %u not EFAULT\n", count, wrong);
	return 0;
}
