/* Calls that another process answers: the listener of a filter. */
#include "harness.h"
#include "fixtures.h"
#include "filters.h"

#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1)
#endif

static int listen_for(int number, unsigned flags)
{
	no_new_privs();
	return CHECK_OK(filter_call(number, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER | flags));
}

static void receive(int listener, struct seccomp_notif *notification)
{
	memset(notification, 0, sizeof(*notification));
	CHECK_OK(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, notification));
}

static int reply(int listener, uint64_t id, int64_t value, int error, unsigned flags)
{
	struct seccomp_notif_resp response = { .id = id, .val = value, .error = error, .flags = flags };

	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static short events_of(int listener)
{
	struct pollfd entry = { .fd = listener, .events = POLLIN | POLLOUT };

	CHECK_OK(poll(&entry, 1, 0));
	return entry.revents;
}

static short await_events(int listener, short events)
{
	struct pollfd entry = { .fd = listener, .events = events };

	CHECK_EQ(poll(&entry, 1, -1), 1);
	return entry.revents;
}

CASE(a_listener_sees_the_call_and_gives_its_result, "seccomp_unotify(2)")
{
	int listener = listen_for(SYS_mkdir, 0);
	struct seccomp_notif seen;
	pid_t child;

	CHECK_EQ(fcntl(listener, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(events_of(listener), 0);
	child = fork_child();
	if (child == 0)
		_exit(syscall(SYS_mkdir, "here", 0712) == 55 ? 0 : 1);
	receive(listener, &seen);
	CHECK_EQ(seen.pid, child);
	CHECK_EQ(seen.flags, 0);
	CHECK_EQ(seen.data.nr, SYS_mkdir);
	CHECK_EQ(seen.data.arch, AUDIT_ARCH_X86_64);
	CHECK_EQ(seen.data.args[1], 0712);
	CHECK(seen.data.instruction_pointer);
	CHECK_EQ(events_of(listener), POLLOUT);
	CHECK_OK(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &seen.id));
	CHECK_OK(reply(listener, seen.id, 55, 0, 0));
	CHECK_EXITS(child, 0);
	CHECK_ERR(reply(listener, seen.id, 55, 0, 0), ENOENT);
	CHECK_ERR(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &seen.id), ENOENT);
	CHECK_ERR(rmdir("here"), ENOENT);
}

CASE(a_listener_may_give_an_error_or_let_the_call_go_on, "seccomp_unotify(2)")
{
	int listener = listen_for(SYS_mkdir, 0);
	struct seccomp_notif seen;
	pid_t child = fork_child();

	if (child == 0) {
		CHECK_ERR(mkdir("here", 0700), EXFULL);
		CHECK_OK(mkdir("here", 0700));
		_exit(0);
	}
	receive(listener, &seen);
	CHECK_OK(reply(listener, seen.id, 0, -EXFULL, 0));
	receive(listener, &seen);
	CHECK_ERR(reply(listener, seen.id, 1, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE), EINVAL);
	CHECK_ERR(reply(listener, seen.id, 0, 1, SECCOMP_USER_NOTIF_FLAG_CONTINUE), EINVAL);
	CHECK_ERR(reply(listener, seen.id, 0, 0, 2), EINVAL);
	CHECK_OK(reply(listener, seen.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE));
	CHECK_EXITS(child, 0);
	CHECK_OK(rmdir("here"));
}

CASE(what_has_not_been_received_can_t_be_answered, "seccomp_unotify(2)")
{
	int listener = listen_for(SYS_mkdir, 0);
	struct seccomp_notif first, second;
	pid_t child = fork_child();

	if (child == 0)
		_exit(syscall(SYS_mkdir, "here", 0700) == 1 && syscall(SYS_mkdir, "here", 0700) == 2 ? 0 : 1);
	receive(listener, &first);
	CHECK_OK(reply(listener, first.id, 1, 0, 0));
	CHECK_EQ(await_events(listener, POLLIN), POLLIN);
	CHECK_ERR(reply(listener, first.id, 1, 0, 0), ENOENT);
	CHECK_ERR(reply(listener, first.id + 1, 1, 0, 0), EINPROGRESS);
	receive(listener, &second);
	CHECK_EQ(second.id, first.id + 1);
	CHECK_OK(reply(listener, second.id, 2, 0, 0));
	CHECK_EXITS(child, 0);
}

CASE(requests_and_pointers_are_checked, "seccomp_unotify(2)")
{
	int listener = listen_for(SYS_mkdir, 0);
	struct seccomp_notif seen = { .pid = 1 };
	char byte;

	CHECK_ERR(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &seen), EINVAL);
	CHECK_ERR(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, unmapped()), EFAULT);
	CHECK_ERR(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, unmapped()), EFAULT);
	CHECK_ERR(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, unmapped()), EFAULT);
	CHECK_ERR(ioctl(listener, 0x2199, 0), EINVAL);
	CHECK_ERR(ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, 2), EINVAL);
	CHECK_OK(ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, 1));
	CHECK_ERR(read(listener, &byte, 1), EINVAL);
	CHECK_ERR(write(listener, "x", 1), EINVAL);
}

CASE(a_second_listener_is_EBUSY, "seccomp(2)")
{
	listen_for(SYS_mkdir, 0);
	CHECK_ERR(filter_call(SYS_rmdir, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER), EBUSY);
	CHECK_OK(filter_call(SYS_rmdir, SECCOMP_RET_ERRNO | EPERM, 0));
}

CASE(a_listener_that_is_closed_leaves_ENOSYS, "seccomp_unotify(2)")
{
	int listener = listen_for(SYS_mkdir, 0);
	struct seccomp_notif seen;
	pid_t child = fork_child();

	if (child == 0) {
		close(listener);
		CHECK_ERR(mkdir("here", 0700), ENOSYS);
		CHECK_ERR(mkdir("here", 0700), ENOSYS);
		_exit(0);
	}
	receive(listener, &seen);
	CHECK_OK(close(listener));
	CHECK_EXITS(child, 0);
	CHECK_ERR(mkdir("here", 0700), ENOSYS);
}

/* The filtered process alone is left to ask. */
static pid_t hand_over(int *listener, unsigned flags, void (*body)(void))
{
	struct msghdr message = { 0 };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec part = { .iov_base = (char[1]){ 0 }, .iov_len = 1 };
	int pair[2];
	pid_t child;

	message.msg_iov = &part;
	message.msg_iovlen = 1;
	message.msg_control = &control;
	message.msg_controllen = sizeof(control);
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	child = fork_child();
	if (child == 0) {
		int fd = listen_for(SYS_mkdir, flags);

		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
		CHECK_OK(sendmsg(pair[0], &message, 0));
		close(fd);
		body();
		_exit(0);
	}
	CHECK_EQ(recvmsg(pair[1], &message, 0), 1);
	memcpy(listener, CMSG_DATA(&control.head), sizeof(*listener));
	return child;
}

static void nothing(void)
{
}

CASE(without_filtered_processes_it_hangs_up, "seccomp_unotify(2)")
{
	struct seccomp_notif seen = { 0 };
	int listener;
	pid_t child = hand_over(&listener, 0, nothing);

	CHECK_EXITS(child, 0);
	CHECK_EQ(await_events(listener, POLLIN), POLLHUP);
	CHECK_ERR(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &seen), ENOENT);
}

static void be_interrupted(void)
{
	handle(SIGUSR1, count_signal, 0);
	CHECK_ERR(syscall(SYS_mkdir, "here", 0700), EINTR);
	CHECK_EQ(signals_seen, 1);
}

CASE(a_signal_ends_the_wait_and_takes_the_notification_back, "seccomp_unotify(2)")
{
	struct seccomp_notif seen;
	int listener;
	pid_t child = hand_over(&listener, 0, be_interrupted);

	receive(listener, &seen);
	CHECK_OK(kill(child, SIGUSR1));
	CHECK_EXITS(child, 0);
	CHECK_ERR(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &seen.id), ENOENT);
	CHECK_ERR(reply(listener, seen.id, 0, 0, 0), ENOENT);
}

static void ask_again(void)
{
	handle(SIGUSR1, count_signal, SA_RESTART);
	CHECK_EQ(syscall(SYS_mkdir, "here", 0700), 77);
	CHECK_EQ(signals_seen, 1);
}

CASE(with_SA_RESTART_it_asks_again, "seccomp_unotify(2)")
{
	struct seccomp_notif first, second;
	int listener;
	pid_t child = hand_over(&listener, 0, ask_again);

	receive(listener, &first);
	CHECK_OK(kill(child, SIGUSR1));
	receive(listener, &second);
	CHECK(second.id != first.id);
	CHECK_OK(reply(listener, second.id, 77, 0, 0));
	CHECK_EXITS(child, 0);
}

static void be_left_alone(void)
{
	handle(SIGUSR1, count_signal, 0);
	CHECK_EQ(syscall(SYS_mkdir, "here", 0700), 66);
	CHECK_EQ(signals_seen, 1);
}

CASE(WAIT_KILLABLE_RECV_lets_only_fatal_signals_end_it_once_received, "seccomp_unotify(2)")
{
	struct seccomp_notif seen;
	int listener;
	pid_t child = hand_over(&listener, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, be_left_alone);

	receive(listener, &seen);
	usleep(20000);
	CHECK_OK(kill(child, SIGUSR1));
	usleep(20000);
	CHECK_OK(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &seen.id));
	CHECK_OK(reply(listener, seen.id, 66, 0, 0));
	CHECK_EXITS(child, 0);
	child = hand_over(&listener, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, be_left_alone);
	receive(listener, &seen);
	end_child(child);
	CHECK_ERR(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &seen.id), ENOENT);
}

static void use_descriptors(void)
{
	char byte;
	int fd = syscall(SYS_mkdir, "here", 0700);

	CHECK_EQ(fd, 9);
	CHECK_EQ(read(8, &byte, 1), 1);
	CHECK_EQ(byte, 'a');
	CHECK_EQ(fcntl(8, F_GETFD), FD_CLOEXEC);
	fd = syscall(SYS_mkdir, "here", 0700);
	CHECK_EQ(read(fd, &byte, 1), 1);
	CHECK_EQ(byte, 'b');
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
}

CASE(ADDFD_puts_a_descriptor_into_the_process, "seccomp_unotify(2)")
{
	struct seccomp_notif seen;
	struct seccomp_notif_addfd addfd = { 0 };
	int listener, lowest;
	pid_t child;

	addfd.srcfd = make_file("data", "ab");
	CHECK_EQ(lseek(addfd.srcfd, 0, SEEK_SET), 0);
	child = hand_over(&listener, 0, use_descriptors);
	receive(listener, &seen);
	addfd.id = seen.id + 1;
	CHECK_ERR(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &addfd), ENOENT);
	addfd.id = seen.id;
	addfd.newfd_flags = O_NONBLOCK;
	CHECK_ERR(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &addfd), EINVAL);
	addfd.newfd_flags = O_CLOEXEC;
	addfd.flags = 4;
	CHECK_ERR(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &addfd), EINVAL);
	addfd.flags = 0;
	addfd.newfd = 8;
	CHECK_ERR(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &addfd), EINVAL);
	addfd.flags = SECCOMP_ADDFD_FLAG_SETFD;
	CHECK_EQ(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &addfd), 8);
	addfd.newfd = 0x7fffffff;
	CHECK_ERR(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &addfd), EBADF);
	addfd.newfd = 8;
	addfd.srcfd = 999;
	CHECK_ERR(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &addfd), EBADF);
	CHECK_ERR(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, unmapped()), EFAULT);
	CHECK_OK(reply(listener, seen.id, 9, 0, 0));
	receive(listener, &seen);
	addfd = (struct seccomp_notif_addfd){ .id = seen.id, .flags = SECCOMP_ADDFD_FLAG_SEND,
					      .srcfd = CHECK_OK(open("data", O_RDONLY)) };
	CHECK_EQ(lseek(addfd.srcfd, 1, SEEK_SET), 1);
	lowest = CHECK_OK(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &addfd));
	CHECK(lowest > 2);
	CHECK_EXITS(child, 0);
}

CASE(receiving_waits_and_is_interrupted_by_signals, "seccomp_unotify(2)")
{
	int listener = listen_for(SYS_mkdir, 0);
	struct seccomp_notif seen = { 0 };

	alarm_often(count_signal, 0);
	CHECK_ERR(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &seen), EINTR);
	still();
}

CASE(a_listener_looks_like_an_anonymous_inode, "seccomp_unotify(2)")
{
	char name[64], target[64] = "";

	sprintf(name, "/proc/self/fd/%d", listen_for(SYS_mkdir, 0));
	CHECK_OK(readlink(name, target, sizeof(target) - 1));
	CHECK_STREQ(target, "anon_inode:seccomp notify");
}
