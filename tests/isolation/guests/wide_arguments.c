/*
 * Requests of ioctl, fcntl and prctl with arguments that don't fit into an int, where Linux takes an int: of every
 * number that may be one, on files of every kind.
 */
#include "hostile.h"

#include <sys/inotify.h>

static const unsigned long wide[] = { 1UL << 32, 1UL << 47, 1UL << 63, ~0UL, -PAGE, 0x80000000UL, 0x7fffffffUL };
static const unsigned requests[] = {
	0x80045430, 0x40045431, 0x80045432, 0x40045436, 0x80045438, 0x80045439, 0x8901, 0x8902, 0x8903, 0x8904, 0x8905,
	0x8907, 0x8910, 0x8912, 0x8913, 0x8927, 0xb701, 0xb702, 0xb703, 0xb704, 0x80086601, 0x40086602, 0x801c581f,
	0x401c5820, 0xc020660b, 0x40049409, 0x4020940d, 0xc0189436, 0xc0045877, 0x40085400, 0xc0502100,
};

static int open_all(int *files)
{
	int count = 0, ends[2], unlocked = 0;

	files[count++] = open("/tmp/wide", O_RDWR | O_CREAT, 0600);
	files[count++] = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	call(SYS_ioctl, files[1], 0x40045431, (long)&unlocked, 0, 0, 0);
	files[count++] = call(SYS_ioctl, files[1], 0x5441, O_RDWR | O_NOCTTY, 0, 0, 0);
	if (pipe(ends) == 0)
		files[count++] = ends[0], files[count++] = ends[1];
	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++)
		if (socketpair(AF_UNIX, type, 0, ends) == 0)
			files[count++] = ends[0];
	files[count++] = socket(AF_NETLINK, SOCK_RAW, 0);
	files[count++] = eventfd(0, EFD_NONBLOCK);
	files[count++] = timerfd_create(CLOCK_REALTIME, 0);
	files[count++] = epoll_create1(0);
	files[count++] = inotify_init1(IN_NONBLOCK);
	files[count++] = memfd_create("wide", MFD_ALLOW_SEALING);
	files[count++] = call(SYS_pidfd_open, getpid(), 0, 0, 0, 0, 0);
	files[count++] = open("/", O_RDONLY);
	files[count++] = open("/proc/self/stat", O_RDONLY);
	files[count++] = open("/proc/self/ns/user", O_RDONLY);
	files[count++] = open("/dev/null", O_RDWR);
	return count;
}

static void ask(int file, unsigned long argument)
{
	for (unsigned request = 0x5400; request < 0x5470; request++)
		call(SYS_ioctl, file, request, argument, 0, 0, 0);
	for (size_t i = 0; i < COUNT(requests); i++)
		call(SYS_ioctl, file, requests[i], argument, 0, 0, 0);
	for (int command = 0; command < 1050; command = command == 50 ? 1024 : command + 1)
		if (command != F_SETLKW && command != F_OFD_SETLKW)
			call(SYS_fcntl, file, command, argument, 0, 0, 0);
	fcntl(file, F_SETFL, O_NONBLOCK);
}

int main(void)
{
	int files[32], count = open_all(files);

	for (int signo = 1; signo < 32; signo++)
		if (signo != SIGSEGV)
			signal(signo, SIG_IGN);
	for (int i = 0; i < count; i++)
		for (size_t k = 0; k < COUNT(wide); k++)
			ask(files[i], wide[k]);
	for (int option = 2; option < 80; option++)
		for (size_t k = 0; option != 22 && k < COUNT(wide) * COUNT(wide); k++) /* 22: PR_SET_SECCOMP */
			call(SYS_prctl, option, wide[k / COUNT(wide)], wide[k % COUNT(wide)], 0, 0, 0);
	for (int what = 0; what < 16; what++)
		for (size_t k = 0; k < COUNT(wide); k++)
			call(SYS_prctl, 35, what, wide[k], 0, 0, 0); /* PR_SET_MM */
	printf("done: %d\n", count);
	return 0;
}
