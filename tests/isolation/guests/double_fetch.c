/*
 * Threads change what the arguments point to while other threads' calls read it.
 *
 *	double_fetch SECONDS
 */
#include "hostile.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/un.h>

#define MEMORY (16 * PAGE)

static unsigned char *memory;	/* all that calls are given points here */
static volatile int over;
static int pair[2], ends[2];

static void *scribble(void *argument)
{
	uint64_t state = (uintptr_t)argument;

	while (!over) {
		state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		uint64_t *word = (uint64_t *)(memory + ((state >> 20) & (MEMORY - 8)));

		switch (state >> 60) {
		case 0:
		case 1:
			*word = wild[(state >> 40) % COUNT(wild)];
			break;
		case 2:
		case 3:
		case 4:
			*word = (uint64_t)memory + ((state >> 33) & (MEMORY - 1));
			break;
		case 5:
			memcpy(word, "/a/../b", 8);
			break;
		case 6:
			memset(word, state >> 50 & 1 ? '/' : 'x', 8);
			break;
		default:
			*word = (state >> 30) & 0xff;
		}
	}
	return NULL;
}

static void *ask(void *argument)
{
	static const int numbers[] = {
		SYS_readv, SYS_writev, SYS_preadv, SYS_open, SYS_openat, SYS_openat2, SYS_stat, SYS_rename, SYS_symlink,
		SYS_link, SYS_readlink, SYS_mkdir, SYS_rmdir, SYS_unlink, SYS_poll, SYS_ppoll, SYS_select, SYS_sendmsg,
		SYS_recvmsg, SYS_sendmmsg, SYS_recvmmsg, SYS_bind, SYS_connect, SYS_rt_sigprocmask, SYS_nanosleep,
		SYS_futex, SYS_futex_waitv, SYS_setxattr, SYS_getxattr, SYS_epoll_ctl, SYS_epoll_wait, SYS_setitimer,
		SYS_timer_create, SYS_prlimit64, SYS_utimensat, SYS_execve, SYS_execveat, SYS_setgroups, SYS_capset,
		SYS_fcntl, SYS_ioctl, SYS_clone3, SYS_sendfile, SYS_splice, SYS_copy_file_range, SYS_set_robust_list,
		SYS_sigaltstack, SYS_process_madvise, SYS_statx, SYS_waitid, SYS_mount, SYS_getdents64, SYS_setsockopt,
	};
	uint64_t state = (uintptr_t)argument * 77, calls = 0;
	int pid = getpid();

	while (!over) {
		uint64_t a[6];

		state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		for (int i = 0; i < 6; i++) {
			uint64_t draw = state >> (8 * i);

			a[i] = draw & 3 ? (uint64_t)memory + (draw * 8 & (MEMORY - 1)) : draw >> 2 & 63;
		}
		if (state & 1 << 7)
			a[0] = state >> 50 & 1 ? pair[state >> 51 & 1] : ends[state >> 51 & 1];
		if (state & 1 << 6)
			a[2] = state >> 40 & 7;
		if (state & 1 << 5)
			a[4] = state >> 45 & 1 ? 0 : 8;
		call(numbers[(state >> 33) % COUNT(numbers)], a[0], a[1], a[2], a[3], a[4], a[5]);
		if (call(SYS_getpid, 0, 0, 0, 0, 0, 0) != pid)
			call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
		calls++;
	}
	return (void *)calls;
}

static void on_alarm(int signo)
{
	(void)signo;
}

/* One process of it; calls may end it early. */
static void work(unsigned turn)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval often = { { 0, 5000 }, { 0, 5000 } };
	pthread_t threads[4];

	memory = (unsigned char *)map_pages(MEMORY / PAGE, PROT_READ | PROT_WRITE);
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair);
	if (pipe2(ends, O_NONBLOCK) != 0 || chdir("/tmp") != 0)
		_exit(1);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, i < 2 ? scribble : ask, (void *)(turn * 16 + i + 1));
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	int turns = argc > 1 ? 4 * atoi(argv[1]) : 8;

	for (int turn = 0; turn < turns; turn++) {
		pid_t worker = fork();

		if (worker == 0)
			work(turn);
		for (int i = 0; i < 25; i++) {
			struct timespec step = { 0, 10000000 };

			nanosleep(&step, NULL);
			if (waitpid(worker, NULL, WNOHANG) == worker)
				break;
		}
		kill(-1, SIGKILL);
		while (waitpid(-1, NULL, __WALL) > 0)
			;
	}
	dprintf(1, "done\n");
	return 0;
}
