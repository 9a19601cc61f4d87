/* msgget(2), msgsnd(2), msgrcv(2), msgctl(2). */
#include "harness.h"
#include "fixtures.h"

#include <grp.h>
#include <limits.h>
#include <sys/ipc.h>
#include <sys/msg.h>

static struct msqid_ds about;
static struct {
	long type;
	char text[8200];
} message;

static int new_queue(void)
{
	return CHECK_OK(msgget(IPC_PRIVATE, 0600));
}

static void removed(int id)
{
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
}

static int send_text(int id, long type, const char *text, int flags)
{
	message.type = type;
	strcpy(message.text, text);
	return msgsnd(id, &message, strlen(text), flags);
}

static ssize_t receive(int id, long type, int flags)
{
	ssize_t length;

	memset(&message, 0, sizeof(message));
	length = msgrcv(id, &message, 8192, type, flags);
	return length;
}

#define CHECK_RECEIVES(id, wanted, flags, expected_type, expected)\
	do {								\
		CHECK_EQ(receive(id, wanted, flags), strlen(expected));\
		CHECK_EQ(message.type, expected_type);			\
		CHECK_STREQ(message.text, expected);			\
	} while (0)

CASE(a_new_queue_is_described, "msgctl(2)")
{
	int id = CHECK_OK(msgget(IPC_PRIVATE, IPC_CREAT | 0640));
	time_t now = time(NULL);

	CHECK_OK(msgctl(id, IPC_STAT, &about));
	CHECK_EQ(about.msg_qnum, 0);
	CHECK_EQ(about.msg_lspid, 0);
	CHECK_EQ(about.msg_lrpid, 0);
	CHECK_EQ(about.msg_stime, 0);
	CHECK_EQ(about.msg_rtime, 0);
	CHECK(about.msg_ctime >= now - 1 && about.msg_ctime <= now + 10);
	CHECK(about.msg_qbytes > 0);
	CHECK_EQ(about.msg_perm.mode, 0640);
	CHECK_EQ(about.msg_perm.uid, geteuid());
	CHECK_EQ(about.msg_perm.cgid, getegid());
	removed(id);
	CHECK_ERR(msgctl(id, IPC_STAT, &about), EINVAL);
}

CASE(a_key_finds_the_queue, "msgget(2)")
{
	key_t key = 0x5e500000 + getpid();
	int id = CHECK_OK(msgget(key, IPC_CREAT | IPC_EXCL | 0600));

	CHECK_EQ(msgget(key, 0), id);
	CHECK_EQ(msgget(key, IPC_CREAT), id);
	CHECK_ERR(msgget(key, IPC_CREAT | IPC_EXCL), EEXIST);
	removed(id);
	CHECK_ERR(msgget(key, 0), ENOENT);
}

CASE(messages_arrive_in_order, "msgop(2)")
{
	int id = new_queue();

	CHECK_OK(send_text(id, 3, "first", 0));
	CHECK_OK(send_text(id, 1, "second", 0));
	CHECK_OK(send_text(id, 2, "", 0));
	CHECK_OK(msgctl(id, IPC_STAT, &about));
	CHECK_EQ(about.msg_qnum, 3);
	CHECK_EQ(about.__msg_cbytes, 11);
	CHECK_EQ(about.msg_lspid, getpid());
	CHECK(about.msg_stime > 0);
	CHECK_RECEIVES(id, 0, 0, 3, "first");
	CHECK_RECEIVES(id, 0, 0, 1, "second");
	CHECK_RECEIVES(id, 0, 0, 2, "");
	CHECK_ERR(receive(id, 0, IPC_NOWAIT), ENOMSG);
	CHECK_OK(msgctl(id, IPC_STAT, &about));
	CHECK_EQ(about.msg_qnum, 0);
	CHECK_EQ(about.msg_lrpid, getpid());
	CHECK(about.msg_rtime > 0);
	removed(id);
}

CASE(types_select, "msgop(2)")
{
	int id = new_queue();

	CHECK_OK(send_text(id, 5, "a", 0));
	CHECK_OK(send_text(id, 3, "b", 0));
	CHECK_OK(send_text(id, 4, "c", 0));
	CHECK_OK(send_text(id, 3, "d", 0));
	CHECK_OK(send_text(id, 5, "e", 0));
	CHECK_ERR(receive(id, 6, IPC_NOWAIT), ENOMSG);
	CHECK_ERR(receive(id, -2, IPC_NOWAIT), ENOMSG);
	CHECK_RECEIVES(id, 4, 0, 4, "c");
	CHECK_RECEIVES(id, -5, 0, 3, "b");
	CHECK_RECEIVES(id, 5, MSG_EXCEPT, 3, "d");
	CHECK_ERR(receive(id, 5, MSG_EXCEPT | IPC_NOWAIT), ENOMSG);
	CHECK_RECEIVES(id, LONG_MIN, 0, 5, "a");
	CHECK_RECEIVES(id, 5, IPC_NOWAIT, 5, "e");
	removed(id);
}

CASE(long_messages_are_cut_on_request_only, "msgop(2)")
{
	int id = new_queue();

	CHECK_OK(send_text(id, 1, "hello", 0));
	CHECK_ERR(msgrcv(id, &message, 4, 0, 0), E2BIG);
	memset(&message, 0, sizeof(message));
	CHECK_EQ(msgrcv(id, &message, 4, 0, MSG_NOERROR), 4);
	CHECK_STREQ(message.text, "hell");
	CHECK_ERR(receive(id, 0, IPC_NOWAIT), ENOMSG);
	removed(id);
}

CASE(MSG_COPY_leaves_the_message, "msgop(2)")
{
	int id = new_queue();

	CHECK_OK(send_text(id, 1, "one", 0));
	CHECK_OK(send_text(id, 2, "two", 0));
	CHECK_ERR(receive(id, 0, MSG_COPY), EINVAL);
	CHECK_ERR(receive(id, 0, MSG_COPY | MSG_EXCEPT | IPC_NOWAIT), EINVAL);
	if (receive(id, 1, MSG_COPY | IPC_NOWAIT) == -1 && errno == ENOSYS) {
		removed(id);
		SKIP("the kernel has no MSG_COPY");
	}
	CHECK_STREQ(message.text, "two");
	CHECK_EQ(message.type, 2);
	CHECK_RECEIVES(id, 0, MSG_COPY | IPC_NOWAIT, 1, "one");
	CHECK_ERR(receive(id, 2, MSG_COPY | IPC_NOWAIT), ENOMSG);
	CHECK_OK(msgctl(id, IPC_STAT, &about));
	CHECK_EQ(about.msg_qnum, 2);
	CHECK_EQ(about.msg_lrpid, 0);
	removed(id);
}

CASE(bad_arguments_are_refused, "msgop(2)")
{
	int id = new_queue();

	message.type = 0;
	CHECK_ERR(msgsnd(id, &message, 1, 0), EINVAL);
	message.type = -1;
	CHECK_ERR(msgsnd(id, &message, 1, 0), EINVAL);
	message.type = 1;
	CHECK_ERR(msgsnd(id, &message, 8193, 0), EINVAL);
	CHECK_ERR(msgsnd(id, &message, -1, 0), EINVAL);
	CHECK_ERR(msgsnd(-1, &message, 1, 0), EINVAL);
	CHECK_ERR(msgsnd(id, (void *)8, 1, 0), EFAULT);
	CHECK_ERR(msgrcv(id, &message, -1, 0, 0), EINVAL);
	CHECK_ERR(msgrcv(-1, &message, 1, 0, 0), EINVAL);
	CHECK_OK(msgsnd(id, &message, 1, 0));
	CHECK_ERR(msgrcv(id, (void *)8, 1, 0, 0), EFAULT);
	CHECK_ERR(msgctl(id, 99, &about), EINVAL);
	CHECK_ERR(msgctl(id, -1, &about), EINVAL);
	CHECK_ERR(msgctl(-1, IPC_STAT, &about), EINVAL);
	CHECK_ERR(msgctl(id, IPC_STAT, (void *)8), EFAULT);
	CHECK_ERR(msgctl(id, IPC_SET, (void *)8), EFAULT);
	CHECK_ERR(msgctl(0, IPC_INFO, (void *)8), EFAULT);
	removed(id);
	CHECK_ERR(msgsnd(id, &message, 1, 0), EINVAL);
	CHECK_ERR(msgrcv(id, &message, 1, 0, 0), EINVAL);
	CHECK_ERR(msgctl(id, IPC_RMID, NULL), EINVAL);
}

CASE(receivers_wait_for_their_type, "msgop(2)")
{
	int id = new_queue();
	pid_t child = fork_child();

	if (child == 0) {
		CHECK_RECEIVES(id, 7, 0, 7, "mine");
		_exit(0);
	}
	usleep(20000);
	CHECK_OK(send_text(id, 6, "other", 0));
	CHECK_OK(send_text(id, 7, "mine", 0));
	CHECK_EXITS(child, 0);
	CHECK_OK(msgctl(id, IPC_STAT, &about));
	CHECK_EQ(about.msg_qnum, 1);
	CHECK_EQ(about.msg_lrpid, child);
	removed(id);
}

CASE(a_waiting_receiver_is_told_of_a_message_too_long, "msgop(2)")
{
	int id = new_queue();
	pid_t child = fork_child();

	if (child == 0) {
		CHECK_ERR(msgrcv(id, &message, 2, 0, 0), E2BIG);
		_exit(0);
	}
	usleep(50000);
	CHECK_OK(send_text(id, 1, "long", 0));
	CHECK_EXITS(child, 0);
	CHECK_RECEIVES(id, 0, 0, 1, "long");
	removed(id);
}

CASE(a_full_queue_makes_senders_wait, "msgop(2)")
{
	int id = new_queue();
	pid_t child;

	CHECK_OK(msgctl(id, IPC_STAT, &about));
	about.msg_qbytes = 8;
	CHECK_OK(msgctl(id, IPC_SET, &about));
	CHECK_OK(send_text(id, 1, "123456", 0));
	CHECK_ERR(send_text(id, 1, "789", IPC_NOWAIT), EAGAIN);
	CHECK_OK(send_text(id, 1, "78", IPC_NOWAIT));
	child = fork_child();
	if (child == 0)
		_exit(send_text(id, 2, "later", 0) != 0);
	usleep(20000);
	CHECK_RECEIVES(id, 0, 0, 1, "123456");
	CHECK_EXITS(child, 0);
	CHECK_RECEIVES(id, 2, IPC_NOWAIT, 2, "later");
	removed(id);
}

CASE(empty_messages_count_too, "msgop(2)")
{
	int id = new_queue();

	CHECK_OK(msgctl(id, IPC_STAT, &about));
	about.msg_qbytes = 3;
	CHECK_OK(msgctl(id, IPC_SET, &about));
	for (int i = 0; i < 3; i++)
		CHECK_OK(send_text(id, 1, "", IPC_NOWAIT));
	CHECK_ERR(send_text(id, 1, "", IPC_NOWAIT), EAGAIN);
	removed(id);
}

CASE(removal_ends_waits_with_EIDRM, "msgctl(2)")
{
	int id = new_queue(), full = new_queue();
	pid_t receiver, sender;

	CHECK_OK(msgctl(full, IPC_STAT, &about));
	about.msg_qbytes = 0;
	CHECK_OK(msgctl(full, IPC_SET, &about));
	receiver = fork_child();
	if (receiver == 0) {
		CHECK_ERR(receive(id, 0, 0), EIDRM);
		_exit(0);
	}
	sender = fork_child();
	if (sender == 0) {
		CHECK_ERR(send_text(full, 1, "x", 0), EIDRM);
		_exit(0);
	}
	usleep(50000);
	removed(id);
	removed(full);
	CHECK_EXITS(receiver, 0);
	CHECK_EXITS(sender, 0);
}

CASE(a_signal_ends_waits_and_SA_RESTART_does_not_help, "signal(7)")
{
	int id = new_queue();

	alarm_often(count_signal, SA_RESTART);
	CHECK_ERR(receive(id, 0, 0), EINTR);
	CHECK_OK(msgctl(id, IPC_STAT, &about));
	about.msg_qbytes = 0;
	CHECK_OK(msgctl(id, IPC_SET, &about));
	CHECK_ERR(send_text(id, 1, "x", 0), EINTR);
	still();
	removed(id);
}

CASE(IPC_SET_lets_waiting_receivers_look_again, "msgctl(2)")
{
	int id = new_queue();
	pid_t child = fork_child();

	if (child == 0) {
		CHECK_RECEIVES(id, 0, 0, 1, "text");
		_exit(0);
	}
	usleep(20000);
	CHECK_OK(msgctl(id, IPC_STAT, &about));
	CHECK_OK(msgctl(id, IPC_SET, &about));
	usleep(20000);
	CHECK_OK(send_text(id, 1, "text", 0));
	CHECK_EXITS(child, 0);
	removed(id);
}

CASE(more_room_than_usual_is_privileged, "msgctl(2)")
{
	int id = new_queue();
	pid_t child = fork_child();

	if (child == 0) {
		if (geteuid() == 0) {
			CHECK_OK(msgctl(id, IPC_STAT, &about));
			about.msg_perm.uid = 1234;
			CHECK_OK(msgctl(id, IPC_SET, &about));
			CHECK_OK(setresuid(1234, 1234, 1234));
		}
		CHECK_OK(msgctl(id, IPC_STAT, &about));
		about.msg_qbytes += 1;
		CHECK_ERR(msgctl(id, IPC_SET, &about), EPERM);
		about.msg_qbytes -= 2;
		CHECK_OK(msgctl(id, IPC_SET, &about));
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	removed(id);
}

CASE(permissions_are_checked, "msgop(2)")
{
	int readable, writable;
	pid_t child;

	NEEDS_ROOT();
	readable = CHECK_OK(msgget(IPC_PRIVATE, 0604));
	writable = CHECK_OK(msgget(IPC_PRIVATE, 0602));
	child = fork_child();
	if (child == 0) {
		CHECK_OK(setgroups(0, NULL));
		CHECK_OK(setresgid(1234, 1234, 1234));
		CHECK_OK(setresuid(1234, 1234, 1234));
		CHECK_ERR(send_text(readable, 1, "x", 0), EACCES);
		CHECK_ERR(receive(readable, 0, IPC_NOWAIT), ENOMSG);
		CHECK_OK(send_text(writable, 1, "x", 0));
		CHECK_ERR(receive(writable, 0, IPC_NOWAIT), EACCES);
		CHECK_ERR(msgctl(writable, IPC_STAT, &about), EACCES);
		CHECK_OK(msgctl(readable, IPC_STAT, &about));
		CHECK_ERR(msgctl(readable, IPC_SET, &about), EPERM);
		CHECK_ERR(msgctl(readable, IPC_RMID, NULL), EPERM);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	removed(readable);
	removed(writable);
}

CASE(queues_are_found_by_their_index, "msgctl(2)")
{
	struct msginfo limits;
	int id = new_queue(), highest, found = 0;

	CHECK_OK(send_text(id, 1, "text", 0));
	highest = CHECK_OK(msgctl(0, MSG_INFO, (void *)&limits));
	CHECK(limits.msgpool >= 1 && limits.msgmap >= 1 && limits.msgtql >= 4);
	CHECK_OK(msgctl(0, IPC_INFO, (void *)&limits));
	CHECK_EQ(limits.msgssz, 16);
	CHECK_EQ(limits.msgseg, 0xffff);
	for (int index = 0; index <= highest; index++) {
		found += msgctl(index, MSG_STAT, &about) == id;
		found += msgctl(index, MSG_STAT_ANY, &about) == id && about.msg_qnum == 1;
	}
	removed(id);
	CHECK_EQ(found, 2);
}

CASE(proc_lists_queues, "proc_sysvipc(5)")
{
	int id = CHECK_OK(msgget(IPC_PRIVATE, 0642));
	char line[128];

	CHECK_OK(send_text(id, 1, "text", 0));
	snprintf(line, sizeof(line), "%10d %10d  %4o  %10d %10d %5d %5d", 0, id, 0642, 4, 1, getpid(), 0);
	CHECK(strstr(text_of("/proc/sysvipc/msg"), line));
	removed(id);
	CHECK(!strstr(text_of("/proc/sysvipc/msg"), line));
}
