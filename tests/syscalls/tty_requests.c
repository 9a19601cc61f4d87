/* Requests about terminals that termios(3) has no names for (ioctl_tty(2)). */
#include "harness.h"

#include <asm/termbits.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <time.h>

static int master, slave, number;

static void open_both(void)
{
	int unlock = 0;
	char path[32];

	master = CHECK_OK(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK));
	CHECK_OK(ioctl(master, TIOCSPTLCK, &unlock));
	CHECK_OK(ioctl(master, TIOCGPTN, &number));
	snprintf(path, sizeof(path), "/dev/pts/%d", number);
	slave = CHECK_OK(open(path, O_RDWR | O_NOCTTY | O_NONBLOCK));
}

static void check_speeds(tcflag_t cflag, speed_t input, speed_t output, speed_t input_then, speed_t output_then)
{
	struct termios2 mode;

	CHECK_OK(ioctl(slave, TCGETS2, &mode));
	mode.c_cflag = (mode.c_cflag & ~(tcflag_t)(CBAUD | CIBAUD)) | cflag;
	mode.c_ispeed = input;
	mode.c_ospeed = output;
	CHECK_OK(ioctl(slave, TCSETS2, &mode));
	CHECK_OK(ioctl(slave, TCGETS2, &mode));
	CHECK_EQ(mode.c_ispeed, input_then);
	CHECK_EQ(mode.c_ospeed, output_then);
}

CASE(BOTHER_sets_any_speed, "TCSETS2(2const)")
{
	struct termios mode;

	open_both();
	check_speeds(BOTHER, 12345, 12345, 12345, 12345);
	check_speeds(BOTHER | B1200 << IBSHIFT, 5, 12345, 1200, 12345);
	check_speeds(B9600, 5, 7, 9600, 9600);
	check_speeds(B115200 | (tcflag_t)BOTHER << IBSHIFT, 777, 1, 777, 115200);
	check_speeds(BOTHER, 4444, 4444, 4444, 4444);
	CHECK_OK(ioctl(slave, TCGETS, &mode));
	CHECK_EQ(mode.c_cflag & CBAUD, BOTHER);
	CHECK_OK(ioctl(slave, TCSETS, &mode)); /* has no speeds: they stay */
	check_speeds(BOTHER, 4444, 4444, 4444, 4444);
}

CASE(peer_is_opened_from_the_master, "TIOCGPTPEER(2const)")
{
	int fd, on = 1;

	open_both();
	CHECK_OK(close(CHECK_OK(syscall(SYS_ioctl, master, TIOCGPTPEER, 1UL << 47 | O_NOCTTY))));
	CHECK_OK(close(CHECK_OK(syscall(SYS_ioctl, master, TIOCGPTPEER, ~0UL))));
	CHECK_ERR(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_DIRECT), EINVAL);
	fd = CHECK_OK(ioctl(master, TIOCGPTPEER, O_RDONLY | O_NOCTTY | O_CLOEXEC));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_CLOEXEC), O_RDONLY | O_CLOEXEC);
	CHECK_ERR(write(fd, "x", 1), EBADF);
	CHECK_ERR(ioctl(slave, TIOCGPTPEER, O_RDWR), EIO);
	CHECK_OK(ioctl(master, TIOCSPTLCK, &on));
	CHECK_ERR(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY), EIO);
}

/* What the next read of a master in packet mode gives. */
static int packet(void)
{
	unsigned char byte;

	return read(master, &byte, 1) == 1 ? byte : -1;
}

CASE(packet_mode_tells_of_flushes_and_flow, "TIOCPKT(2const)")
{
	struct termios mode, other;
	int on = 1, off = 0;

	open_both();
	CHECK_ERR(ioctl(slave, TIOCPKT, &on), ENOTTY);
	CHECK_OK(ioctl(master, TIOCPKT, &on));
	CHECK_EQ(packet(), -1);
	CHECK_OK(ioctl(slave, TCFLSH, TCIOFLUSH));
	CHECK_EQ(packet(), TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE);
	CHECK_OK(ioctl(slave, TCXONC, TCOOFF));
	CHECK_OK(ioctl(slave, TCXONC, TCOON));
	CHECK_OK(ioctl(master, TIOCPKT, &on)); /* is on already: nothing is forgotten */
	CHECK_EQ(packet(), TIOCPKT_START);
	CHECK_OK(ioctl(slave, TCGETS, &mode));
	other = mode;
	other.c_iflag &= ~(tcflag_t)IXON;
	CHECK_OK(ioctl(slave, TCSETS, &other));
	CHECK_EQ(packet(), TIOCPKT_NOSTOP);
	CHECK_OK(ioctl(slave, TCSETS, &mode));
	CHECK_EQ(packet(), TIOCPKT_DOSTOP);
	CHECK_OK(ioctl(slave, TCXONC, TCOOFF));
	CHECK_OK(ioctl(master, TIOCPKT, &off));
	CHECK_OK(ioctl(master, TIOCPKT, &on));
	CHECK_EQ(packet(), -1);
}

CASE(the_master_injects_three_signals, "TIOCSIG(2const)")
{
	open_both();
	CHECK_OK(ioctl(master, TIOCSIG, SIGINT));
	CHECK_OK(ioctl(master, TIOCSIG, SIGQUIT));
	CHECK_OK(ioctl(master, TIOCSIG, SIGTSTP));
	CHECK_ERR(ioctl(master, TIOCSIG, SIGWINCH), EINVAL);
	CHECK_ERR(ioctl(master, TIOCSIG, 0), EINVAL);
	CHECK_ERR(ioctl(slave, TIOCSIG, SIGINT), ENOTTY);
}

CASE(exclusive_use_is_an_end_of_its_own, "TIOCEXCL(2const)")
{
	int exclusive = 5;

	open_both();
	CHECK_OK(ioctl(slave, TIOCEXCL));
	CHECK_OK(ioctl(slave, TIOCGEXCL, &exclusive));
	CHECK_EQ(exclusive, 1);
	CHECK_OK(ioctl(master, TIOCGEXCL, &exclusive));
	CHECK_EQ(exclusive, 0);
	CHECK_OK(ioctl(slave, TIOCNXCL));
	CHECK_OK(ioctl(slave, TIOCGEXCL, &exclusive));
	CHECK_EQ(exclusive, 0);
}

CASE(soft_carrier_is_CLOCAL, "TIOCSSOFTCAR(2const)")
{
	struct termios mode;
	int on = 1;

	open_both();
	CHECK_OK(ioctl(slave, TIOCSSOFTCAR, &on));
	CHECK_OK(ioctl(slave, TCGETS, &mode));
	CHECK_EQ(mode.c_cflag & CLOCAL, CLOCAL);
	on = 0;
	CHECK_OK(ioctl(slave, TIOCSSOFTCAR, &on));
	CHECK_OK(ioctl(slave, TIOCGSOFTCAR, &on));
	CHECK_EQ(on, 0);
}

CASE(the_device_is_the_slaves_from_both_ends, "ioctl_tty(2), TIOCGDEV")
{
	unsigned int device;

	open_both();
	CHECK_OK(ioctl(slave, TIOCGDEV, &device));
	CHECK_EQ(device, makedev(136, number));
	CHECK_OK(ioctl(master, TIOCGDEV, &device));
	CHECK_EQ(device, makedev(136, number));
}

/* Has `fd` signal this process of what happens there; the signal is blocked. */
static void watch(int fd, sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGRTMIN);
	CHECK_OK(sigprocmask(SIG_BLOCK, set, NULL));
	CHECK_OK(fcntl(fd, F_SETOWN, getpid()));
	CHECK_OK(fcntl(fd, F_SETSIG, SIGRTMIN));
	CHECK_OK(fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK));
}

/* The code of the signal that is pending; 0: none. */
static int pending(const sigset_t *set)
{
	siginfo_t info;

	return sigtimedwait(set, &info, &(struct timespec){ 0, 100 * 1000 * 1000 }) > 0 ? info.si_code : 0;
}

CASE(terminals_signal_input_but_not_their_end, "fcntl(2), O_ASYNC")
{
	sigset_t set;

	open_both();
	watch(slave, &set);
	CHECK_EQ(write(master, "a", 1), 1); /* not a line yet */
	CHECK_EQ(pending(&set), 0);
	CHECK_EQ(write(master, "\n", 1), 1);
	CHECK_EQ(pending(&set), POLL_IN);
	close(master);
	CHECK_EQ(pending(&set), 0);
}

CASE(sockets_signal_room_to_whom_it_lacked, "fcntl(2), O_ASYNC")
{
	static char block[65536];
	sigset_t set;
	int ends[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends));
	watch(ends[0], &set);
	CHECK_EQ(write(ends[0], block, 1), 1);
	CHECK_EQ(read(ends[1], block, sizeof(block)), 1);
	CHECK_EQ(pending(&set), 0);
	while (write(ends[0], block, sizeof(block)) > 0)
		;
	while (read(ends[1], block, sizeof(block)) > 0)
		;
	CHECK_EQ(pending(&set), POLL_OUT);
	CHECK_EQ(pending(&set), 0);
	CHECK_OK(shutdown(ends[0], SHUT_WR));
	CHECK_EQ(pending(&set), 0);
	close(ends[1]);
	CHECK_EQ(pending(&set), POLL_HUP);
}
