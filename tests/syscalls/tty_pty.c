/* Pseudoterminals: pairs, line discipline, window size, controlling terminal, hang-up. */
#include "harness.h"
#include "fixtures.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

static int master, slave;
static char text[256];

static void open_pair(void)
{
	int number, unlock = 0;
	char path[32];

	master = CHECK_OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
	CHECK_OK(ioctl(master, TIOCSPTLCK, &unlock));
	CHECK_OK(ioctl(master, TIOCGPTN, &number));
	snprintf(path, sizeof(path), "/dev/pts/%d", number);
	slave = CHECK_OK(open(path, O_RDWR | O_NOCTTY));
}

static void set_raw(void)
{
	struct termios mode;

	CHECK_OK(tcgetattr(slave, &mode));
	cfmakeraw(&mode);
	CHECK_OK(tcsetattr(slave, TCSANOW, &mode));
}

/* Reads until this many bytes have come. */
static void read_all(int fd, size_t length)
{
	size_t got = 0;

	while (got < length)
		got += CHECK_OK(read(fd, text + got, length - got));
	text[got] = '\0';
}

CASE(slave_is_a_terminal_and_files_are_not, "isatty(3)")
{
	open_pair();
	CHECK_EQ(isatty(slave), 1);
	CHECK_EQ(isatty(make_file("file", "")), 0);
}

CASE(slave_must_be_unlocked_first, "unlockpt(3)")
{
	int fd = CHECK_OK(open("/dev/ptmx", O_RDWR | O_NOCTTY)), number;
	char path[32];

	CHECK_OK(ioctl(fd, TIOCGPTN, &number));
	snprintf(path, sizeof(path), "/dev/pts/%d", number);
	CHECK_ERR(open(path, O_RDWR | O_NOCTTY), EIO);
}

CASE(canonical_mode_hands_over_whole_lines, "termios(3)")
{
	open_pair();
	CHECK_OK(fcntl(slave, F_SETFL, O_NONBLOCK));
	CHECK_EQ(write(master, "half", 4), 4);
	CHECK_ERR(read(slave, text, 100), EAGAIN);
	CHECK_EQ(write(master, " line\nmore", 10), 10);
	CHECK_EQ(read(slave, text, 100), 10);
	CHECK(memcmp(text, "half line\n", 10) == 0);
}

CASE(canonical_mode_erases_and_kills, "termios(3)")
{
	open_pair();
	CHECK_EQ(write(master, "abx\x7f" "c\n", 6), 6);
	CHECK_EQ(read(slave, text, 100), 4);
	CHECK(memcmp(text, "abc\n", 4) == 0);
	CHECK_EQ(write(master, "gone\x15ok\n", 8), 8);
	CHECK_EQ(read(slave, text, 100), 3);
	CHECK(memcmp(text, "ok\n", 3) == 0);
}

CASE(end_of_file_character_gives_0, "termios(3)")
{
	open_pair();
	CHECK_EQ(write(master, "\x04", 1), 1);
	CHECK_EQ(read(slave, text, 100), 0);
	CHECK_EQ(write(master, "ab\x04", 3), 3);
	CHECK_EQ(read(slave, text, 100), 2);
}

CASE(carriage_return_becomes_newline_on_input, "termios(3)")
{
	open_pair();
	CHECK_EQ(write(master, "x\r", 2), 2);
	CHECK_EQ(read(slave, text, 100), 2);
	CHECK_EQ(text[1], '\n');
}

CASE(input_is_echoed_to_the_master, "termios(3)")
{
	open_pair();
	CHECK_EQ(write(master, "hi\n", 3), 3);
	read_all(master, 4);
	CHECK_STREQ(text, "hi\r\n");
}

CASE(newline_becomes_carriage_return_newline_on_output, "termios(3)")
{
	open_pair();
	CHECK_EQ(write(slave, "a\nb", 3), 3);
	read_all(master, 4);
	CHECK_STREQ(text, "a\r\nb");
}

CASE(raw_mode_passes_bytes_unchanged, "termios(3)")
{
	open_pair();
	set_raw();
	CHECK_EQ(write(master, "\x03\x04\r\x7f", 4), 4);
	read_all(slave, 4);
	CHECK(memcmp(text, "\x03\x04\r\x7f", 4) == 0);
	CHECK_EQ(write(slave, "\n", 1), 1);
	read_all(master, 1);
	CHECK_EQ(text[0], '\n');
}

CASE(attributes_are_those_that_were_set, "termios(3)")
{
	struct termios mode, seen;

	open_pair();
	CHECK_OK(tcgetattr(slave, &mode));
	CHECK((mode.c_lflag & (ICANON | ECHO | ISIG)) == (ICANON | ECHO | ISIG));
	mode.c_lflag &= ~ECHO;
	mode.c_cc[VMIN] = 3;
	CHECK_OK(tcsetattr(slave, TCSANOW, &mode));
	CHECK_OK(tcgetattr(master, &seen));
	CHECK_EQ(seen.c_lflag, mode.c_lflag);
	CHECK_EQ(seen.c_cc[VMIN], 3);
}

CASE(locked_attributes_do_not_change, "TIOCSLCKTRMIOS(2const)")
{
	/* The kernel's struct termios is the head of the C library's. */
	struct termios lock = { .c_lflag = 0xff }, mode;

	open_pair();
	CHECK_OK(ioctl(slave, TIOCGLCKTRMIOS, &lock));
	CHECK_EQ(lock.c_lflag, 0);
	NEEDS_ROOT();
	lock.c_lflag = ECHO;
	lock.c_cc[VINTR] = 1;
	CHECK_OK(ioctl(slave, TIOCSLCKTRMIOS, &lock));
	CHECK_OK(tcgetattr(slave, &mode));
	mode.c_lflag &= ~(ECHO | ICANON);
	mode.c_cc[VINTR] = 9;
	mode.c_cc[VQUIT] = 9;
	CHECK_OK(tcsetattr(slave, TCSANOW, &mode));
	CHECK_OK(tcgetattr(slave, &mode));
	CHECK_EQ(mode.c_lflag & (ECHO | ICANON), ECHO);
	CHECK_EQ(mode.c_cc[VINTR], 3);
	CHECK_EQ(mode.c_cc[VQUIT], 9);
	CHECK_OK(ioctl(master, TIOCGLCKTRMIOS, &lock));
	CHECK_EQ(lock.c_lflag, ECHO);
}

CASE(window_size_is_kept_and_raises_SIGWINCH, "TIOCSWINSZ(2const)")
{
	struct winsize size = { .ws_row = 33, .ws_col = 99 }, seen;
	int ready[2];
	pid_t child;

	open_pair();
	CHECK_OK(pipe(ready));
	child = fork_child();
	if (child == 0) {
		sigset_t set;

		sigemptyset(&set);
		sigaddset(&set, SIGWINCH);
		CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
		CHECK_OK(setsid());
		CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
		tell(ready[1]);
		_exit(sigwaitinfo(&set, NULL) == SIGWINCH ? 0 : 1);
	}
	await(ready[0]);
	CHECK_OK(ioctl(master, TIOCSWINSZ, &size));
	CHECK_OK(ioctl(slave, TIOCGWINSZ, &seen));
	CHECK_EQ(seen.ws_row, 33);
	CHECK_EQ(seen.ws_col, 99);
	CHECK_EXITS(child, 0);
}

CASE(interrupt_character_signals_the_foreground_group, "termios(3)")
{
	int ready[2];
	pid_t child;

	open_pair();
	CHECK_OK(pipe(ready));
	child = fork_child();
	if (child == 0) {
		CHECK_OK(setsid());
		CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
		CHECK_EQ(tcgetpgrp(slave), getpid());
		signal(SIGINT, SIG_DFL);
		tell(ready[1]);
		for (;;)
			pause();
	}
	await(ready[0]);
	CHECK_EQ(write(master, "\x03", 1), 1);
	CHECK_KILLED(child, SIGINT);
}

CASE(dev_tty_is_the_controlling_terminal, "tty(4)")
{
	pid_t child;

	open_pair();
	child = fork_child();
	if (child == 0) {
		CHECK_OK(setsid());
		CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
		CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
		CHECK_EQ(tcgetsid(CHECK_OK(open("/dev/tty", O_RDWR))), getpid());
		_exit(0);
	}
	CHECK_EXITS(child, 0);
}

CASE(reading_in_the_background_raises_SIGTTIN, "credentials(7)")
{
	int status;
	pid_t leader;

	open_pair();
	leader = fork_child();
	if (leader == 0) {
		pid_t child;

		CHECK_OK(setsid());
		CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
		child = fork_child();
		if (child == 0) {
			signal(SIGTTIN, SIG_DFL);
			setpgid(0, 0);
			_exit(read(slave, text, 1) == -1);
		}
		CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
		CHECK(WIFSTOPPED(status));
		CHECK_EQ(WSTOPSIG(status), SIGTTIN);
		end_child(child);
		_exit(0);
	}
	CHECK_EXITS(leader, 0);
}

CASE(closed_master_hangs_up_the_session, "credentials(7)")
{
	int ready[2];
	pid_t child;

	open_pair();
	CHECK_OK(pipe(ready));
	child = fork_child();
	if (child == 0) {
		close(master);
		CHECK_OK(setsid());
		CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
		signal(SIGHUP, SIG_DFL);
		tell(ready[1]);
		for (;;)
			pause();
	}
	await(ready[0]);
	CHECK_OK(close(master));
	CHECK_KILLED(child, SIGHUP);
	CHECK_EQ(read(slave, text, 1), 0);
	CHECK_ERR(write(slave, "x", 1), EIO);
}

CASE(master_gives_EIO_and_POLLHUP_when_no_slave_is_open, "pty(7)")
{
	struct pollfd entry;

	open_pair();
	CHECK_OK(close(slave));
	entry = (struct pollfd){ .fd = master, .events = POLLIN };
	CHECK_EQ(poll(&entry, 1, 0), 1);
	CHECK(entry.revents & POLLHUP);
	CHECK_ERR(read(master, text, 1), EIO);
}

CASE(what_is_typed_while_no_slave_is_open_is_kept, "pty(7)")
{
	struct pollfd entry;
	char name[64];

	open_pair();
	CHECK_OK(ttyname_r(slave, name, sizeof name));
	CHECK_OK(close(slave));
	entry = (struct pollfd){ .fd = master, .events = POLLOUT };
	CHECK_EQ(poll(&entry, 1, 0), 1);
	CHECK_EQ(entry.revents, POLLOUT | POLLHUP);
	CHECK_EQ(write(master, "x\n", 2), 2);
	slave = CHECK_OK(open(name, O_RDWR | O_NOCTTY));
	CHECK_EQ(read(slave, text, 10), 2);
	CHECK_EQ(text[0], 'x');
}

CASE(terminal_ioctl_errors, "ioctl_tty(2)")
{
	pid_t negative = -5, own = getpgrp();

	open_pair();
	CHECK_ERR(ioctl(slave, TIOCSPGRP, unmapped()), EFAULT);
	CHECK_ERR(ioctl(slave, TIOCSPGRP, &negative), EINVAL);
	CHECK_ERR(ioctl(slave, TIOCSPGRP, &own), ENOTTY);
	CHECK_ERR(ioctl(slave, TCGETS, unmapped()), EFAULT);
	CHECK_ERR(ioctl(slave, TIOCGWINSZ, unmapped()), EFAULT);
	CHECK_ERR(ioctl(slave, 0x54ff, text), ENOTTY);
	CHECK_ERR(tcgetpgrp(slave), ENOTTY);
	CHECK_ERR(ioctl(slave, TIOCGPTN, text), ENOTTY);
}
