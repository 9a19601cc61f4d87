/*
 * Cases: how a guest test program declares, checks and runs them.
 *
 *	CASE(read_at_end_of_file_returns_0, "read(2)")
 *	{
 *		int fd = CHECK_OK(open("empty", O_RDWR | O_CREAT, 0600));
 *		CHECK_EQ(read(fd, buffer, 1), 0);
 *	}
 *
 * A case is named by the fact that it checks and says which manual page states it. It runs in a child and in
 * an empty directory of its own, so that the crash of one is not another's. The first failed check ends it.
 *
 *	prog                 every case, a line each: "ok NAME", "ok NAME # SKIP why" or
 *	                     "not ok NAME: what (file:line)"; status 1 if any failed
 *	prog --list          names and manual pages, separated by a tab
 *	prog --after NAME    the cases that follow NAME (used to go on after one that hung)
 *	prog NAME            one case; status 0 passed, 1 failed, 77 not applicable; the reason is on stderr
 *
 * There is no time limit here: a watchdog belongs to whoever starts the program.
 */
#ifndef HARNESS_H
#define HARNESS_H

#ifndef _GNU_SOURCE
#error "compile with -D_GNU_SOURCE"
#endif

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_PASSED = 0, EXIT_FAILED = 1, EXIT_SKIPPED = 77 };

struct test_case {
	const char *name;
	const char *source;
	void (*body)(void);
	struct test_case *next;
};

/* Shared by the harness, the case and whatever the case forks; the first to fail writes its reason. */
struct report {
	int taken;
	int failed;
	char reason[1024];
};

static struct test_case *first_case;
static struct test_case **last_case = &first_case;
static struct report *report;

static inline void register_case(struct test_case *test)
{
	*last_case = test;
	last_case = &test->next;
}

#define CASE(case_name, case_source)								\
	static void case_name(void);								\
	static struct test_case case_##case_name = { #case_name, case_source, case_name, NULL };	\
	__attribute__((constructor)) static void register_##case_name(void)			\
	{											\
		register_case(&case_##case_name);						\
	}											\
	static void case_name(void)

/* Ends the calling process (a thread's too) with the reason on record. */
__attribute__((noreturn, format(printf, 2, 3)))
static inline void give_up(int status, const char *format, ...)
{
	va_list arguments;

	if (__atomic_exchange_n(&report->taken, 1, __ATOMIC_SEQ_CST) == 0) {
		va_start(arguments, format);
		vsnprintf(report->reason, sizeof(report->reason), format, arguments);
		va_end(arguments);
		if (status == EXIT_FAILED)
			__atomic_store_n(&report->failed, 1, __ATOMIC_SEQ_CST);
	}
	_exit(status);
}

static inline const char *errno_name(int number)
{
	const char *name = number ? strerrorname_np(number) : "no error";

	return name ? name : "unknown errno";
}

#define FAIL(format, ...) \
	give_up(EXIT_FAILED, format " (%s:%d)", ##__VA_ARGS__, __FILE__, __LINE__)

#define SKIP(format, ...) give_up(EXIT_SKIPPED, format, ##__VA_ARGS__)

#define NEEDS_ROOT()				\
	do {					\
		if (geteuid() != 0)		\
			SKIP("needs root");	\
	} while (0)

#define CHECK(condition)					\
	do {							\
		if (!(condition))				\
			FAIL("not true: %s", #condition);	\
	} while (0)

#define CHECK_EQ(actual, expected)									\
	do {												\
		long long actual_ = (long long)(actual);						\
		int errno_ = errno;									\
		long long expected_ = (long long)(expected);						\
		if (actual_ != expected_)								\
			FAIL("%s is %lld, expected %lld%s%s", #actual, actual_, expected_,		\
			     actual_ == -1 ? ", errno " : "", actual_ == -1 ? errno_name(errno_) : "");	\
	} while (0)

#define CHECK_STREQ(actual, expected)							\
	do {										\
		const char *actual_ = (actual), *expected_ = (expected);		\
		if (strcmp(actual_, expected_) != 0)					\
			FAIL("%s is \"%s\", expected \"%s\"", #actual, actual_, expected_);	\
	} while (0)

/* The call succeeds (is not -1 or MAP_FAILED); the value is the call's. */
#define CHECK_OK(call)								\
	({									\
		__typeof__(call) value_ = (call);				\
		if (value_ == (__typeof__(call))-1)				\
			FAIL("%s failed: %s", #call, errno_name(errno));	\
		value_;								\
	})

/* The call fails with this errno. */
#define CHECK_ERR(call, expected_errno)									\
	do {												\
		errno = 0;										\
		long long value_ = (long long)(call);							\
		int errno_ = errno;									\
		if (value_ != -1)									\
			FAIL("%s is %lld, expected %s", #call, value_, errno_name(expected_errno));	\
		if (errno_ != (expected_errno))								\
			FAIL("%s: %s, expected %s", #call, errno_name(errno_), errno_name(expected_errno)); \
	} while (0)

static inline int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status, (void)type, (void)walk;
	return remove(path);
}

__attribute__((noreturn))
static inline void run_body(struct test_case *test)
{
	if (chdir(test->name) != 0)
		FAIL("chdir to the case's directory: %s", errno_name(errno));
	test->body();
	if (waitpid(-1, NULL, WNOHANG | __WALL) != -1 || errno != ECHILD)
		FAIL("the case left a child behind");
	_exit(EXIT_PASSED);
}

/* Runs a case in a child and describes the outcome in report->reason; returns EXIT_*. */
static inline int run_case(struct test_case *test)
{
	int status;
	pid_t child;

	memset(report, 0, sizeof(*report));
	if (mkdir(test->name, 0777) != 0 && errno != EEXIST) {
		snprintf(report->reason, sizeof(report->reason), "mkdir: %s", errno_name(errno));
		return EXIT_FAILED;
	}
	fflush(NULL);
	child = fork();
	if (child == 0)
		run_body(test);
	while (child != -1 && waitpid(child, &status, 0) != child)
		if (errno != EINTR)
			child = -1;
	if (child == -1) {
		snprintf(report->reason, sizeof(report->reason), "fork or waitpid: %s", errno_name(errno));
		return EXIT_FAILED;
	}
	if (rmdir(test->name) != 0)
		nftw(test->name, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	if (report->failed)
		return EXIT_FAILED;
	if (WIFEXITED(status) && (WEXITSTATUS(status) == EXIT_PASSED || WEXITSTATUS(status) == EXIT_SKIPPED))
		return WEXITSTATUS(status);
	if (WIFSIGNALED(status))
		snprintf(report->reason, sizeof(report->reason), "killed by signal %d", WTERMSIG(status));
	else
		snprintf(report->reason, sizeof(report->reason), "wait status 0x%x", (unsigned)status);
	return EXIT_FAILED;
}

static inline void print_result(const char *name, int result)
{
	if (result == EXIT_PASSED)
		printf("ok %s\n", name);
	else if (result == EXIT_SKIPPED)
		printf("ok %s # SKIP %s\n", name, report->reason);
	else
		printf("not ok %s: %s\n", name, report->reason);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct test_case *test = first_case;
	int result, worst = EXIT_PASSED;

	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED) {
		perror("mmap");
		return EXIT_FAILED;
	}
	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (; test; test = test->next)
			printf("%s\t%s\n", test->name, test->source);
		return EXIT_PASSED;
	}
	if (argc > 1) {
		const char *wanted = argv[argc - 1];

		while (test && strcmp(test->name, wanted) != 0)
			test = test->next;
		if (!test) {
			fprintf(stderr, "%s: no such case: %s\n", argv[0], wanted);
			return EXIT_FAILED;
		}
		if (argc == 2) {
			result = run_case(test);
			if (result != EXIT_PASSED)
				fprintf(stderr, "%s: %s\n", test->name, report->reason);
			return result;
		}
		test = test->next;
	}
	for (; test; test = test->next) {
		result = run_case(test);
		print_result(test->name, result);
		if (result == EXIT_FAILED)
			worst = EXIT_FAILED;
	}
	return worst;
}

#endif
