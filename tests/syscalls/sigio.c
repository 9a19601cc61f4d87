/* Signals of open files: fcntl(2)'s F_SETOWN, F_SETSIG, O_ASYNC and F_NOTIFY. */
#include "harness.h"
#include "fixtures.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

static volatile int code, band, signal_fd, number;

static void note(int signo, siginfo_t *info, void *context)
{
	(void)context;
	number = signo;
	code = info->si_code;
	band = info->si_band;
	signal_fd = info->si_fd;
	signals_seen++;
}

static void listen_for(int signo)
{
	struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };

	signals_seen = 0;
	CHECK_OK(sigaction(signo, &action, NULL));
}

static void make_async(int fd)
{
	CHECK_OK(fcntl(fd, F_SETOWN, getpid()));
	CHECK_OK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC));
}

CASE(pipe_reader_gets_SIGIO_when_there_is_data, "fcntl(2)")
{
	int ends[2];
	char byte;

	listen_for(SIGIO);
	CHECK_OK(pipe(ends));
	make_async(ends[0]);
	CHECK_EQ(fcntl(ends[0], F_GETFL) & O_ASYNC, O_ASYNC);
	CHECK_EQ(signals_seen, 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(number, SIGIO);
	CHECK_EQ(code, SI_KERNEL);
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	CHECK_EQ(signals_seen, 1);
	CHECK_OK(fcntl(ends[0], F_SETFL, 0));
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(signals_seen, 1);
}

CASE(chosen_signal_tells_descriptor_and_band, "fcntl(2)")
{
	int ends[2];

	listen_for(SIGRTMIN + 1);
	CHECK_OK(pipe(ends));
	CHECK_EQ(fcntl(ends[0], F_GETSIG), 0);
	CHECK_OK(fcntl(ends[0], F_SETSIG, SIGRTMIN + 1));
	CHECK_EQ(fcntl(ends[0], F_GETSIG), SIGRTMIN + 1);
	make_async(ends[0]);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(number, SIGRTMIN + 1);
	CHECK_EQ(code, POLL_IN);
	CHECK_EQ(signal_fd, ends[0]);
	CHECK_EQ(band, POLLIN | POLLRDNORM);
	CHECK_ERR(fcntl(ends[0], F_SETSIG, 65), EINVAL);
	CHECK_ERR(fcntl(ends[0], F_SETSIG, -1), EINVAL);
}

CASE(SIGIO_chosen_by_F_SETSIG_has_a_poll_code, "fcntl(2)")
{
	int ends[2];

	listen_for(SIGIO);
	CHECK_OK(pipe(ends));
	CHECK_OK(fcntl(ends[0], F_SETSIG, SIGIO));
	make_async(ends[0]);
	CHECK_OK(close(ends[1]));
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(code, POLL_IN);
	CHECK_EQ(signal_fd, ends[0]);
}

CASE(pipe_writer_gets_SIGIO_when_there_is_room, "fcntl(2)")
{
	int ends[2];
	char byte;

	listen_for(SIGRTMIN);
	CHECK_OK(pipe(ends));
	CHECK_OK(fcntl(ends[1], F_SETSIG, SIGRTMIN));
	make_async(ends[1]);
	CHECK_EQ(write(ends[1], "xy", 2), 2);
	CHECK_EQ(signals_seen, 0);
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(code, POLL_OUT);
	CHECK_EQ(band, POLLOUT | POLLWRNORM | POLLWRBAND);
}

CASE(socket_gets_SIGIO_for_data_and_end, "socket(7)")
{
	int ends[2];

	listen_for(SIGRTMIN);
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	CHECK_OK(fcntl(ends[0], F_SETSIG, SIGRTMIN));
	make_async(ends[0]);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(code, POLL_IN);
	CHECK_OK(close(ends[1]));
	CHECK_EQ(signals_seen, 2);
	CHECK_EQ(code, POLL_HUP);
}

CASE(FIOASYNC_is_the_same_flag, "ioctl_list(2)")
{
	int ends[2], on = 1, file = make_file("file", "");

	listen_for(SIGIO);
	CHECK_OK(pipe(ends));
	CHECK_OK(fcntl(ends[0], F_SETOWN, getpid()));
	CHECK_OK(ioctl(ends[0], FIOASYNC, &on));
	CHECK_EQ(fcntl(ends[0], F_GETFL) & O_ASYNC, O_ASYNC);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(signals_seen, 1);
	on = 0;
	CHECK_OK(ioctl(ends[0], FIOASYNC, &on));
	CHECK_EQ(fcntl(ends[0], F_GETFL) & O_ASYNC, 0);
	on = 1;
	CHECK_ERR(ioctl(file, FIOASYNC, &on), ENOTTY);
}

CASE(files_without_signals_ignore_O_ASYNC, "fcntl(2)")
{
	int file = make_file("file", "");

	CHECK_OK(fcntl(file, F_SETFL, O_ASYNC));
	CHECK_EQ(fcntl(file, F_GETFL) & O_ASYNC, 0);
}

CASE(owner_is_a_process_a_group_or_a_thread, "fcntl(2)")
{
	struct f_owner_ex owner;
	int ends[2];

	CHECK_OK(pipe(ends));
	CHECK_EQ(fcntl(ends[0], F_GETOWN), 0);
	CHECK_OK(fcntl(ends[0], F_SETOWN, getpid()));
	CHECK_EQ(fcntl(ends[0], F_GETOWN), getpid());
	CHECK_OK(fcntl(ends[0], F_GETOWN_EX, &owner));
	CHECK_EQ(owner.type, F_OWNER_PID);
	CHECK_EQ(owner.pid, getpid());
	CHECK_OK(fcntl(ends[0], F_SETOWN, -getpgrp()));
	CHECK_OK(fcntl(ends[0], F_GETOWN_EX, &owner));
	CHECK_EQ(owner.type, F_OWNER_PGRP);
	CHECK_EQ(owner.pid, getpgrp());
	owner.type = F_OWNER_TID;
	owner.pid = gettid();
	CHECK_OK(fcntl(ends[0], F_SETOWN_EX, &owner));
	CHECK_EQ(fcntl(ends[0], F_GETOWN), gettid());
	CHECK_OK(fcntl(ends[0], F_SETOWN, 0));
	CHECK_EQ(fcntl(ends[0], F_GETOWN), 0);
}

CASE(errors_of_the_owner, "fcntl(2)")
{
	struct f_owner_ex owner = { 3, 0 };
	int ends[2];

	CHECK_OK(pipe(ends));
	CHECK_ERR(fcntl(ends[0], F_SETOWN, 4999999), ESRCH);
	CHECK_ERR(fcntl(ends[0], F_SETOWN, -4999999), ESRCH);
	CHECK_ERR(fcntl(ends[0], F_SETOWN, INT32_MIN), EINVAL);
	CHECK_ERR(fcntl(ends[0], F_SETOWN_EX, &owner), EINVAL);
	owner.type = F_OWNER_PID;
	owner.pid = 4999999;
	CHECK_ERR(fcntl(ends[0], F_SETOWN_EX, &owner), ESRCH);
	CHECK_ERR(fcntl(ends[0], F_SETOWN_EX, unmapped()), EFAULT);
	CHECK_ERR(fcntl(ends[0], F_GETOWN_EX, unmapped()), EFAULT);
}

CASE(owner_that_is_gone_is_told_as_0, "fcntl(2)")
{
	int ends[2];
	pid_t child = fork_child();

	if (child == 0) {
		pause();
		_exit(0);
	}
	CHECK_OK(pipe(ends));
	CHECK_OK(fcntl(ends[0], F_SETOWN, child));
	CHECK_EQ(fcntl(ends[0], F_GETOWN), child);
	end_child(child);
	CHECK_EQ(fcntl(ends[0], F_GETOWN), 0);
}

CASE(another_process_is_signalled, "fcntl(2)")
{
	int ends[2], ready[2];
	pid_t child;

	CHECK_OK(pipe(ends));
	CHECK_OK(pipe(ready));
	child = fork_child();
	if (child == 0) {
		sigset_t set;
		siginfo_t info;

		sigemptyset(&set);
		sigaddset(&set, SIGIO);
		CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
		tell(ready[1]);
		CHECK_EQ(sigwaitinfo(&set, &info), SIGIO);
		_exit(0);
	}
	await(ready[0]);
	CHECK_OK(fcntl(ends[0], F_SETOWN, child));
	CHECK_OK(fcntl(ends[0], F_SETFL, O_ASYNC));
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EXITS(child, 0);
}

CASE(directory_notice_comes_once_unless_asked_for_more, "fcntl(2)")
{
	int dir = CHECK_OK(open(".", O_RDONLY)), file;

	listen_for(SIGIO);
	CHECK_OK(fcntl(dir, F_NOTIFY, DN_CREATE));
	CHECK_EQ(fcntl(dir, F_GETOWN), getpid());
	file = make_file("file", "");
	CHECK_EQ(signals_seen, 1);
	put_file("other", "");
	CHECK_EQ(signals_seen, 1);
	CHECK_OK(fcntl(dir, F_NOTIFY, DN_MODIFY | DN_ATTRIB | DN_RENAME | DN_DELETE | DN_MULTISHOT));
	CHECK_EQ(write(file, "x", 1), 1);
	CHECK_EQ(signals_seen, 2);
	CHECK_OK(fchmod(file, 0600));
	CHECK_EQ(signals_seen, 3);
	CHECK_OK(rename("file", "third"));
	CHECK(signals_seen >= 4);
	signals_seen = 0;
	CHECK_OK(unlink("other"));
	CHECK_EQ(signals_seen, 1);
	CHECK_OK(fcntl(dir, F_NOTIFY, 0));
	CHECK_EQ(write(file, "x", 1), 1);
	CHECK_EQ(signals_seen, 1);
	CHECK_ERR(fcntl(file, F_NOTIFY, DN_CREATE), ENOTDIR);
}

CASE(directory_notice_tells_the_descriptor_and_ends_with_any_close, "fcntl(2)")
{
	int dir = CHECK_OK(open(".", O_RDONLY)), other;

	listen_for(SIGRTMIN);
	CHECK_OK(fcntl(dir, F_SETSIG, SIGRTMIN));
	CHECK_OK(fcntl(dir, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
	put_file("file", "");
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(code, POLL_MSG);
	CHECK_EQ(signal_fd, dir);
	other = CHECK_OK(dup(dir));
	CHECK_OK(close(other));
	put_file("second", "");
	CHECK_EQ(signals_seen, 1);
}

CASE(each_open_directory_has_a_notice_of_its_own, "fcntl(2)")
{
	enum { FILES = 20 };
	int fds[FILES];

	listen_for(SIGRTMIN);
	for (int i = 0; i < FILES; i++) {
		fds[i] = CHECK_OK(open(".", O_RDONLY));
		CHECK_OK(fcntl(fds[i], F_SETSIG, SIGRTMIN));
		CHECK_OK(fcntl(fds[i], F_NOTIFY, i % 2 ? DN_CREATE | DN_MULTISHOT : DN_CREATE));
	}
	CHECK_OK(fcntl(fds[0], F_NOTIFY, DN_DELETE));
	put_file("first", "");
	CHECK_EQ(signals_seen, FILES); /* and half of them are done now */
	put_file("second", "");
	CHECK_EQ(signals_seen, FILES + FILES / 2);
	for (int i = 1; i < FILES - 2; i += 2)
		CHECK_OK(close(fds[i]));
	signals_seen = 0;
	put_file("third", "");
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(signal_fd, fds[FILES - 1]);
	CHECK_OK(unlink("third"));
	CHECK_EQ(signals_seen, 1);
	CHECK_OK(fcntl(fds[0], F_NOTIFY, DN_DELETE));
	CHECK_OK(unlink("second"));
	CHECK_EQ(signals_seen, 2);
	CHECK_EQ(signal_fd, fds[0]);
}

CASE(descriptors_and_creation_can_be_asked_about, "fcntl(2)")
{
	int file = CHECK_OK(open("file", O_RDWR | O_CREAT, 0600)), same = CHECK_OK(dup(file)), other;

	other = CHECK_OK(open("file", O_RDWR | O_CREAT, 0600));
	if (fcntl(file, 1027, same) == -1)
		SKIP("no F_DUPFD_QUERY");
	CHECK_EQ(fcntl(file, 1027, same), 1);
	CHECK_EQ(fcntl(file, 1027, other), 0);
	CHECK_ERR(fcntl(file, 1027, 999), EBADF);
	if (fcntl(file, 1028) == -1)
		SKIP("no F_CREATED_QUERY");
	CHECK_EQ(fcntl(file, 1028), 1);
	CHECK_EQ(fcntl(same, 1028), 1);
	CHECK_EQ(fcntl(other, 1028), 0);
}

CASE(write_hint_is_kept_with_the_inode, "fcntl(2)")
{
	int file = make_file("file", ""), other = CHECK_OK(open("file", O_RDONLY));
	uint64_t hint = 9;

	CHECK_OK(fcntl(file, F_GET_RW_HINT, &hint));
	CHECK_EQ(hint, 0);
	hint = 3;
	CHECK_OK(fcntl(file, F_SET_RW_HINT, &hint));
	hint = 0;
	CHECK_OK(fcntl(other, F_GET_RW_HINT, &hint));
	CHECK_EQ(hint, 3);
	hint = 6;
	CHECK_ERR(fcntl(file, F_SET_RW_HINT, &hint), EINVAL);
	CHECK_ERR(fcntl(file, F_SET_RW_HINT, unmapped()), EFAULT);
	CHECK_ERR(fcntl(file, F_GET_RW_HINT, unmapped()), EFAULT);
}

CASE(O_DIRECT_is_refused_where_it_means_nothing, "fcntl(2)")
{
	int ends[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	CHECK_ERR(fcntl(ends[0], F_SETFL, O_DIRECT), EINVAL);
	CHECK_ERR(fcntl(ends[0], 9999), EINVAL);
	CHECK_ERR(fcntl(999, F_GETOWN), EBADF);
}
