/* Leases (fcntl(2)) and programs that are busy (open(2), ETXTBSY). */
#include "harness.h"
#include "fixtures.h"

#include <sys/uio.h>

CASE(read_lease_needs_a_file_that_nobody_writes, "fcntl(2)")
{
	int writer = make_file("file", ""), reader = CHECK_OK(open("file", O_RDONLY));

	CHECK_EQ(fcntl(reader, F_GETLEASE), F_UNLCK);
	CHECK_ERR(fcntl(reader, F_SETLEASE, F_RDLCK), EAGAIN);
	CHECK_ERR(fcntl(writer, F_SETLEASE, F_RDLCK), EAGAIN);
	CHECK_OK(close(writer));
	CHECK_OK(fcntl(reader, F_SETLEASE, F_RDLCK));
	CHECK_EQ(fcntl(reader, F_GETLEASE), F_RDLCK);
	CHECK_OK(fcntl(reader, F_SETLEASE, F_UNLCK));
	CHECK_ERR(fcntl(reader, F_SETLEASE, F_UNLCK), EAGAIN);
	CHECK_EQ(fcntl(reader, F_GETLEASE), F_UNLCK);
}

CASE(write_lease_needs_a_file_that_nobody_else_has_open, "fcntl(2)")
{
	int file = make_file("file", ""), other;

	CHECK_OK(fcntl(file, F_SETLEASE, F_WRLCK));
	CHECK_EQ(fcntl(file, F_GETLEASE), F_WRLCK);
	CHECK_OK(fcntl(file, F_SETLEASE, F_UNLCK));
	other = CHECK_OK(open("file", O_RDONLY));
	CHECK_ERR(fcntl(file, F_SETLEASE, F_WRLCK), EAGAIN);
	CHECK_ERR(fcntl(other, F_SETLEASE, F_WRLCK), EAGAIN);
	CHECK_OK(close(file));
	CHECK_OK(fcntl(other, F_SETLEASE, F_RDLCK));
	CHECK_OK(fcntl(other, F_SETLEASE, F_WRLCK));
	CHECK_EQ(fcntl(other, F_GETLEASE), F_WRLCK);
}

CASE(several_read_leases_exclude_a_write_lease, "fcntl(2)")
{
	int one, two;

	put_file("file", "");
	one = CHECK_OK(open("file", O_RDONLY));
	two = CHECK_OK(open("file", O_RDONLY));
	CHECK_OK(fcntl(one, F_SETLEASE, F_RDLCK));
	CHECK_OK(fcntl(two, F_SETLEASE, F_RDLCK));
	CHECK_ERR(fcntl(one, F_SETLEASE, F_WRLCK), EAGAIN);
}

CASE(leases_are_for_regular_files, "fcntl(2)")
{
	int ends[2], file = make_file("file", ""), dir = CHECK_OK(open(".", O_RDONLY));

	CHECK_OK(pipe(ends));
	CHECK_ERR(fcntl(ends[0], F_SETLEASE, F_RDLCK), EINVAL);
	CHECK_ERR(fcntl(dir, F_SETLEASE, F_RDLCK), EINVAL);
	CHECK_ERR(fcntl(file, F_SETLEASE, 9), EINVAL);
	CHECK_EQ(fcntl(ends[0], F_GETLEASE), F_UNLCK);
}

CASE(lease_is_the_owners_to_take, "fcntl(2)")
{
	int fd;

	NEEDS_ROOT();
	put_file("file", "");
	CHECK_OK(chmod(".", 0755));
	CHECK_OK(setresuid(65534, 65534, 0));
	fd = CHECK_OK(open("file", O_RDONLY));
	CHECK_ERR(fcntl(fd, F_SETLEASE, F_RDLCK), EACCES);
}

CASE(open_that_conflicts_signals_the_holder_and_fails_without_blocking, "fcntl(2)")
{
	int fd;

	handle(SIGIO, count_signal, 0);
	put_file("file", "");
	fd = CHECK_OK(open("file", O_RDONLY));
	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	CHECK_EQ(fcntl(fd, F_GETOWN), getpid());
	CHECK_OK(close(CHECK_OK(open("file", O_RDONLY | O_NONBLOCK))));
	CHECK_OK(close(CHECK_OK(open("file", O_PATH))));
	CHECK_EQ(signals_seen, 0);
	CHECK_ERR(open("file", O_WRONLY | O_NONBLOCK), EAGAIN);
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
	CHECK_ERR(open("file", O_WRONLY | O_NONBLOCK), EAGAIN);
	CHECK_EQ(signals_seen, 1);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
	CHECK_ERR(open("file", O_WRONLY | O_NONBLOCK), EAGAIN);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	CHECK_OK(open("file", O_WRONLY | O_NONBLOCK));
}

CASE(write_lease_is_downgraded_for_a_reader, "fcntl(2)")
{
	int fd;

	handle(SIGIO, count_signal, 0);
	put_file("file", "");
	fd = CHECK_OK(open("file", O_RDONLY));
	CHECK_OK(fcntl(fd, F_SETLEASE, F_WRLCK));
	CHECK_ERR(open("file", O_RDONLY | O_NONBLOCK), EAGAIN);
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	CHECK_OK(open("file", O_RDONLY | O_NONBLOCK));
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
}

static int leased;

static void give_back(int signo)
{
	(void)signo;
	if (fcntl(leased, F_SETLEASE, F_UNLCK) == 0)
		signals_seen++;
}

CASE(open_waits_until_the_lease_is_given_back, "fcntl(2)")
{
	pid_t child;

	handle(SIGIO, give_back, SA_RESTART);
	put_file("file", "");
	leased = CHECK_OK(open("file", O_RDONLY));
	CHECK_OK(fcntl(leased, F_SETLEASE, F_RDLCK));
	child = fork_child();
	if (child == 0) {
		CHECK_OK(open("file", O_WRONLY));
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_EQ(signals_seen, 1);
	CHECK_OK(fcntl(leased, F_GETLEASE));
}

CASE(truncate_breaks_a_lease_too, "fcntl(2)")
{
	pid_t child;

	handle(SIGIO, give_back, SA_RESTART);
	put_file("file", "text");
	leased = CHECK_OK(open("file", O_RDONLY));
	CHECK_OK(fcntl(leased, F_SETLEASE, F_RDLCK));
	child = fork_child();
	if (child == 0) {
		CHECK_OK(truncate("file", 1));
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_EQ(signals_seen, 1);
}

CASE(waiting_open_is_interrupted, "open(2)")
{
	pid_t child;

	handle(SIGIO, count_signal, SA_RESTART);
	put_file("file", "");
	leased = CHECK_OK(open("file", O_RDONLY));
	CHECK_OK(fcntl(leased, F_SETLEASE, F_RDLCK));
	child = fork_child();
	if (child == 0) {
		alarm_often(count_signal, 0);
		CHECK_ERR(open("file", O_WRONLY), EINTR);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
}

CASE(last_close_ends_a_lease_and_a_duplicate_keeps_it, "fcntl(2)")
{
	int fd, other;

	put_file("file", "");
	fd = CHECK_OK(open("file", O_RDONLY));
	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	other = CHECK_OK(dup(fd));
	CHECK_OK(close(fd));
	CHECK_EQ(fcntl(other, F_GETLEASE), F_RDLCK);
	CHECK_OK(close(other));
	CHECK_OK(open("file", O_WRONLY | O_NONBLOCK));
}

CASE(break_signal_can_be_chosen, "fcntl(2)")
{
	sigset_t set;
	siginfo_t info;
	int fd;

	put_file("file", "");
	fd = CHECK_OK(open("file", O_RDONLY));
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_OK(fcntl(fd, F_SETSIG, SIGRTMIN));
	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	CHECK_ERR(open("file", O_RDWR | O_NONBLOCK), EAGAIN);
	CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
	CHECK_EQ(info.si_fd, fd);
	CHECK_EQ(info.si_code, POLL_MSG);
}

CASE(program_is_busy_while_it_runs, "open(2)")
{
	int from[2], to[2];
	pid_t child;

	if (access("/bin/cat", X_OK) == -1)
		SKIP("no /bin/cat");
	CHECK_OK(0 * system("cp /bin/cat copy"));
	CHECK_OK(pipe(from));
	CHECK_OK(pipe(to));
	child = fork_child();
	if (child == 0) {
		dup2(from[0], 0);
		dup2(to[1], 1);
		close(from[1]);
		close(to[0]);
		execl("./copy", "copy", NULL);
		_exit(1);
	}
	tell(from[1]);
	await(to[0]);
	CHECK_ERR(open("copy", O_WRONLY), ETXTBSY);
	CHECK_ERR(open("copy", O_RDWR), ETXTBSY);
	CHECK_ERR(open("copy", O_RDONLY | O_TRUNC), ETXTBSY);
	CHECK_ERR(truncate("copy", 1), ETXTBSY);
	CHECK_OK(close(CHECK_OK(open("copy", O_RDONLY))));
	CHECK_OK(chmod("copy", 0700));
	CHECK_OK(close(from[1]));
	CHECK_EXITS(child, 0);
	CHECK_OK(close(CHECK_OK(open("copy", O_WRONLY))));
}
