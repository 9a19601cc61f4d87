/*
 * What the hostile guest programs share: system calls without the C library, values that no careful program passes,
 * and a worker that is started again when a call of its own ends it.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/*
 * First of all in every hostile program: on a real kernel it would do harm (kill(-1, SIGKILL) as root is one of its
 * calls), so it runs on the sentry or not at all, and only as the first process there.
 */
__attribute__((constructor)) static void refuse_real_kernels(void)
{
	struct utsname name;

	if (getpid() != 1 || uname(&name) != 0 || strstr(name.release, "-runsc-py") == NULL) {
		dprintf(2, "hostile: to be run in a sandbox, as its first program\n");
		_exit(3);
	}
}

static inline long call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	long result;
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static uint64_t random_state;

/* xorshift64* */
static inline uint64_t draw(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dULL;
}

static inline uint64_t draw_below(uint64_t limit)
{
	return (draw() >> 11) % limit;
}

static inline void seed(uint64_t number)
{
	random_state = number * 0x9e3779b97f4a7c15ULL + 0x1234567;
	draw();
	draw();
}

/* Addresses that never were the guest's, and numbers that are no length. */
static const uint64_t wild[] = {
	0,
	1,
	8,
	0xfff,
	0x10000,
	-1ULL,
	-8ULL,
	-PAGE,
	-100ULL,		/* AT_FDCWD */
	0x7fffffffULL,
	0x80000000ULL,
	0xffffffffULL,
	0x100000000ULL,
	0x3fffffffffffffffULL,
	0x7fffffffffffffffULL,
	0x8000000000000000ULL,	/* not canonical */
	0x0000800000000000ULL,	/* ... and just beyond the lower half */
	0x00007ffffffff000ULL,
	0x00007fffffffffffULL,
	0xffff800000000000ULL,	/* the kernel's half */
	0xffffffff81000000ULL,
	0xffffffffff600000ULL,	/* [vsyscall] */
	0x00007fff80000000ULL,	/* the stub */
	0x00007fff80001000ULL,
	0x00007fff7ffff000ULL,	/* the last page before it */
	0x00007fff7fffffffULL,	/* straddles the border */
	0x00007fff7ffffff8ULL,
};

/* Small numbers: descriptors, flags, lengths, signals, commands. */
static const uint64_t small[] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 20, 31, 32, 63, 64, 65, 100, 127, 128, 255, 256,
	1000, 1023, 1024, 1025, 2048, 4095, 4096, 4097, 8192, 65535, 65536, 0x80000, 0x100000, 0x200000, 0x5401,
	0x5421, 0x541b, 1 << 20, 1 << 24,
};

#define ADDRESSES 40
static uint64_t addresses[ADDRESSES];
static unsigned address_count;

static inline void add_address(void *address)
{
	if (address_count < ADDRESSES)
		addresses[address_count++] = (uint64_t)address;
}

static inline char *map_pages(unsigned count, int prot)
{
	char *at = mmap(NULL, count * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* Addresses with something there, or just beside it. */
static inline void make_addresses(void)
{
	char *edge = map_pages(3, PROT_READ | PROT_WRITE), *text, *plain, *locked, *beyond;
	struct iovec *vector;
	int file = memfd_create("short", 0);

	memset(edge, 'a', 2 * PAGE);
	mprotect(edge + 2 * PAGE, PAGE, PROT_NONE);
	for (unsigned back = 1; back <= 64; back *= 4)
		add_address(edge + 2 * PAGE - back);	/* half mapped, and no NUL before the end */
	add_address(edge + 2 * PAGE);
	add_address(edge + PAGE - 3);			/* misaligned and across two good pages */
	add_address(edge);

	locked = map_pages(1, PROT_READ);		/* read-only zeros */
	add_address(locked);
	add_address(locked + PAGE - 4);
	add_address(map_pages(1, PROT_NONE));

	beyond = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0); /* SIGBUS: no file there */
	add_address(beyond);
	if (ftruncate(file, PAGE) == 0)
		add_address(beyond + PAGE - 2);
	close(file);

	plain = map_pages(16, PROT_READ | PROT_WRITE);
	add_address(plain);
	add_address(plain + 1);
	add_address(plain + 8 * PAGE);
	memset(plain + 12 * PAGE, 0xff, 2 * PAGE);
	add_address(plain + 12 * PAGE);
	add_address(plain + 12 * PAGE + 3);
	for (uint64_t *word = (uint64_t *)(plain + 14 * PAGE); (char *)word < plain + 15 * PAGE; word++)
		*word = draw_below(2) ? draw_below(64) : wild[draw_below(COUNT(wild))];
	add_address(plain + 14 * PAGE);
	add_address(plain + 14 * PAGE + 8);

	vector = (struct iovec *)(plain + 4 * PAGE);
	vector[0] = (struct iovec){ plain, 16 };
	for (unsigned i = 1; i < 64; i++)
		vector[i] = (struct iovec){ (void *)wild[i % COUNT(wild)], wild[(i * 7) % COUNT(wild)] };
	add_address(vector);
	add_address(vector + 1);

	text = map_pages(2, PROT_READ | PROT_WRITE);
	strcpy(text, "/tmp/hostile");
	strcpy(text + 64, "");
	strcpy(text + 96, "../../../../../../../../tmp/..");
	strcpy(text + 160, "/proc/self/fd/0");
	strcpy(text + 224, "\xff\xfe\x80 name \x01\n");
	strcpy(text + 288, "/proc/self/root/proc/1/cwd");
	strcpy(text + 352, "/proc/self/maps");
	strcpy(text + 416, "/dev/ptmx");
	memset(text + 1024, '/', 5000);
	for (unsigned at = 0; at <= 416; at += at ? 64 : 64)
		add_address(text + at);
	add_address(text + 96);
	add_address(text + 1024);
}

/* Descriptors 3 and up, of every sort that there is. */
static inline void open_descriptors(void)
{
	static const char *const paths[] = {
		"/tmp/hostile", "/tmp", "/", "/etc/passwd", "/dev/null", "/dev/zero", "/proc/self", "/proc/self/maps",
		"/proc", "/sys", "/dev/ptmx", "/usr/bin/env",
	};
	int pair[2];

	mkdir("/tmp/directory", 0777);
	for (unsigned i = 0; i < COUNT(paths); i++)
		if (open(paths[i], i == 0 ? O_RDWR | O_CREAT : O_RDONLY, 0666) < 0)
			open("/dev/null", O_RDWR);
	if (pipe2(pair, O_NONBLOCK) || pipe(pair) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
	    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		perror("hostile: pairs");
	socket(AF_UNIX, SOCK_STREAM, 0);
	eventfd(1, 0);
	epoll_create1(0);
	timerfd_create(CLOCK_MONOTONIC, 0);
	memfd_create("hostile", MFD_ALLOW_SEALING);
	syscall(SYS_signalfd4, -1, &(uint64_t){ 1 << 9 }, 8, 0);
	syscall(SYS_pidfd_open, getpid(), 0);
}

/* A number that could mean anything. */
static inline uint64_t any_value(void)
{
	switch (draw_below(8)) {
	case 0:
	case 1:
		return wild[draw_below(COUNT(wild))];
	case 2:
	case 3:
		return small[draw_below(COUNT(small))];
	case 4:
		return 3 + draw_below(30);
	case 5:
		return draw();
	default:
		return addresses[draw_below(address_count)];
	}
}

#endif
