/* Job control: sessions, process groups and their terminal; stops, continuations, hang-ups. */
#include "harness.h"
#include "fixtures.h"

#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

static int master, slave;

static void open_pair(void)
{
	CHECK_OK(openpty(&master, &slave, NULL, NULL, NULL));
}

/* Forks a session leader whose controlling terminal is the slave. */
static pid_t fork_leader(void)
{
	pid_t child = fork_child();

	if (child == 0) {
		CHECK_OK(setsid());
		CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
		CHECK_EQ(tcgetpgrp(slave), getpid());
	}
	return child;
}

/* Forks a child in a process group of its own, which is in place in both when this returns. */
static pid_t fork_group(void)
{
	pid_t child = fork_child();

	if (child == 0) {
		setpgid(0, 0);
	} else if (setpgid(child, child) != 0) {
		CHECK_EQ(errno, EACCES);
	}
	return child;
}

static int wait_stopped(pid_t child)
{
	int status;

	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK(WIFSTOPPED(status));
	return WSTOPSIG(status);
}

CASE(background_write_is_allowed_without_TOSTOP, "termios(3), TOSTOP")
{
	pid_t leader;

	open_pair();
	leader = fork_leader();
	if (leader == 0) {
		pid_t child = fork_group();

		if (child == 0)
			_exit(write(slave, "x", 1) != 1);
		CHECK_EXITS(child, 0);
		_exit(0);
	}
	CHECK_EXITS(leader, 0);
}

CASE(background_write_under_TOSTOP_stops_the_group, "termios(3), TOSTOP")
{
	struct termios mode;
	pid_t leader;

	open_pair();
	CHECK_OK(tcgetattr(slave, &mode));
	mode.c_lflag |= TOSTOP;
	CHECK_OK(tcsetattr(slave, TCSANOW, &mode));
	leader = fork_leader();
	if (leader == 0) {
		pid_t child = fork_group();

		if (child == 0)
			_exit(write(slave, "x", 1) != 1);
		CHECK_EQ(wait_stopped(child), SIGTTOU);
		/* In the foreground the write is done after all. */
		CHECK_OK(tcsetpgrp(slave, child));
		CHECK_OK(kill(child, SIGCONT));
		CHECK_EXITS(child, 0);
		/* Who ignores or blocks SIGTTOU may write, and take the foreground back. */
		signal(SIGTTOU, SIG_IGN);
		CHECK_OK(tcsetpgrp(slave, getpid()));
		_exit(0);
	}
	CHECK_EXITS(leader, 0);
}

CASE(background_changes_of_the_terminal_stop_the_group, "tcsetattr(3)")
{
	pid_t leader;

	open_pair();
	leader = fork_leader();
	if (leader == 0) {
		struct termios mode;

		CHECK_OK(tcgetattr(slave, &mode));
		for (int i = 0; i < 4; i++) {
			pid_t child = fork_group();

			if (child == 0) {
				switch (i) {
				case 0: tcsetattr(slave, TCSANOW, &mode); break;
				case 1: tcflush(slave, TCIFLUSH); break;
				case 2: tcsendbreak(slave, 0); break;
				case 3: tcsetpgrp(slave, getpid()); break;
				}
				_exit(1);
			}
			CHECK_EQ(wait_stopped(child), SIGTTOU);
			end_child(child);
		}
		_exit(0);
	}
	CHECK_EXITS(leader, 0);
}

CASE(background_read_fails_where_SIGTTIN_cannot_stop, "credentials(7)")
{
	pid_t leader;

	open_pair();
	leader = fork_leader();
	if (leader == 0) {
		pid_t child = fork_group();
		char byte;

		if (child == 0) {
			signal(SIGTTIN, SIG_IGN);
			CHECK_ERR(read(slave, &byte, 1), EIO);
			_exit(0);
		}
		CHECK_EXITS(child, 0);
		child = fork_group();
		if (child == 0) {
			sigset_t set;

			sigemptyset(&set);
			sigaddset(&set, SIGTTIN);
			CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
			CHECK_ERR(read(slave, &byte, 1), EIO);
			_exit(0);
		}
		CHECK_EXITS(child, 0);
		_exit(0);
	}
	CHECK_EXITS(leader, 0);
}

CASE(orphans_get_EIO_and_do_not_stop, "credentials(7)")
{
	int done[2], ready[2];
	pid_t leader;

	open_pair();
	CHECK_OK(pipe(done));
	CHECK_OK(pipe(ready));
	leader = fork_leader();
	if (leader == 0) {
		pid_t middle = fork_child();

		if (middle == 0) {
			CHECK_OK(setpgid(0, 0));
			if (fork_child() == 0) {
				char byte;

				await(ready[0]);
				/* The parent of the only group member is init now, of another session. */
				raise(SIGTSTP);
				CHECK_ERR(read(slave, &byte, 1), EIO);
				tell(done[1]);
				_exit(0);
			}
			_exit(0);
		}
		CHECK_EXITS(middle, 0);
		tell(ready[1]);
		await(done[0]);
		_exit(0);
	}
	CHECK_EXITS(leader, 0);
}

CASE(stopped_orphans_are_hung_up_and_continued, "_exit(2), setpgid(2)")
{
	int told[2];
	pid_t middle;
	char seen;

	CHECK_OK(pipe(told));
	middle = fork_child();
	if (middle == 0) {
		pid_t child;

		CHECK_OK(setsid());
		child = fork_group();
		if (child == 0) {
			sigset_t set, old;
			siginfo_t info;

			sigemptyset(&set);
			sigaddset(&set, SIGHUP);
			CHECK_OK(sigprocmask(SIG_BLOCK, &set, &old));
			raise(SIGSTOP);
			CHECK_EQ(sigwaitinfo(&set, &info), SIGHUP);
			CHECK_EQ(info.si_code, SI_KERNEL);
			CHECK_EQ(info.si_pid, 0);
			CHECK_EQ(write(told[1], "h", 1), 1);
			_exit(0);
		}
		CHECK_EQ(wait_stopped(child), SIGSTOP);
		_exit(0);
	}
	CHECK_EXITS(middle, 0);
	CHECK_EQ(read(told[0], &seen, 1), 1);
	CHECK_EQ(seen, 'h');
}

CASE(end_of_the_leader_hangs_up_the_foreground, "credentials(7)")
{
	int ready[2], hung[2];
	pid_t leader;
	char byte;

	open_pair();
	CHECK_OK(pipe(ready));
	CHECK_OK(pipe(hung));
	leader = fork_leader();
	if (leader == 0) {
		if (fork_child() == 0) {
			sigset_t set;
			int number;

			sigemptyset(&set);
			sigaddset(&set, SIGHUP);
			CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
			tell(ready[1]);
			CHECK_OK(sigwait(&set, &number));
			/* It is nobody's terminal any more, but a pseudoterminal goes on. */
			CHECK_EQ(write(slave, "x", 1), 1);
			CHECK_ERR(tcgetpgrp(slave), ENOTTY);
			CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
			tell(hung[1]);
			_exit(0);
		}
		await(ready[0]);
		_exit(0);
	}
	CHECK_EXITS(leader, 0);
	await(hung[0]);
	CHECK_EQ(read(master, &byte, 1), 1);
	CHECK_EQ(tcgetpgrp(master), 0);
}

CASE(TIOCSCTTY_is_for_leaders_without_a_terminal, "TIOCSCTTY(2const)")
{
	pid_t leader;

	open_pair();
	leader = fork_leader();
	if (leader == 0) {
		int other_master, other;
		pid_t child;

		CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
		CHECK_OK(openpty(&other_master, &other, NULL, NULL, NULL));
		CHECK_ERR(ioctl(other, TIOCSCTTY, 0), EPERM);
		child = fork_child();
		if (child == 0) {
			CHECK_ERR(ioctl(other, TIOCSCTTY, 0), EPERM);
			CHECK_ERR(ioctl(slave, TIOCSCTTY, 0), EPERM);
			CHECK_OK(setsid());
			CHECK_ERR(ioctl(slave, TIOCSCTTY, 0), EPERM);
			CHECK_ERR(tcgetpgrp(slave), ENOTTY);
			CHECK_ERR(tcsetpgrp(slave, getpid()), ENOTTY);
			CHECK_ERR(tcgetsid(slave), ENOTTY);
			CHECK_OK(ioctl(other, TIOCSCTTY, 0));
			CHECK_EQ(tcgetsid(other), getpid());
			_exit(0);
		}
		CHECK_EXITS(child, 0);
		_exit(0);
	}
	CHECK_EXITS(leader, 0);
}

CASE(root_may_take_the_terminal_of_another_session, "TIOCSCTTY(2const)")
{
	int taken[2], ready[2];
	pid_t first, second;

	NEEDS_ROOT();
	open_pair();
	CHECK_OK(pipe(taken));
	CHECK_OK(pipe(ready));
	first = fork_leader();
	if (first == 0) {
		tell(ready[1]);
		await(taken[0]);
		CHECK_ERR(tcgetpgrp(slave), ENOTTY);
		CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
		_exit(0);
	}
	await(ready[0]);
	second = fork_child();
	if (second == 0) {
		CHECK_OK(setsid());
		CHECK_ERR(ioctl(slave, TIOCSCTTY, 0), EPERM);
		CHECK_OK(ioctl(slave, TIOCSCTTY, 1));
		CHECK_EQ(tcgetpgrp(slave), getpid());
		tell(taken[1]);
		_exit(0);
	}
	CHECK_EXITS(first, 0);
	CHECK_EXITS(second, 0);
}

CASE(TIOCNOTTY_gives_the_terminal_up, "TIOCNOTTY(2const)")
{
	pid_t leader;

	open_pair();
	CHECK_ERR(ioctl(slave, TIOCNOTTY), ENOTTY);
	leader = fork_leader();
	if (leader == 0) {
		sigset_t set;
		int number;

		sigemptyset(&set);
		sigaddset(&set, SIGHUP);
		sigaddset(&set, SIGCONT);
		CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
		CHECK_OK(ioctl(slave, TIOCNOTTY));
		CHECK_OK(sigwait(&set, &number));
		CHECK_OK(sigwait(&set, &number));
		CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
		CHECK_ERR(ioctl(slave, TIOCNOTTY), ENOTTY);
		CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
		_exit(0);
	}
	CHECK_EXITS(leader, 0);
}

CASE(opening_a_terminal_makes_it_the_leaders_unless_O_NOCTTY, "open(2), O_NOCTTY")
{
	pid_t child;
	char name[64];

	CHECK_OK(openpty(&master, &slave, name, NULL, NULL));
	child = fork_child();
	if (child == 0) {
		int fd;

		CHECK_OK(setsid());
		fd = CHECK_OK(open(name, O_RDWR | O_NOCTTY));
		CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
		CHECK_OK(close(fd));
		fd = CHECK_OK(open(name, O_RDWR));
		CHECK_EQ(tcgetsid(fd), getpid());
		CHECK_OK(open("/dev/tty", O_RDWR));
		_exit(0);
	}
	CHECK_EXITS(child, 0);
}

CASE(foreground_must_be_a_group_of_the_session, "TIOCSPGRP(2const)")
{
	pid_t leader;

	open_pair();
	leader = fork_leader();
	if (leader == 0) {
		pid_t child = fork_child(), group;

		if (child == 0)
			_exit(0);
		CHECK_ERR(tcsetpgrp(slave, getppid()), EPERM);
		CHECK_ERR(tcsetpgrp(slave, -5), EINVAL);
		group = 99999999;
		CHECK_ERR(ioctl(slave, TIOCSPGRP, &group), ESRCH);
		CHECK_ERR(ioctl(slave, TIOCSPGRP, unmapped()), EFAULT);
		CHECK_ERR(ioctl(slave, TIOCGPGRP, unmapped()), EFAULT);
		CHECK_EXITS(child, 0);
		_exit(0);
	}
	CHECK_EXITS(leader, 0);
}

CASE(the_master_tells_the_foreground_group, "TIOCGPGRP(2const)")
{
	int ready[2], stop[2];
	pid_t leader;

	open_pair();
	CHECK_OK(pipe(ready));
	CHECK_OK(pipe(stop));
	CHECK_EQ(tcgetpgrp(master), 0);
	leader = fork_leader();
	if (leader == 0) {
		tell(ready[1]);
		await(stop[0]);
		_exit(0);
	}
	await(ready[0]);
	CHECK_EQ(tcgetpgrp(master), leader);
	CHECK_EQ(tcgetsid(master), leader);
	tell(stop[1]);
	CHECK_EXITS(leader, 0);
}

CASE(SIGCHLD_tells_of_stops_and_continuations, "sigaction(2), SIGCHLD")
{
	sigset_t set;
	siginfo_t info;
	pid_t child;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	child = sleeping_child();
	CHECK_OK(kill(child, SIGSTOP));
	CHECK_EQ(sigwaitinfo(&set, &info), SIGCHLD);
	CHECK_EQ(info.si_code, CLD_STOPPED);
	CHECK_EQ(info.si_status, SIGSTOP);
	CHECK_EQ(info.si_pid, child);
	CHECK_EQ(info.si_uid, getuid());
	CHECK_OK(kill(child, SIGCONT));
	CHECK_EQ(sigwaitinfo(&set, &info), SIGCHLD);
	CHECK_EQ(info.si_code, CLD_CONTINUED);
	CHECK_EQ(info.si_status, SIGCONT);
	CHECK_OK(waitid(P_PID, child, &info, WCONTINUED | WSTOPPED));
	CHECK_EQ(info.si_code, CLD_CONTINUED);
	CHECK_OK(kill(child, SIGKILL));
	CHECK_EQ(sigwaitinfo(&set, &info), SIGCHLD);
	CHECK_EQ(info.si_code, CLD_KILLED);
	CHECK_EQ(info.si_status, SIGKILL);
	CHECK_KILLED(child, SIGKILL);
}

CASE(SA_NOCLDSTOP_is_silent_about_stops, "sigaction(2)")
{
	pid_t child;
	int status;

	signals_seen = 0;
	handle(SIGCHLD, count_signal, SA_NOCLDSTOP | SA_RESTART);
	child = sleeping_child();
	CHECK_OK(kill(child, SIGSTOP));
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK_EQ(status, SIGSTOP << 8 | 0x7f);
	CHECK_OK(kill(child, SIGCONT));
	CHECK_EQ(waitpid(child, &status, WCONTINUED), child);
	CHECK(WIFCONTINUED(status));
	CHECK_EQ(status, 0xffff);
	CHECK_EQ(signals_seen, 0);
	end_child(child);
	CHECK_EQ(signals_seen, 1);
}

CASE(typed_suspend_stops_the_foreground_group, "termios(3), VSUSP")
{
	int ready[2];
	pid_t leader;

	open_pair();
	CHECK_OK(pipe(ready));
	leader = fork_leader();
	if (leader == 0) {
		pid_t child;

		signal(SIGTTOU, SIG_IGN);
		child = fork_group();
		if (child == 0)
			for (;;)
				pause();
		CHECK_OK(tcsetpgrp(slave, child));
		tell(ready[1]);
		CHECK_EQ(wait_stopped(child), SIGTSTP);
		end_child(child);
		_exit(0);
	}
	await(ready[0]);
	CHECK_EQ(write(master, "\x1a", 1), 1);
	CHECK_EXITS(leader, 0);
}
