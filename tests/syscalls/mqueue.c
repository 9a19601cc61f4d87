/* mq_open(3), mq_unlink(3), mq_send(3), mq_receive(3), mq_notify(3), mq_getattr(3): POSIX message queues. */
#include "harness.h"
#include "fixtures.h"

#include <grp.h>
#include <limits.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>

static char text[256];
static unsigned priority;

/* A new queue that has no name any more, for four messages of 16 bytes. */
static mqd_t nameless(int flags)
{
	struct mq_attr sizes = { .mq_maxmsg = 4, .mq_msgsize = 16 };
	char name[64];
	mqd_t queue;

	snprintf(name, sizeof(name), "/case.%d", getpid());
	queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL | flags, 0600, &sizes);
	mq_unlink(name);
	return CHECK_OK(queue);
}

static const char *name_of_case(void)
{
	static char name[64];

	snprintf(name, sizeof(name), "/named.%d", getpid());
	return name;
}

#define CHECK_RECEIVES(queue, expected, expected_priority)		\
	do {								\
		memset(text, 0, sizeof(text));				\
		CHECK_EQ(mq_receive(queue, text, 16, &priority), strlen(expected));	\
		CHECK_STREQ(text, expected);				\
		CHECK_EQ(priority, expected_priority);			\
	} while (0)

CASE(names_are_checked, "mq_open(3)")
{
	char name[PATH_MAX + 2];

	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	CHECK_ERR(syscall(SYS_mq_open, name, O_RDWR | O_CREAT, 0600, NULL), ENAMETOOLONG);
	name[256] = '\0';
	CHECK_ERR(syscall(SYS_mq_open, name, O_RDWR | O_CREAT, 0600, NULL), ENAMETOOLONG);
	CHECK_ERR(syscall(SYS_mq_open, "", O_RDWR | O_CREAT, 0600, NULL), ENOENT);
	CHECK_ERR(syscall(SYS_mq_open, "a/b", O_RDWR | O_CREAT, 0600, NULL), EACCES);
	CHECK_ERR(syscall(SYS_mq_open, "/a", O_RDWR | O_CREAT, 0600, NULL), EACCES);
	CHECK_ERR(syscall(SYS_mq_open, ".", O_RDWR | O_CREAT, 0600, NULL), EACCES);
	CHECK_ERR(syscall(SYS_mq_open, (void *)8, O_RDWR, 0600, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_mq_open, "absent", O_RDWR, 0600, (void *)8), EFAULT);
	CHECK_ERR(mq_open("/absent", O_RDWR), ENOENT);
	CHECK_ERR(mq_unlink("/absent"), ENOENT);
	CHECK_ERR(syscall(SYS_mq_unlink, ""), ENOENT);
	CHECK_ERR(syscall(SYS_mq_unlink, "a/b"), EACCES);
}

CASE(a_queue_lives_until_it_is_closed, "mq_unlink(3)")
{
	const char *name = name_of_case();
	mqd_t queue = CHECK_OK(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL));
	mqd_t again = mq_open(name, O_RDONLY);
	mqd_t exclusive = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL);
	int error = errno;

	CHECK_OK(mq_unlink(name));
	CHECK_EQ(exclusive, -1);
	CHECK_EQ(error, EEXIST);
	CHECK_OK(again);
	CHECK_ERR(mq_unlink(name), ENOENT);
	CHECK_ERR(mq_open(name, O_RDWR), ENOENT);
	CHECK_OK(mq_send(queue, "x", 1, 0));
	CHECK_EQ(mq_receive(again, text, sizeof(text), NULL), -1);
	CHECK_EQ(errno, EMSGSIZE);
	CHECK_EQ(fcntl(queue, F_GETFD), FD_CLOEXEC);
	CHECK_OK(mq_close(queue));
}

CASE(sizes_are_checked, "mq_open(3)")
{
	struct mq_attr sizes = { .mq_maxmsg = 0, .mq_msgsize = 1 };
	const char *name = name_of_case();

	CHECK_ERR(mq_open(name, O_RDWR | O_CREAT, 0600, &sizes), EINVAL);
	sizes.mq_maxmsg = -1;
	CHECK_ERR(mq_open(name, O_RDWR | O_CREAT, 0600, &sizes), EINVAL);
	sizes.mq_maxmsg = 1;
	sizes.mq_msgsize = 0;
	CHECK_ERR(mq_open(name, O_RDWR | O_CREAT, 0600, &sizes), EINVAL);
	sizes.mq_msgsize = -5;
	CHECK_ERR(mq_open(name, O_RDWR | O_CREAT, 0600, &sizes), EINVAL);
	sizes.mq_msgsize = (16 << 20) + 1;
	CHECK_ERR(mq_open(name, O_RDWR | O_CREAT, 0600, &sizes), EINVAL);
	sizes.mq_msgsize = 1;
	sizes.mq_maxmsg = 65537;
	CHECK_ERR(mq_open(name, O_RDWR | O_CREAT, 0600, &sizes), EINVAL);
	CHECK_ERR(mq_unlink(name), ENOENT);
}

CASE(the_usual_sizes_are_those_of_proc, "mq_overview(7)")
{
	const char *name = name_of_case();
	mqd_t queue = CHECK_OK(mq_open(name, O_RDWR | O_CREAT, 0600, NULL));
	struct mq_attr sizes;

	CHECK_OK(mq_unlink(name));
	CHECK_OK(mq_getattr(queue, &sizes));
	CHECK_EQ(sizes.mq_maxmsg, atol(text_of("/proc/sys/fs/mqueue/msg_default")));
	CHECK_EQ(sizes.mq_msgsize, atol(text_of("/proc/sys/fs/mqueue/msgsize_default")));
	CHECK_EQ(sizes.mq_curmsgs, 0);
	CHECK_EQ(sizes.mq_flags, 0);
}

CASE(RLIMIT_MSGQUEUE_bounds_what_a_user_has, "getrlimit(2)")
{
	struct rlimit limit = { 10000, 10000 };
	struct mq_attr sizes = { .mq_maxmsg = 10, .mq_msgsize = 8000 };

	CHECK_OK(setrlimit(RLIMIT_MSGQUEUE, &limit));
	CHECK_ERR(mq_open(name_of_case(), O_RDWR | O_CREAT, 0600, &sizes), EMFILE);
	CHECK_ERR(mq_unlink(name_of_case()), ENOENT);
}

CASE(without_a_free_descriptor_no_queue_is_made, "mq_open(3)")
{
	struct rlimit limit = { 0, 0 };

	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	CHECK_ERR(mq_open(name_of_case(), O_RDWR | O_CREAT, 0600, NULL), EMFILE);
	CHECK_ERR(mq_unlink(name_of_case()), ENOENT);
}

CASE(messages_arrive_by_priority_then_in_order, "mq_receive(3)")
{
	mqd_t queue = nameless(0);

	CHECK_OK(mq_send(queue, "low", 3, 1));
	CHECK_OK(mq_send(queue, "high", 4, 32767));
	CHECK_OK(mq_send(queue, "second", 6, 1));
	CHECK_OK(mq_send(queue, "", 0, 0));
	CHECK_RECEIVES(queue, "high", 32767);
	CHECK_RECEIVES(queue, "low", 1);
	CHECK_RECEIVES(queue, "second", 1);
	CHECK_RECEIVES(queue, "", 0);
}

CASE(bad_transfers_are_refused, "mq_send(3)")
{
	mqd_t queue = nameless(O_NONBLOCK);
	struct timespec bad = { 0, 1000000000 }, negative = { -1, 0 };
	char path[64];
	int fd = make_file("file", "x");

	CHECK_ERR(mq_send(queue, text, 1, 32768), EINVAL);
	CHECK_ERR(mq_send(queue, text, 17, 0), EMSGSIZE);
	CHECK_ERR(mq_send(queue, (void *)8, 5, 0), EFAULT);
	CHECK_ERR(mq_receive(queue, text, 15, NULL), EMSGSIZE);
	CHECK_ERR(mq_receive(queue, text, 16, NULL), EAGAIN);
	CHECK_ERR(mq_timedreceive(queue, text, 16, NULL, &bad), EINVAL);
	CHECK_ERR(mq_timedsend(queue, text, 1, 0, &negative), EINVAL);
	CHECK_ERR(mq_timedsend(queue, text, 1, 0, (void *)8), EFAULT);
	CHECK_ERR(mq_send(fd, text, 1, 0), EBADF);
	CHECK_ERR(mq_receive(fd, text, 16, NULL), EBADF);
	CHECK_ERR(mq_send(-1, text, 1, 0), EBADF);
	for (int i = 0; i < 4; i++)
		CHECK_OK(mq_send(queue, text, 1, 0));
	CHECK_ERR(mq_send(queue, text, 1, 0), EAGAIN);
	CHECK_ERR(mq_receive(queue, (void *)8, 16, NULL), EFAULT);
	CHECK_ERR(write(queue, "x", 1), EINVAL);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", queue);
	CHECK_EQ(open(path, O_RDONLY | O_CLOEXEC) >= 0, 1);
}

CASE(the_open_mode_counts, "mq_open(3)")
{
	const char *name = name_of_case();
	mqd_t out = CHECK_OK(mq_open(name, O_WRONLY | O_CREAT, 0600, NULL));
	mqd_t in = mq_open(name, O_RDONLY | O_NONBLOCK);

	CHECK_OK(mq_unlink(name));
	CHECK_OK(in);
	CHECK_ERR(mq_receive(out, text, sizeof(text), NULL), EBADF);
	CHECK_ERR(mq_send(in, "x", 1, 0), EBADF);
	CHECK_OK(mq_send(out, "x", 1, 0));
}

CASE(a_receiver_waits, "mq_receive(3)")
{
	mqd_t queue = nameless(0);
	pid_t child = fork_child();

	if (child == 0) {
		CHECK_RECEIVES(queue, "now", 7);
		_exit(0);
	}
	usleep(20000);
	CHECK_OK(mq_send(queue, "now", 3, 7));
	CHECK_EXITS(child, 0);
}

CASE(a_sender_waits, "mq_send(3)")
{
	mqd_t queue = nameless(0);
	pid_t child;

	for (int i = 0; i < 4; i++)
		CHECK_OK(mq_send(queue, "full", 4, 1));
	child = fork_child();
	if (child == 0)
		_exit(mq_send(queue, "late", 4, 2) != 0);
	usleep(20000);
	CHECK_RECEIVES(queue, "full", 1);
	CHECK_EXITS(child, 0);
	CHECK_RECEIVES(queue, "late", 2);
}

CASE(waits_give_up_at_a_time_of_day, "mq_receive(3)")
{
	mqd_t queue = nameless(0);
	struct timespec when, past = { 1, 0 };

	CHECK_ERR(mq_timedreceive(queue, text, 16, NULL, &past), ETIMEDOUT);
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &when));
	when.tv_nsec += 20000000;
	if (when.tv_nsec >= 1000000000)
		when.tv_sec++, when.tv_nsec -= 1000000000;
	CHECK_ERR(mq_timedreceive(queue, text, 16, NULL, &when), ETIMEDOUT);
	CHECK(nanoseconds(CLOCK_REALTIME) >= when.tv_sec * 1000000000LL + when.tv_nsec);
	for (int i = 0; i < 4; i++)
		CHECK_OK(mq_timedsend(queue, "x", 1, 0, &past));
	CHECK_ERR(mq_timedsend(queue, "x", 1, 0, &past), ETIMEDOUT);
	CHECK_EQ(mq_timedreceive(queue, text, 16, NULL, &past), 1);
}

CASE(a_signal_interrupts_waits, "signal(7)")
{
	mqd_t queue = nameless(0);

	alarm_often(count_signal, 0);
	CHECK_ERR(mq_receive(queue, text, 16, NULL), EINTR);
	still();
	for (int i = 0; i < 4; i++)
		CHECK_OK(mq_send(queue, "x", 1, 0));
	alarm_often(count_signal, 0);
	CHECK_ERR(mq_send(queue, "x", 1, 0), EINTR);
	still();
}

static mqd_t answered;

static void send_on_third(int number)
{
	(void)number;
	if (++signals_seen == 3)
		mq_send(answered, "done", 4, 0);
}

CASE(SA_RESTART_restarts_waits, "signal(7)")
{
	answered = nameless(0);
	alarm_often(send_on_third, SA_RESTART);
	CHECK_RECEIVES(answered, "done", 0);
	still();
	CHECK(signals_seen >= 3);
}

CASE(attributes_are_told_and_O_NONBLOCK_is_set, "mq_getattr(3)")
{
	mqd_t queue = nameless(0);
	struct mq_attr sizes, old;

	CHECK_OK(mq_send(queue, "x", 1, 0));
	CHECK_OK(mq_getattr(queue, &sizes));
	CHECK_EQ(sizes.mq_flags, 0);
	CHECK_EQ(sizes.mq_maxmsg, 4);
	CHECK_EQ(sizes.mq_msgsize, 16);
	CHECK_EQ(sizes.mq_curmsgs, 1);
	sizes.mq_flags = O_NONBLOCK;
	sizes.mq_maxmsg = 99;
	CHECK_OK(mq_setattr(queue, &sizes, &old));
	CHECK_EQ(old.mq_flags, 0);
	CHECK_EQ(fcntl(queue, F_GETFL), O_RDWR | O_NONBLOCK);
	CHECK_OK(mq_getattr(queue, &sizes));
	CHECK_EQ(sizes.mq_flags, O_NONBLOCK);
	CHECK_EQ(sizes.mq_maxmsg, 4);
	sizes.mq_flags = O_APPEND;
	CHECK_ERR(mq_setattr(queue, &sizes, NULL), EINVAL);
	CHECK_ERR(mq_getattr(make_file("file", ""), &sizes), EBADF);
	CHECK_ERR(syscall(SYS_mq_getsetattr, queue, NULL, 8), EFAULT);
	CHECK_ERR(syscall(SYS_mq_getsetattr, queue, 8, NULL), EFAULT);
}

CASE(readiness_follows_the_messages, "mq_overview(7)")
{
	struct pollfd entry = { .fd = nameless(0), .events = POLLIN | POLLOUT };
	int epoll = CHECK_OK(epoll_create1(0));
	struct epoll_event event = { .events = EPOLLIN };
	pid_t child;

	CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, entry.fd, &event));
	CHECK_EQ(poll(&entry, 1, 0), 1);
	CHECK_EQ(entry.revents, POLLOUT);
	CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
	child = fork_child();
	if (child == 0) {
		usleep(10000);
		_exit(mq_send(entry.fd, "x", 1, 0) != 0);
	}
	CHECK_EQ(epoll_wait(epoll, &event, 1, 5000), 1);
	CHECK_EXITS(child, 0);
	CHECK_EQ(poll(&entry, 1, 0), 1);
	CHECK_EQ(entry.revents, POLLIN | POLLOUT);
	for (int i = 0; i < 3; i++)
		CHECK_OK(mq_send(entry.fd, "x", 1, 0));
	CHECK_EQ(poll(&entry, 1, 0), 1);
	CHECK_EQ(entry.revents, POLLIN);
}

static siginfo_t noticed;

static void notice(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	noticed = *info;
	signals_seen++;
}

CASE(a_signal_tells_of_the_first_message, "mq_notify(3)")
{
	mqd_t queue = nameless(0);
	struct sigaction action = { .sa_sigaction = notice, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	pid_t child;

	event.sigev_value.sival_int = 1234;
	CHECK_OK(sigaction(SIGUSR1, &action, NULL));
	CHECK_OK(mq_notify(queue, &event));
	CHECK_ERR(mq_notify(queue, &event), EBUSY);
	child = fork_child();
	if (child == 0) {
		CHECK_ERR(mq_notify(queue, &event), EBUSY);
		CHECK_OK(mq_notify(queue, NULL));
		_exit(mq_send(queue, "x", 1, 0) != 0);
	}
	CHECK_EXITS(child, 0);
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(noticed.si_code, SI_MESGQ);
	CHECK_EQ(noticed.si_value.sival_int, 1234);
	CHECK_EQ(noticed.si_pid, child);
	CHECK_EQ(noticed.si_uid, getuid());
	CHECK_OK(mq_notify(queue, &event));
	CHECK_OK(mq_send(queue, "y", 1, 0));
	CHECK_EQ(signals_seen, 1);
	CHECK_OK(mq_notify(queue, NULL));
	CHECK_OK(mq_notify(queue, &event));
}

CASE(a_waiting_receiver_goes_before_a_notification, "mq_notify(3)")
{
	mqd_t queue = nameless(0);
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	pid_t child = fork_child();

	if (child == 0) {
		CHECK_RECEIVES(queue, "x", 0);
		_exit(0);
	}
	usleep(50000);
	handle(SIGUSR1, count_signal, 0);
	CHECK_OK(mq_notify(queue, &event));
	CHECK_OK(mq_send(queue, "x", 1, 0));
	CHECK_EXITS(child, 0);
	CHECK_EQ(signals_seen, 0);
	CHECK_ERR(mq_notify(queue, &event), EBUSY);
	CHECK_OK(mq_send(queue, "x", 1, 0));
	CHECK_EQ(signals_seen, 1);
}

static void in_a_thread(union sigval value)
{
	tell(value.sival_int);
}

CASE(a_thread_is_started_for_the_first_message, "mq_notify(3)")
{
	mqd_t queue = nameless(0);
	struct sigevent event = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = in_a_thread };
	int ends[2];

	CHECK_OK(pipe(ends));
	event.sigev_value.sival_int = ends[1];
	for (int round = 0; round < 2; round++) {
		CHECK_OK(mq_notify(queue, &event));
		CHECK_OK(mq_send(queue, "x", 1, 0));
		await(ends[0]);
		CHECK_RECEIVES(queue, "x", 0);
	}
	CHECK_OK(mq_notify(queue, &event));
	CHECK_OK(mq_notify(queue, NULL));
	event.sigev_signo = ends[0];
	event.sigev_value.sival_ptr = text;
	CHECK_ERR(syscall(SYS_mq_notify, queue, &event), ENOTSOCK);
	event.sigev_signo = CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
	CHECK_ERR(syscall(SYS_mq_notify, queue, &event), EINVAL);
	event.sigev_signo = -1;
	CHECK_ERR(syscall(SYS_mq_notify, queue, &event), EBADF);
	event.sigev_value.sival_ptr = (void *)8;
	CHECK_ERR(syscall(SYS_mq_notify, queue, &event), EFAULT);
}

CASE(the_queues_of_a_namespace_are_files, "mq_overview(7)")
{
	const char *name = name_of_case();
	mqd_t queue;
	char path[128];
	struct stat status;
	pid_t child;

	NEEDS_ROOT();
	child = fork_child();
	if (child == 0) {
		if (unshare(CLONE_NEWNS | CLONE_NEWIPC) != 0)
			SKIP("no namespaces");
		CHECK_OK(mkdir("mnt", 0755));
		CHECK_OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
		CHECK_OK(mount("none", "mnt", "mqueue", 0, NULL));
		umask(022);
		queue = CHECK_OK(mq_open(name, O_RDWR | O_CREAT, 0664, NULL));
		snprintf(path, sizeof(path), "mnt%s", name);
		CHECK_OK(stat(path, &status));
		CHECK_EQ(status.st_mode, S_IFREG | 0644);
		CHECK_EQ(status.st_size, 80);
		CHECK_OK(mq_send(queue, "1234", 4, 0));
		CHECK(strncmp(text_of(path), "QSIZE:4 ", 8) == 0);
		CHECK_OK(stat("mnt", &status));
		CHECK_EQ(status.st_mode, S_IFDIR | 01777);
		CHECK_EQ(status.st_size, 60);
		CHECK_ERR(mkdir("mnt/directory", 0755), EPERM);
		CHECK_ERR(symlink("target", "mnt/link"), EPERM);
		CHECK_ERR(link(path, "mnt/other"), EPERM);
		CHECK_ERR(rename(path, "mnt/other"), EPERM);
		CHECK_OK(chmod(path, 0600));
		CHECK_OK(close(CHECK_OK(open("mnt/made", O_RDWR | O_CREAT, 0600))));
		CHECK_OK(mq_close(CHECK_OK(mq_open("/made", O_RDWR))));
		CHECK_OK(unlink(path));
		CHECK_ERR(mq_open(name, O_RDWR), ENOENT);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_ERR(mq_open(name, O_RDWR), ENOENT);
}

CASE(bad_notifications_are_refused, "mq_notify(3)")
{
	mqd_t queue = nameless(0);
	struct sigevent event = { .sigev_notify = 77 };

	CHECK_ERR(mq_notify(queue, &event), EINVAL);
	event.sigev_notify = SIGEV_SIGNAL;
	event.sigev_signo = 65;
	CHECK_ERR(mq_notify(queue, &event), EINVAL);
	event.sigev_signo = -1;
	CHECK_ERR(mq_notify(queue, &event), EINVAL);
	event.sigev_signo = SIGUSR1;
	CHECK_ERR(mq_notify(make_file("file", ""), &event), EBADF);
	CHECK_ERR(mq_notify(-1, &event), EBADF);
	CHECK_ERR(syscall(SYS_mq_notify, queue, 8), EFAULT);
}

CASE(a_registration_ends_with_its_process_or_a_close, "mq_notify(3)")
{
	mqd_t queue = nameless(0);
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	pid_t child = fork_child();

	if (child == 0)
		_exit(mq_notify(queue, &event) != 0);
	CHECK_EXITS(child, 0);
	CHECK_OK(mq_notify(queue, &event));
	CHECK_ERR(mq_notify(queue, &event), EBUSY);
	CHECK_OK(close(CHECK_OK(dup(queue))));
	CHECK_OK(mq_notify(queue, &event));
}

CASE(the_file_tells_about_the_queue, "mq_overview(7)")
{
	mqd_t queue = nameless(0);
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };
	char expected[128];
	struct stat status;

	CHECK_OK(mq_notify(queue, &event));
	snprintf(expected, sizeof(expected), "QSIZE:%-10d NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", 0, 0,
		 SIGUSR2, getpid());
	memset(text, 0, sizeof(text));
	CHECK_EQ(read(queue, text, sizeof(text)), strlen(expected));
	CHECK_STREQ(text, expected);
	CHECK_EQ(read(queue, text, sizeof(text)), 0);
	handle(SIGUSR2, SIG_IGN, 0);
	CHECK_OK(mq_send(queue, "12345", 5, 0));
	CHECK_OK(mq_send(queue, "678", 3, 0));
	CHECK_EQ(pread(queue, text, 7, 0), 7);
	CHECK(memcmp(text, "QSIZE:8", 7) == 0);
	CHECK_EQ(lseek(queue, 0, SEEK_SET), 0);
	CHECK_OK(fstat(queue, &status));
	CHECK_EQ(status.st_mode, S_IFREG | 0600);
	CHECK_EQ(status.st_size, 80);
	CHECK_EQ(status.st_nlink, 0);
	CHECK_EQ(status.st_uid, geteuid());
}

CASE(permissions_are_checked, "mq_open(3)")
{
	const char *name = name_of_case();
	mqd_t queue;
	pid_t child;

	NEEDS_ROOT();
	umask(0);
	queue = CHECK_OK(mq_open(name, O_RDWR | O_CREAT, 0604, NULL));
	child = fork_child();
	if (child == 0) {
		CHECK_OK(setgroups(0, NULL));
		CHECK_OK(setresgid(1234, 1234, 1234));
		CHECK_OK(setresuid(1234, 1234, 1234));
		CHECK_ERR(mq_open(name, O_RDWR), EACCES);
		CHECK_ERR(mq_open(name, O_WRONLY), EACCES);
		CHECK_OK(mq_open(name, O_RDONLY));
		CHECK_ERR(syscall(SYS_mq_unlink, name + 1), EPERM);
		_exit(0);
	}
	wait_status(child);
	CHECK_OK(mq_unlink(name));
	CHECK_OK(mq_close(queue));
	CHECK(!report->failed);
}

CASE(queues_are_shared_by_fork_and_closed_by_execve, "mq_overview(7)")
{
	mqd_t queue = nameless(0);
	char command[64];
	pid_t child = fork_child();

	if (child == 0) {
		CHECK_OK(mq_send(queue, "child", 5, 3));
		snprintf(command, sizeof(command), "test ! -e /proc/self/fd/%d", queue);
		execlp("sh", "sh", "-c", command, NULL);
		_exit(1);
	}
	CHECK_EXITS(child, 0);
	CHECK_RECEIVES(queue, "child", 3);
}
