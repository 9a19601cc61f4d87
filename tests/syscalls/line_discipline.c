/* What a terminal does to bytes: canonical editing, echo, special characters, mappings, output, VMIN and VTIME. */
#include "harness.h"
#include "fixtures.h"

#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

static int master, slave;
static char text[8192];

/* The attributes that a case begins with: what a new terminal has, without echo unless it is asked for. */
static struct termios start(tcflag_t echo)
{
	struct termios mode;

	CHECK_OK(openpty(&master, &slave, NULL, NULL, NULL));
	CHECK_OK(tcgetattr(slave, &mode));
	mode.c_lflag &= ~(ECHO | ECHOE | ECHOK | ECHONL | ECHOCTL | ECHOKE);
	mode.c_lflag |= echo;
	return mode;
}

static void set(struct termios mode)
{
	CHECK_OK(tcsetattr(slave, TCSANOW, &mode));
}

/* Whether a read would wait; what was typed takes its time from one end to the other. */
static bool silent(int fd)
{
	struct pollfd entry = { .fd = fd, .events = POLLIN };

	return CHECK_OK(poll(&entry, 1, 30)) == 0;
}

static void expect(int fd, const void *expected, size_t length)
{
	size_t got = 0;

	while (got < length) {
		struct pollfd entry = { .fd = fd, .events = POLLIN };

		if (poll(&entry, 1, 5000) == 0)
			FAIL("only %zu bytes of %zu came", got, length);
		got += CHECK_OK(read(fd, text + got, sizeof(text) - got));
	}
	text[got] = '\0';
	if (got != length || memcmp(text, expected, length) != 0)
		FAIL("got %zu bytes \"%s\", expected \"%s\"", got, text, (const char *)expected);
}

#define TYPE(keys) CHECK_EQ(write(master, keys, sizeof(keys) - 1), sizeof(keys) - 1)
#define READS(bytes) expect(slave, bytes, sizeof(bytes) - 1)
#define SHOWS(bytes) expect(master, bytes, sizeof(bytes) - 1)

CASE(erase_kill_and_word_erase_edit_the_line, "termios(3), ICANON")
{
	set(start(0));
	TYPE("abc\x7f\x7fx\n");
	READS("ax\n");
	TYPE("one two-three \x17\x17+\n");
	READS("one +\n");
	TYPE("lost\x15kept\n");
	READS("kept\n");
	TYPE("\x7f\x17\x15z\n");
	READS("z\n");
}

CASE(word_erase_and_literal_next_need_IEXTEN, "termios(3), IEXTEN")
{
	struct termios mode = start(0);

	mode.c_lflag &= ~IEXTEN;
	set(mode);
	TYPE("a b\x17\x16\x7f\n");
	READS("a b\x17\n");
}

CASE(literal_next_takes_away_a_special_meaning, "termios(3), VLNEXT")
{
	set(start(0));
	TYPE("a\x16\x7f\x16\x03\x16\x04\n");
	READS("a\x7f\x03\x04\n");
}

CASE(lines_end_at_VEOL_and_VEOL2_and_keep_them, "termios(3), VEOL")
{
	struct termios mode = start(0);

	mode.c_cc[VEOL] = ';';
	mode.c_cc[VEOL2] = '!';
	set(mode);
	TYPE("a;b!c");
	CHECK_EQ(read(slave, text, 100), 2);
	CHECK_EQ(text[1], ';');
	CHECK_EQ(read(slave, text, 100), 2);
	CHECK_EQ(text[1], '!');
	CHECK(silent(slave));
}

CASE(a_small_read_takes_the_rest_of_a_line_later, "termios(3)")
{
	set(start(0));
	TYPE("abcd\nef\x04");
	CHECK_EQ(read(slave, text, 3), 3);
	CHECK_EQ(read(slave, text, 10), 2);
	CHECK_EQ(read(slave, text, 2), 2);
	CHECK(silent(slave));
	TYPE("\x04");
	CHECK_EQ(read(slave, text, 10), 0);
}

CASE(utf8_characters_are_erased_whole, "termios(3), IUTF8")
{
	struct termios mode = start(ECHO | ECHOE);

	mode.c_iflag |= IUTF8;
	set(mode);
	TYPE("a\xc3\xa9\x7f" "b\n");
	READS("ab\n");
	SHOWS("a\xc3\xa9\b \bb\r\n");
	mode.c_iflag &= ~IUTF8;
	set(mode);
	TYPE("\xc3\xa9\x7f\n");
	READS("\xc3\n");
}

CASE(erasing_shows_backspaces_carets_take_two, "termios(3), ECHOE")
{
	set(start(ECHO | ECHOE | ECHOCTL));
	TYPE("a\x01\x7f\x7f");
	SHOWS("a^A\b \b\b \b\b \b");
	TYPE("ab\t\x7f");
	SHOWS("ab\t\b\b\b\b\b\b");
}

CASE(without_ECHOE_the_erase_character_is_shown, "termios(3), ECHOE")
{
	set(start(ECHO | ECHOCTL));
	TYPE("a\x7f");
	SHOWS("a^?");
}

CASE(kill_shows_a_newline_or_wipes_the_line, "termios(3), ECHOK, ECHOKE")
{
	struct termios mode = start(ECHO | ECHOE | ECHOK | ECHOCTL);

	set(mode);
	TYPE("ab\x15");
	SHOWS("ab^U\r\n");
	mode.c_lflag |= ECHOKE;
	set(mode);
	TYPE("ab\x15");
	SHOWS("ab\b \b\b \b");
}

CASE(ECHOPRT_prints_what_is_erased, "termios(3), ECHOPRT")
{
	set(start(ECHO | ECHOE | ECHOPRT));
	TYPE("abc\x7f\x7fz\n");
	READS("az\n");
	SHOWS("abc\\cb/z\r\n");
}

CASE(ECHONL_shows_newlines_without_ECHO, "termios(3), ECHONL")
{
	set(start(ECHONL));
	TYPE("a\n");
	SHOWS("\r\n");
}

CASE(reprint_shows_the_line_again, "termios(3), VREPRINT")
{
	set(start(ECHO | ECHOCTL));
	TYPE("ab\x12");
	SHOWS("ab^R\r\nab");
}

CASE(returns_and_newlines_are_mapped, "termios(3), ICRNL, INLCR, IGNCR")
{
	struct termios mode = start(0);

	mode.c_lflag &= ~ICANON;
	set(mode);
	TYPE("a\rb\n");
	READS("a\nb\n");
	mode.c_iflag = INLCR;
	set(mode);
	TYPE("a\rb\n");
	READS("a\rb\r");
	mode.c_iflag = IGNCR | ICRNL;
	set(mode);
	TYPE("a\rb\n");
	READS("ab\n");
}

CASE(ISTRIP_IUCLC_and_PARMRK_change_bytes, "termios(3)")
{
	struct termios mode = start(0);

	mode.c_lflag &= ~ICANON;
	mode.c_iflag = ISTRIP;
	set(mode);
	TYPE("\xe1z");
	READS("az");
	mode.c_iflag = IUCLC;
	set(mode);
	TYPE("AbC");
	READS("abc");
	mode.c_lflag &= ~IEXTEN;
	set(mode);
	TYPE("AbC");
	READS("AbC");
	mode.c_iflag = PARMRK;
	set(mode);
	TYPE("a\xff" "b");
	READS("a\xff\xff" "b");
}

CASE(output_is_processed_as_the_flags_say, "termios(3), c_oflag")
{
	struct termios mode = start(0);

	mode.c_oflag = OPOST | ONLCR | TAB3;
	set(mode);
	CHECK_EQ(write(slave, "ab\tc\n", 5), 5);
	SHOWS("ab      c\r\n");
	mode.c_oflag = OPOST | OLCUC | OCRNL;
	set(mode);
	CHECK_EQ(write(slave, "aB\r", 3), 3);
	SHOWS("AB\n");
	mode.c_oflag = OPOST | ONOCR | ONLRET;
	set(mode);
	CHECK_EQ(write(slave, "x\n\ry\r", 5), 5);
	SHOWS("x\ny\r");
	mode.c_oflag = ONLCR | OLCUC;
	set(mode);
	CHECK_EQ(write(slave, "a\n", 2), 2);
	SHOWS("a\n");
}

CASE(stop_character_holds_output_and_echo_back, "termios(3), IXON")
{
	set(start(ECHO));
	TYPE("\x13" "a");
	CHECK(silent(master));
	CHECK_OK(fcntl(slave, F_SETFL, O_NONBLOCK));
	CHECK_ERR(write(slave, "b", 1), EAGAIN);
	TYPE("\x11");
	SHOWS("a");
	CHECK_EQ(write(slave, "b", 1), 1);
	SHOWS("b");
}

CASE(any_character_starts_output_under_IXANY, "termios(3), IXANY")
{
	struct termios mode = start(0);

	mode.c_iflag |= IXANY;
	set(mode);
	TYPE("\x13");
	CHECK(silent(slave));
	CHECK_OK(fcntl(slave, F_SETFL, O_NONBLOCK));
	CHECK_ERR(write(slave, "b", 1), EAGAIN);
	TYPE("x\n");
	READS("x\n");
	CHECK_EQ(write(slave, "b", 1), 1);
}

CASE(output_stopped_by_a_program_is_started_by_one, "tcflow(3)")
{
	set(start(0));
	CHECK_OK(tcflow(slave, TCOOFF));
	CHECK_OK(fcntl(slave, F_SETFL, O_NONBLOCK));
	CHECK_ERR(write(slave, "b", 1), EAGAIN);
	TYPE("\x11\n");
	READS("\n");
	CHECK_ERR(write(slave, "b", 1), EAGAIN);
	CHECK_OK(tcflow(slave, TCOON));
	CHECK_EQ(write(slave, "b", 1), 1);
	CHECK_OK(tcflow(slave, TCIOFF));
	SHOWS("b\x13");
	CHECK_OK(tcflow(slave, TCION));
	SHOWS("\x11");
	CHECK_ERR(tcflow(slave, 4), EINVAL);
}

CASE(flushing_forgets_what_was_not_read, "tcflush(3)")
{
	int count;

	set(start(0));
	TYPE("gone\n");
	while (CHECK_OK(ioctl(slave, FIONREAD, &count)), count != 5)
		;
	CHECK_OK(tcflush(slave, TCIFLUSH));
	CHECK_OK(ioctl(slave, FIONREAD, &count));
	CHECK_EQ(count, 0);
	CHECK_ERR(tcflush(slave, 3), EINVAL);
}

CASE(a_line_keeps_its_newline_however_long_it_was, "termios(3), ICANON")
{
	static char line[5000];

	set(start(0));
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	CHECK_EQ(write(master, line, sizeof(line)), sizeof(line));
	CHECK_EQ(read(slave, text, sizeof(text)), 4096);
	CHECK_EQ(text[4094], 'x');
	CHECK_EQ(text[4095], '\n');
}

CASE(leaving_canonical_mode_frees_the_line, "termios(3), ICANON")
{
	struct termios mode = start(0);
	int count;

	set(mode);
	TYPE("a\x04" "half");
	CHECK_EQ(read(slave, text, 10), 1);
	mode.c_lflag &= ~ICANON;
	set(mode);
	CHECK_EQ(read(slave, text, 10), 4);
	TYPE("xy");
	while (CHECK_OK(ioctl(slave, FIONREAD, &count)), count != 2)
		;
	mode.c_lflag |= ICANON;
	set(mode);
	CHECK_EQ(read(slave, text, 10), 2);
}

static long long read_takes(int fd, size_t count, ssize_t expected)
{
	long long before = nanoseconds(CLOCK_MONOTONIC);

	CHECK_EQ(read(fd, text, count), expected);
	return (nanoseconds(CLOCK_MONOTONIC) - before) / 1000000;
}

static void set_raw(int min, int time)
{
	struct termios mode = start(0);

	cfmakeraw(&mode);
	mode.c_cc[VMIN] = min;
	mode.c_cc[VTIME] = time;
	set(mode);
}

CASE(MIN_0_TIME_0_never_waits, "termios(3), VMIN")
{
	set_raw(0, 0);
	CHECK_EQ(read(slave, text, 10), 0);
	TYPE("ab");
	CHECK(!silent(slave));
	CHECK_EQ(read(slave, text, 1), 1);
	CHECK_EQ(read(slave, text, 10), 1);
}

CASE(MIN_waits_for_so_many_bytes, "termios(3), VMIN")
{
	struct pollfd entry;

	set_raw(3, 0);
	TYPE("ab");
	CHECK(silent(slave));
	entry = (struct pollfd){ .fd = slave, .events = POLLIN };
	TYPE("c");
	CHECK_EQ(poll(&entry, 1, 5000), 1);
	CHECK_EQ(read(slave, text, 10), 3);
	TYPE("de");
	/* As many as were asked for are enough. */
	CHECK_EQ(read(slave, text, 2), 2);
	CHECK_OK(fcntl(slave, F_SETFL, O_NONBLOCK));
	CHECK_ERR(read(slave, text, 2), EAGAIN);
}

CASE(TIME_alone_is_how_long_a_read_waits, "termios(3), VTIME")
{
	set_raw(0, 2);
	CHECK(read_takes(slave, 10, 0) >= 180);
	TYPE("a");
	CHECK_EQ(read(slave, text, 10), 1);
}

CASE(TIME_with_MIN_runs_between_bytes, "termios(3), VTIME")
{
	set_raw(5, 2);
	TYPE("ab");
	CHECK(read_takes(slave, 10, 2) >= 180);
	TYPE("abcde");
	CHECK_EQ(read(slave, text, 10), 5);
}

CASE(signal_characters_flush_unless_NOFLSH, "termios(3), NOFLSH")
{
	struct termios mode = start(ECHO | ECHOCTL);

	mode.c_cc[VQUIT] = 0;
	set(mode);
	TYPE("abc\x03" "d\x1c\n");
	READS("d\x1c\n");
	mode.c_lflag |= NOFLSH;
	mode.c_lflag &= ~ECHO;
	set(mode);
	TYPE("abc\x03" "d\n");
	READS("abcd\n");
	mode.c_lflag &= ~ISIG;
	set(mode);
	TYPE("abc\x03" "d\n");
	READS("abc\x03" "d\n");
}
