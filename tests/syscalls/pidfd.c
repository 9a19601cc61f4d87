/* Processes as descriptors: pidfd_open, pidfd_send_signal, waiting and polling. */
#include "harness.h"
#include "fixtures.h"

#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static int pidfd_open(pid_t pid, unsigned flags)
{
	return syscall(SYS_pidfd_open, pid, flags);
}

static long pidfd_send_signal(int fd, int number, siginfo_t *info, unsigned flags)
{
	return syscall(SYS_pidfd_send_signal, fd, number, info, flags);
}

CASE(pidfd_becomes_readable_when_the_process_ends, "pidfd_open(2)")
{
	pid_t child = sleeping_child();
	struct pollfd entry = { .fd = CHECK_OK(pidfd_open(child, 0)), .events = POLLIN };

	CHECK_EQ(fcntl(entry.fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(poll(&entry, 1, 0), 0);
	CHECK_OK(kill(child, SIGKILL));
	CHECK_EQ(poll(&entry, 1, -1), 1);
	CHECK(entry.revents & POLLIN);
	CHECK_KILLED(child, SIGKILL);
}

CASE(waitid_P_PIDFD_waits_for_that_process, "wait(2)")
{
	siginfo_t info = { 0 };
	pid_t child = fork_child();
	int fd;

	if (child == 0)
		_exit(31);
	fd = CHECK_OK(pidfd_open(child, 0));
	CHECK_OK(waitid(P_PIDFD, fd, &info, WEXITED));
	CHECK_EQ(info.si_pid, child);
	CHECK_EQ(info.si_status, 31);
	CHECK_ERR(waitid(P_PIDFD, fd, &info, WEXITED), ECHILD);
	CHECK_ERR(waitid(P_PIDFD, 999, &info, WEXITED), EBADF);
}

CASE(pidfd_send_signal_signals_the_process, "pidfd_send_signal(2)")
{
	pid_t child = sleeping_child();
	int fd = CHECK_OK(pidfd_open(child, 0));

	CHECK_OK(pidfd_send_signal(fd, 0, NULL, 0));
	CHECK_OK(pidfd_send_signal(fd, SIGKILL, NULL, 0));
	CHECK_KILLED(child, SIGKILL);
	CHECK_ERR(pidfd_send_signal(fd, 0, NULL, 0), ESRCH);
}

CASE(pidfd_errors, "pidfd_open(2)")
{
	int fd = CHECK_OK(pidfd_open(getpid(), 0));

	CHECK_ERR(pidfd_open(0, 0), EINVAL);
	CHECK_ERR(pidfd_open(-1, 0), EINVAL);
	CHECK_ERR(pidfd_open(0x3fffffff, 0), ESRCH);
	CHECK_ERR(pidfd_open(getpid(), 0x40000000), EINVAL);
	CHECK_ERR(pidfd_send_signal(fd, 65, NULL, 0), EINVAL);
	CHECK_ERR(pidfd_send_signal(fd, 0, NULL, 0x1000), EINVAL);
	CHECK_ERR(pidfd_send_signal(0, 0, NULL, 0), EBADF);
	CHECK_ERR(pidfd_send_signal(999, 0, NULL, 0), EBADF);
}

CASE(CLONE_PIDFD_stores_a_descriptor_of_the_child, "clone(2)")
{
	struct pollfd entry = { .fd = -1, .events = POLLIN };
	pid_t child = CHECK_OK(syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &entry.fd, 0, 0));

	if (child == 0)
		_exit(3);
	CHECK(entry.fd >= 0);
	CHECK_EQ(poll(&entry, 1, -1), 1);
	CHECK_EXITS(child, 3);
}

CASE(rt_sigqueueinfo_refuses_to_pretend_to_be_the_kernel, "rt_sigqueueinfo(2)")
{
	siginfo_t info = { .si_code = SI_QUEUE };
	pid_t child = sleeping_child();

	CHECK_OK(syscall(SYS_rt_sigqueueinfo, child, 0, &info));
	info.si_code = SI_USER;
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, child, 0, &info), EPERM);
	info.si_code = SI_QUEUE;
	CHECK_OK(syscall(SYS_rt_tgsigqueueinfo, child, child, SIGTERM, &info));
	CHECK_KILLED(child, SIGTERM);
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, 0x3fffffff, 0, &info), ESRCH);
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, getpid(), 0, unmapped()), EFAULT);
}

CASE(pidfd_send_signal_takes_a_directory_of_proc, "pidfd_send_signal(2)")
{
	int self = CHECK_OK(open("/proc/self", O_DIRECTORY | O_RDONLY));
	int thread = CHECK_OK(open("/proc/thread-self", O_DIRECTORY | O_RDONLY));
	int file = CHECK_OK(open("/proc/self/status", O_RDONLY));

	CHECK_OK(pidfd_send_signal(self, 0, NULL, 0));
	CHECK_ERR(pidfd_send_signal(thread, 0, NULL, 0), EBADF);
	CHECK_ERR(pidfd_send_signal(file, 0, NULL, 0), EBADF);
	CHECK_ERR(pidfd_send_signal(CHECK_OK(open("/proc", O_RDONLY)), 0, NULL, 0), EBADF);
}

CASE(pidfd_send_signal_to_a_dead_process_is_ESRCH_by_its_directory_too, "pidfd_send_signal(2)")
{
	char name[32];
	pid_t child = sleeping_child();

	sprintf(name, "/proc/%d", child);
	int directory = CHECK_OK(open(name, O_DIRECTORY | O_RDONLY));
	CHECK_OK(pidfd_send_signal(directory, SIGKILL, NULL, 0));
	CHECK_KILLED(child, SIGKILL);
	CHECK_ERR(pidfd_send_signal(directory, 0, NULL, 0), ESRCH);
}

CASE(fdinfo_of_a_pidfd_tells_the_process_until_it_is_reaped, "proc(5)")
{
	char path[64], expected[64];
	pid_t child = fork_child();
	int fd;

	if (child == 0)
		pause();
	fd = CHECK_OK(pidfd_open(child, 0));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	snprintf(expected, sizeof(expected), "\nPid:\t%d\nNSpid:\t%d\n", child, child);
	CHECK(strstr(text_of(path), expected) != NULL);
	CHECK_OK(kill(child, SIGKILL));
	CHECK_EQ(waitid(P_PIDFD, fd, NULL, WEXITED | WNOWAIT), 0);
	CHECK(strstr(text_of(path), expected) != NULL);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	CHECK(strstr(text_of(path), "\nPid:\t-1\nNSpid:\t-1\n") != NULL);
	CHECK_OK(close(fd));
}

CASE(pidfd_hangs_up_once_the_process_is_waited_for, "pidfd_open(2)")
{
	pid_t child = CHECK_OK(fork());

	if (!child)
		_exit(0);
	struct pollfd poll_fd = { (int)CHECK_OK(syscall(SYS_pidfd_open, child, 0)), POLLIN, 0 };

	CHECK_EQ(poll(&poll_fd, 1, -1), 1);
	CHECK_EQ(poll_fd.revents, POLLIN);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	CHECK_EQ(poll(&poll_fd, 1, 0), 1);
	CHECK_EQ(poll_fd.revents, POLLIN | POLLHUP);
	CHECK_ERR(syscall(SYS_pidfd_send_signal, poll_fd.fd, 0, NULL, 0), ESRCH);
}

static volatile pid_t other_tid;
static int other_may_end[2];

static void *other_thread(void *unused)
{
	char byte;

	other_tid = (pid_t)syscall(SYS_gettid);
	if (read(other_may_end[0], &byte, 1) < 0)
		return unused;
	return NULL;
}

CASE(PIDFD_THREAD_refers_to_one_thread, "pidfd_open(2), pidfd_send_signal(2)")
{
	struct pollfd poll_fd = { .events = POLLIN };
	pthread_t thread;
	sigset_t set, pending;

	CHECK_OK(pipe(other_may_end));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_EQ(pthread_create(&thread, NULL, other_thread, NULL), 0);
	while (!other_tid)
		usleep(1000);
	CHECK_ERR(syscall(SYS_pidfd_open, other_tid, 0), ENOENT);
	poll_fd.fd = (int)CHECK_OK(syscall(SYS_pidfd_open, other_tid, O_EXCL));
	CHECK_EQ(poll(&poll_fd, 1, 0), 0);
	CHECK_OK(syscall(SYS_pidfd_send_signal, poll_fd.fd, SIGUSR1, NULL, 0));
	CHECK_OK(sigpending(&pending));
	CHECK_EQ(sigismember(&pending, SIGUSR1), 0);
	CHECK_OK(syscall(SYS_pidfd_send_signal, poll_fd.fd, SIGUSR1, NULL, 2));
	CHECK_OK(sigpending(&pending));
	CHECK_EQ(sigismember(&pending, SIGUSR1), 1);
	CHECK_ERR(syscall(SYS_pidfd_send_signal, poll_fd.fd, 0, NULL, 3), EINVAL);
	CHECK_EQ(write(other_may_end[1], "x", 1), 1);
	CHECK_EQ(poll(&poll_fd, 1, -1), 1);
	CHECK(poll_fd.revents & POLLIN);
	pthread_join(thread, NULL);
}

CASE(clone_with_a_bad_place_for_the_pidfd_makes_no_child, "clone(2)")
{
	CHECK_ERR(syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, 8, NULL, 0), EFAULT);
	CHECK_ERR(wait(NULL), ECHILD);
}
