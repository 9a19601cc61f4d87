/* signalfd(2). */
#include "harness.h"
#include "fixtures.h"

#include <poll.h>
#include <sys/signalfd.h>

static sigset_t set;
static struct signalfd_siginfo info[4];

/* Blocks SIGUSR1 and SIGUSR2 and puts them into the set. */
static void block_both(void)
{
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
}

CASE(read_takes_a_pending_signal, "signalfd(2)")
{
	sigset_t pending;
	int fd;

	block_both();
	fd = CHECK_OK(signalfd(-1, &set, SFD_NONBLOCK));
	CHECK_ERR(read(fd, info, sizeof(info)), EAGAIN);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(read(fd, info, sizeof(info)), sizeof(info[0]));
	CHECK_EQ(info[0].ssi_signo, SIGUSR1);
	CHECK_EQ(info[0].ssi_pid, getpid());
	CHECK_EQ(info[0].ssi_uid, getuid());
	CHECK_EQ(info[0].ssi_code, SI_USER);
	CHECK_OK(sigpending(&pending));
	CHECK_EQ(sigismember(&pending, SIGUSR1), 0);
}

CASE(read_takes_as_many_as_fit, "signalfd(2)")
{
	int fd;

	block_both();
	fd = CHECK_OK(signalfd(-1, &set, SFD_NONBLOCK));
	CHECK_OK(kill(getpid(), SIGUSR2));
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(read(fd, info, sizeof(info)), 2 * sizeof(info[0]));
	CHECK_EQ(info[0].ssi_signo + info[1].ssi_signo, SIGUSR1 + SIGUSR2);
}

CASE(blocked_read_is_woken_by_the_signal, "signalfd(2)")
{
	pid_t child;
	int fd;

	block_both();
	fd = CHECK_OK(signalfd(-1, &set, SFD_CLOEXEC));
	child = fork_child();
	if (child == 0)
		_exit(kill(getppid(), SIGUSR2));
	CHECK_EQ(read(fd, info, sizeof(info[0])), sizeof(info[0]));
	CHECK_EQ(info[0].ssi_signo, SIGUSR2);
	CHECK_EQ(info[0].ssi_pid, child);
	CHECK_EXITS(child, 0);
}

CASE(poll_follows_pending_signals, "signalfd(2)")
{
	struct pollfd entry = { .events = POLLIN };

	block_both();
	entry.fd = CHECK_OK(signalfd(-1, &set, 0));
	CHECK_EQ(poll(&entry, 1, 0), 0);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(poll(&entry, 1, -1), 1);
	CHECK_EQ(entry.revents, POLLIN);
}

CASE(mask_of_an_existing_descriptor_is_replaced, "signalfd(2)")
{
	int fd;

	block_both();
	fd = CHECK_OK(signalfd(-1, &set, SFD_NONBLOCK));
	sigdelset(&set, SIGUSR1);
	CHECK_EQ(signalfd(fd, &set, 0), fd);
	CHECK_OK(raise(SIGUSR1));
	CHECK_ERR(read(fd, info, sizeof(info)), EAGAIN);
}

CASE(SIGCHLD_is_read_with_status, "signalfd(2)")
{
	pid_t child;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	fd = CHECK_OK(signalfd(-1, &set, 0));
	child = fork_child();
	if (child == 0)
		_exit(23);
	CHECK_EQ(read(fd, info, sizeof(info[0])), sizeof(info[0]));
	CHECK_EQ(info[0].ssi_signo, SIGCHLD);
	CHECK_EQ(info[0].ssi_pid, child);
	CHECK_EQ(info[0].ssi_status, 23);
	CHECK_EXITS(child, 23);
}

CASE(signalfd_errors, "signalfd(2)")
{
	int ends[2];

	block_both();
	CHECK_OK(pipe(ends));
	CHECK_ERR(signalfd(-1, &set, 0x40), EINVAL);
	CHECK_ERR(signalfd(ends[0], &set, 0), EINVAL);
	CHECK_ERR(signalfd(999, &set, 0), EBADF);
	CHECK_ERR(syscall(SYS_signalfd4, -1, unmapped(), 8, 0), EFAULT);
	CHECK_ERR(syscall(SYS_signalfd4, -1, &set, 4, 0), EINVAL);
	CHECK_ERR(read(CHECK_OK(signalfd(-1, &set, 0)), info, 100), EINVAL);
}
