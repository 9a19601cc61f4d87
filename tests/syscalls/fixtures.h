/*
 * What many cases need: files with contents, awkward pointers, children and their ends, interruptions.
 * Included after harness.h.
 */
#ifndef FIXTURES_H
#define FIXTURES_H

#include <sched.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#define PAGE 4096L

/* Creates (or empties) a file with these contents; returns a descriptor, for both directions, at offset 0. */
static inline int make_file(const char *path, const char *contents)
{
	int fd = CHECK_OK(open(path, O_RDWR | O_CREAT | O_TRUNC, 0644));

	CHECK_EQ(pwrite(fd, contents, strlen(contents), 0), strlen(contents));
	return fd;
}

/* The same, closed. */
static inline void put_file(const char *path, const char *contents)
{
	CHECK_OK(close(make_file(path, contents)));
}

/* A file's text, as a string in a static buffer. */
static inline const char *text_of(const char *path)
{
	static char text[65536];
	int fd = CHECK_OK(open(path, O_RDONLY));
	ssize_t length, total = 0;

	while ((length = CHECK_OK(read(fd, text + total, sizeof(text) - 1 - total))) > 0)
		total += length;
	text[total] = '\0';
	CHECK_OK(close(fd));
	return text;
}

/* Fresh zeroed pages, private or shared with later children. */
static inline void *map_pages(size_t count, int sharing)
{
	return CHECK_OK(mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0));
}

/* count pages, readable and writable, followed by one that is not accessible at all. */
static inline char *pages_before_a_hole(size_t count)
{
	char *start = map_pages(count + 1, MAP_PRIVATE);

	CHECK_OK(mprotect(start + count * PAGE, PAGE, PROT_NONE));
	return start;
}

/* A page that is not mapped. */
static inline void *unmapped(void)
{
	void *page = map_pages(1, MAP_PRIVATE);

	CHECK_OK(munmap(page, PAGE));
	return page;
}

/* Forks; in the child the value is 0, and it must end in _exit. */
static inline pid_t fork_child(void)
{
	return CHECK_OK(fork());
}

static inline int wait_status(pid_t child)
{
	int status;

	CHECK_EQ(waitpid(child, &status, __WALL), child);
	return status;
}

#define CHECK_EXITS(child, code)							\
	do {										\
		int status_ = wait_status(child);					\
		if (!WIFEXITED(status_) || WEXITSTATUS(status_) != (code))		\
			FAIL("wait status 0x%x, expected exit %d", (unsigned)status_, (int)(code));	\
	} while (0)

#define CHECK_KILLED(child, signal)							\
	do {										\
		int status_ = wait_status(child);					\
		if (!WIFSIGNALED(status_) || WTERMSIG(status_) != (signal))		\
			FAIL("wait status 0x%x, not signal %d", (unsigned)status_, (int)(signal));	\
	} while (0)

/* A child that sleeps until it is killed. */
static inline pid_t sleeping_child(void)
{
	pid_t child = fork_child();

	if (child == 0)
		for (;;)
			pause();
	return child;
}

static inline void end_child(pid_t child)
{
	CHECK_OK(kill(child, SIGKILL));
	CHECK_KILLED(child, SIGKILL);
}

/* From now on root is nobody, but for its real and saved user id. */
static inline void lose_privilege(void)
{
	if (geteuid() == 0)
		CHECK_OK(seteuid(65534));
}

/* Namespaces can be made from here on. */
#define NEEDS_NAMESPACES()								\
	do {										\
		if (geteuid() != 0 && unshare(CLONE_NEWUSER) != 0)			\
			SKIP("needs root or user namespaces");				\
	} while (0)

static volatile sig_atomic_t signals_seen;

static inline void count_signal(int number)
{
	(void)number;
	signals_seen++;
}

/* Installs a handler with these SA_ flags. */
static inline void handle(int number, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	CHECK_OK(sigaction(number, &action, NULL));
}

/*
 * From now on SIGALRM arrives every five milliseconds: a call is interrupted whenever it comes to block, so
 * there is no race between the alarm and the call. still() ends it.
 */
static inline void alarm_often(void (*handler)(int), int flags)
{
	struct itimerval every = { { 0, 5000 }, { 0, 5000 } };

	signals_seen = 0;
	handle(SIGALRM, handler, flags);
	CHECK_OK(setitimer(ITIMER_REAL, &every, NULL));
}

static inline void still(void)
{
	struct itimerval never = { { 0, 0 }, { 0, 0 } };

	CHECK_OK(setitimer(ITIMER_REAL, &never, NULL));
}

/* What a clock says, in nanoseconds. */
static inline long long nanoseconds(clockid_t clock)
{
	struct timespec now;

	CHECK_OK(syscall(SYS_clock_gettime, clock, &now));
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* One byte through a pipe: how processes and threads tell each other to go on. */
static inline void tell(int fd)
{
	CHECK_EQ(write(fd, "", 1), 1);
}

static inline void await(int fd)
{
	char byte;
	ssize_t got;

	do
		got = read(fd, &byte, 1);
	while (got == -1 && errno == EINTR);
	CHECK_EQ(got, 1);
}

#endif
