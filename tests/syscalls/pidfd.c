/* Processes as descriptors: pidfd_open, pidfd_send_signal, waiting and polling. */
#include "harness.h"
#include "fixtures.h"

#include <linux/fs.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

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

/* <linux/pidfd.h> of 6.18 */
struct pidfd_info_72 {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
	uint32_t coredump_mask, spare;
};
enum { GET_MNT_NAMESPACE = 0xff03, GET_USER_NAMESPACE = 0xff09, GET_UTS_NAMESPACE = 0xff0a };
#define GET_INFO(size) _IOC(_IOC_READ | _IOC_WRITE, 0xff, 11, size)

static ino_t number_of(int fd)
{
	struct stat status;

	CHECK_OK(fstat(fd, &status));
	return status.st_ino;
}

CASE(pidfds_of_a_process_have_one_inode_number_of_its_own, "pidfd_open(2)")
{
	pid_t child = sleeping_child();
	int fd = CHECK_OK(pidfd_open(child, 0)), mine = CHECK_OK(pidfd_open(getpid(), 0));
	ino_t number = number_of(fd);

	CHECK_EQ(number_of(CHECK_OK(pidfd_open(child, O_EXCL))), number);
	CHECK(number_of(mine) != number);
	CHECK_OK(close(fd));
	fd = CHECK_OK(pidfd_open(child, 0));
	CHECK_EQ(number_of(fd), number);
	CHECK_OK(kill(child, SIGKILL));
	CHECK_KILLED(child, SIGKILL);
	CHECK_EQ(number_of(fd), number);
}

CASE(a_pidfd_is_of_pidfs, "pidfd_open(2)")
{
	int fd = CHECK_OK(pidfd_open(getpid(), 0));
	char path[64], target[64] = { 0 };
	struct stat status;
	struct statfs system;

	CHECK_OK(fstatfs(fd, &system));
	CHECK_EQ(system.f_type, 0x50494446);
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_mode, 0700);
	CHECK_EQ(status.st_uid, 0);
	CHECK_EQ(status.st_size, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_OK(readlink(path, target, sizeof(target) - 1));
	CHECK_STREQ(target, "anon_inode:[pidfd]");
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	snprintf(target, sizeof(target), "\nino:\t%lu\nPid:\t%d\n", (unsigned long)status.st_ino, getpid());
	CHECK(strstr(text_of(path), target) != NULL);
}

CASE(nothing_of_a_pidfds_file_can_be_changed, "pidfd_open(2)")
{
	int fd = CHECK_OK(pidfd_open(getpid(), 0));
	struct timespec times[2] = { { 1, 0 }, { 1, 0 } };
	char byte = 0;

	CHECK_ERR(fchmod(fd, 0600), EOPNOTSUPP);
	CHECK_ERR(fchown(fd, getuid(), -1), EOPNOTSUPP);
	CHECK_ERR(futimens(fd, times), EOPNOTSUPP);
	CHECK_ERR(ftruncate(fd, 0), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, 0, 0, 1), EOPNOTSUPP);
	CHECK_ERR(read(fd, &byte, 1), EINVAL);
	CHECK_ERR(pread(fd, &byte, 1, 0), EINVAL);
	CHECK_ERR(write(fd, &byte, 1), EINVAL);
	CHECK_ERR(pwrite(fd, &byte, 1, 0), EINVAL);
	CHECK_ERR(lseek(fd, 0, SEEK_SET), ESPIPE);
	CHECK_ERR(fsync(fd), EINVAL);
	CHECK_EQ((long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), -1);
	CHECK_EQ(errno, ENODEV);
}

CASE(a_pidfd_keeps_trusted_attributes_for_the_process, "xattr(7)")
{
	int fd = CHECK_OK(pidfd_open(getpid(), 0));
	char value[8] = { 0 };

	NEEDS_ROOT();
	CHECK_ERR(fsetxattr(fd, "security.it", "1", 1, 0), EOPNOTSUPP);
	CHECK_EQ(fgetxattr(fd, "trusted.it", value, 8), 0);
	CHECK_OK(fsetxattr(fd, "trusted.it", "1", 1, 0));
	CHECK_OK(close(fd));
	fd = CHECK_OK(pidfd_open(getpid(), 0));
	CHECK_EQ(fgetxattr(fd, "trusted.it", value, 8), 1);
	CHECK_EQ(flistxattr(fd, value, 1), -1);
	CHECK_EQ(errno, ERANGE);
	CHECK_OK(fremovexattr(fd, "trusted.it"));
	CHECK_ERR(fremovexattr(fd, "trusted.it"), ENODATA);
}

CASE(a_pidfd_opened_again_by_proc_is_a_pidfd, "proc(5)")
{
	int fd = CHECK_OK(pidfd_open(getpid(), 0));
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (geteuid()) {
		CHECK_ERR(open(path, O_RDONLY), EACCES);
		return;
	}
	int again = CHECK_OK(open(path, O_RDONLY | O_NONBLOCK));

	CHECK_EQ(fcntl(again, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDONLY | O_NONBLOCK);
	CHECK_OK(pidfd_send_signal(again, 0, NULL, 0));
	CHECK_ERR(open(path, O_RDWR | O_TRUNC), EOPNOTSUPP);
}

CASE(a_pidfds_handle_opens_it_again, "open_by_handle_at(2)")
{
	struct {
		struct file_handle head;
		char room[64];
	} handle = { .head.handle_bytes = 64 };
	pid_t child = sleeping_child();
	int mount, fd = CHECK_OK(pidfd_open(child, 0));

	CHECK_OK(name_to_handle_at(fd, "", &handle.head, &mount, AT_EMPTY_PATH));
	CHECK_EQ(handle.head.handle_type, 0xfe);
	CHECK_EQ(handle.head.handle_bytes, 8);
	CHECK_EQ(*(uint64_t *)handle.head.f_handle, number_of(fd));
	CHECK_EQ(number_of(CHECK_OK(open_by_handle_at(fd, &handle.head, O_RDONLY))), number_of(fd));
	CHECK_ERR(open_by_handle_at(fd, &handle.head, O_RDONLY | O_CREAT), EINVAL);
	int again = CHECK_OK(open_by_handle_at(-10002, &handle.head, O_RDWR));

	CHECK_OK(pidfd_send_signal(again, SIGKILL, NULL, 0));
	CHECK_KILLED(child, SIGKILL);
	CHECK_ERR(open_by_handle_at(fd, &handle.head, O_RDONLY), ESTALE);
}

CASE(PIDFD_GET_INFO_tells_who_a_process_is, "ioctl_pidfd(2)")
{
	struct pidfd_info_72 info = { .mask = 1 };
	int fd = CHECK_OK(pidfd_open(getpid(), 0));

	CHECK_OK(ioctl(fd, GET_INFO(64), &info));
	CHECK_EQ(info.mask & 7, 7);
	CHECK_EQ(info.mask & 8, 0);
	CHECK(info.cgroupid != 0);
	CHECK_EQ(info.pid, getpid());
	CHECK_EQ(info.tgid, getpid());
	CHECK_EQ(info.ppid, getppid());
	CHECK_EQ(info.ruid, getuid());
	CHECK_EQ(info.fsgid, getegid());
	CHECK_EQ(info.exit_code, 0);
	info = (struct pidfd_info_72){ .mask = 0x1f, .spare = -1 };
	CHECK_OK(ioctl(fd, GET_INFO(72), &info));
	CHECK_EQ(info.mask & 0x1f, 0x17);
	CHECK_EQ(info.coredump_mask, 4);
	CHECK_OK(prctl(PR_SET_DUMPABLE, 0));
	info.mask = 0x10;
	CHECK_OK(ioctl(fd, GET_INFO(72), &info));
	CHECK_EQ(info.coredump_mask, 2);
}

CASE(PIDFD_GET_INFO_tells_a_threads_numbers, "ioctl_pidfd(2)")
{
	struct pidfd_info_72 info = { .mask = 1 };
	pthread_t thread;

	CHECK_OK(pipe(other_may_end));
	CHECK_EQ(pthread_create(&thread, NULL, other_thread, NULL), 0);
	while (!other_tid)
		usleep(1000);
	int fd = (int)CHECK_OK(pidfd_open(other_tid, O_EXCL));

	CHECK(number_of(fd) != number_of(CHECK_OK(pidfd_open(getpid(), 0))));
	CHECK_OK(ioctl(fd, GET_INFO(64), &info));
	CHECK_EQ(info.pid, other_tid);
	CHECK_EQ(info.tgid, getpid());
	CHECK_EQ(write(other_may_end[1], "x", 1), 1);
	pthread_join(thread, NULL);
}

CASE(PIDFD_GET_INFO_tells_how_a_process_ended_once_it_is_waited_for, "ioctl_pidfd(2)")
{
	struct pidfd_info_72 info = { .mask = 8 };
	pid_t child = fork_child();

	if (child == 0)
		_exit(7);
	int fd = CHECK_OK(pidfd_open(child, 0));

	CHECK_OK(waitid(P_PIDFD, fd, NULL, WEXITED | WNOWAIT));
	CHECK_OK(ioctl(fd, GET_INFO(64), &info));
	CHECK_EQ(info.mask & 0xf, 7);
	CHECK_EQ(info.ppid, getpid());
	CHECK_ERR(ioctl(fd, GET_MNT_NAMESPACE, 0), ESRCH);
	CHECK_EXITS(child, 7);
	info.mask = 1;
	CHECK_ERR(ioctl(fd, GET_INFO(64), &info), ESRCH);
	info.mask = 8;
	CHECK_OK(ioctl(fd, GET_INFO(64), &info));
	CHECK_EQ(info.mask & 0xf, 0xc);
	CHECK_EQ(info.exit_code, 7 << 8);
	CHECK_EQ(info.pid, 0);
	CHECK_ERR(ioctl(fd, GET_MNT_NAMESPACE, 0), ESRCH);
}

CASE(PIDFD_GET_INFO_errors, "ioctl_pidfd(2)")
{
	int generation = -1, fd = CHECK_OK(pidfd_open(getpid(), 0));
	struct pidfd_info_72 info = { .mask = 1 };

	CHECK_ERR(ioctl(fd, GET_INFO(63), &info), ENOTTY);
	CHECK_ERR(ioctl(fd, _IOC(_IOC_READ, 0xff, 11, 64), &info), ENOTTY);
	CHECK_ERR(ioctl(fd, GET_INFO(64), NULL), EINVAL);
	CHECK_ERR(ioctl(fd, GET_INFO(64), unmapped()), EFAULT);
	CHECK_ERR(ioctl(fd, 0xff00, 0), ENOTTY);
	CHECK_ERR(ioctl(fd, FIONREAD, &generation), ENOTTY);
	CHECK_OK(ioctl(fd, FS_IOC_GETVERSION, &generation));
	CHECK_EQ(generation, 0);
}

CASE(PIDFD_GET_INFO_is_EREMOTE_from_another_pid_namespace, "ioctl_pidfd(2)")
{
	NEEDS_ROOT();
	struct pidfd_info_72 info = { .mask = 1 };
	int fd = CHECK_OK(pidfd_open(getpid(), 0));

	CHECK_OK(unshare(CLONE_NEWPID));
	pid_t child = fork_child();

	if (child == 0) {
		CHECK_ERR(ioctl(fd, GET_INFO(64), &info), EREMOTE);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
}

CASE(a_pidfd_gives_descriptors_of_the_process_namespaces, "ioctl_pidfd(2)")
{
	static const char *const names[] = {
		"cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "time_for_children", "user", "uts",
	};
	int self = CHECK_OK(pidfd_open(getpid(), 0));

	for (int i = 0; i < 10; i++) {
		char path[64];
		int fd = CHECK_OK(ioctl(self, 0xff01 + i, 0));
		struct stat status;

		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		CHECK_OK(stat(path, &status));
		CHECK_EQ(number_of(fd), status.st_ino);
		CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	}
	CHECK_ERR(ioctl(self, GET_UTS_NAMESPACE, 1), EINVAL);
}

CASE(a_process_namespaces_are_for_those_who_may_trace_it, "ioctl_pidfd(2)")
{
	NEEDS_ROOT();
	int fd = CHECK_OK(pidfd_open(getpid(), 0));
	pid_t child = fork_child();

	if (child == 0) {
		CHECK_OK(setresuid(65534, 65534, 65534));
		CHECK_ERR(ioctl(fd, GET_USER_NAMESPACE, 0), EACCES);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
}
