/* Several messages at once, vmsplice, and waiting for several futexes. */
#include "harness.h"
#include "fixtures.h"

#include <linux/futex.h>
#include <sys/socket.h>
#include <sys/uio.h>

static int pair[2];

CASE(sendmmsg_and_recvmmsg_count_messages, "sendmmsg(2)")
{
	char texts[3][8] = { "one", "second", "3" }, buffers[4][8];
	struct mmsghdr messages[4] = { 0 };
	struct iovec parts[4];

	CHECK_OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	for (int i = 0; i < 3; i++) {
		parts[i] = (struct iovec){ texts[i], strlen(texts[i]) };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
	}
	CHECK_EQ(sendmmsg(pair[0], messages, 3, 0), 3);
	CHECK_EQ(messages[1].msg_len, 6);
	for (int i = 0; i < 4; i++) {
		parts[i] = (struct iovec){ buffers[i], sizeof(buffers[i]) };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
	}
	CHECK_EQ(recvmmsg(pair[1], messages, 4, MSG_DONTWAIT, NULL), 3);
	CHECK_EQ(messages[0].msg_len, 3);
	CHECK(memcmp(buffers[1], "second", 6) == 0);
	CHECK_ERR(recvmmsg(pair[1], messages, 4, MSG_DONTWAIT, NULL), EAGAIN);
}

CASE(MSG_WAITFORONE_does_not_wait_for_the_rest, "recvmmsg(2)")
{
	char buffers[2][8];
	struct iovec parts[2] = { { buffers[0], 8 }, { buffers[1], 8 } };
	struct mmsghdr messages[2] = { 0 };

	CHECK_OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	for (int i = 0; i < 2; i++)
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
	CHECK_EQ(send(pair[0], "x", 1, 0), 1);
	CHECK_EQ(recvmmsg(pair[1], messages, 2, MSG_WAITFORONE, NULL), 1);
	CHECK_ERR(syscall(SYS_recvmmsg, pair[1], unmapped(), 1, MSG_DONTWAIT, NULL), EFAULT);
	CHECK_ERR(recvmmsg(999, messages, 1, 0, NULL), EBADF);
}

CASE(vmsplice_puts_memory_into_a_pipe, "vmsplice(2)")
{
	struct iovec part = { "spliced", 7 };
	char text[16];
	int ends[2];

	CHECK_OK(pipe(ends));
	CHECK_EQ(vmsplice(ends[1], &part, 1, 0), 7);
	CHECK_EQ(read(ends[0], text, sizeof(text)), 7);
	CHECK(memcmp(text, "spliced", 7) == 0);
	CHECK_ERR(vmsplice(make_file("file", ""), &part, 1, 0), EBADF);
}

struct waiter {
	uint64_t value, address;
	uint32_t flags, reserved;
};

enum { SIZE_U32 = 2, PRIVATE = 128 };

static long futex_waitv(struct waiter *waiters, unsigned count, const struct timespec *until)
{
	return syscall(449 /* futex_waitv */, waiters, count, 0, until, CLOCK_MONOTONIC);
}

CASE(futex_waitv_tells_which_futex_was_woken, "futex(2)")
{
	uint32_t *words = map_pages(1, MAP_SHARED);
	struct waiter waiters[2] = {
		{ 0, (uint64_t)&words[0], SIZE_U32, 0 }, { 0, (uint64_t)&words[1], SIZE_U32, 0 },
	};
	pid_t child;

	if (futex_waitv(waiters, 0, NULL) == -1 && errno == ENOSYS)
		SKIP("the kernel is older than futex_waitv");
	child = fork_child();
	if (child == 0)
		_exit(futex_waitv(waiters, 2, NULL));
	while (CHECK_OK(syscall(SYS_futex, &words[1], FUTEX_WAKE, 1, NULL, NULL, 0)) == 0)
		sched_yield();
	CHECK_EXITS(child, 1);
}

CASE(futex_waitv_errors, "futex(2)")
{
	struct timespec past = { 0, 1 };
	uint32_t word = 5;
	struct waiter waiter = { 5, (uint64_t)&word, SIZE_U32 | PRIVATE, 0 };

	if (futex_waitv(&waiter, 0, NULL) == -1 && errno == ENOSYS)
		SKIP("the kernel is older than futex_waitv");
	CHECK_ERR(futex_waitv(&waiter, 0, NULL), EINVAL);
	CHECK_ERR(futex_waitv(&waiter, 129, NULL), EINVAL);
	CHECK_ERR(futex_waitv(unmapped(), 1, NULL), EFAULT);
	CHECK_ERR(futex_waitv(&waiter, 1, &past), ETIMEDOUT);
	waiter.value = 6;
	CHECK_ERR(futex_waitv(&waiter, 1, NULL), EAGAIN);
	waiter.reserved = 1;
	CHECK_ERR(futex_waitv(&waiter, 1, NULL), EINVAL);
}
