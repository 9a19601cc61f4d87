/* MADV_GUARD_INSTALL: pages that fault whoever touches them, without a mapping of their own (madvise(2)). */
#include "harness.h"
#include "fixtures.h"

#include <setjmp.h>

#define GUARD_INSTALL 102
#define GUARD_REMOVE 103

static sigjmp_buf back;
static volatile int code;

static void on_fault(int signo, siginfo_t *info, void *context)
{
	(void)signo, (void)context;
	code = info->si_code;
	siglongjmp(back, 1);
}

static bool faults(char *at)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };

	CHECK_OK(sigaction(SIGSEGV, &action, NULL));
	if (sigsetjmp(back, 1))
		return true;
	*(volatile char *)at = 1;
	return false;
}

static char *guarded(void)
{
	char *pages = map_pages(4, MAP_PRIVATE);

	pages[PAGE] = 7;
	if (madvise(pages + PAGE, PAGE, GUARD_INSTALL) && errno == EINVAL)
		SKIP("a kernel without guard pages");
	return pages;
}

CASE(a_guard_page_faults_and_its_neighbours_do_not, "madvise(2)")
{
	char *pages = guarded();

	CHECK(faults(pages + PAGE));
	CHECK_EQ(code, SEGV_MAPERR);
	CHECK(!faults(pages));
	CHECK(!faults(pages + 2 * PAGE));
}

CASE(calls_get_EFAULT_from_a_guard_page, "madvise(2)")
{
	char *pages = guarded();
	int ends[2];

	CHECK_OK(pipe(ends));
	CHECK_ERR(write(ends[1], pages + PAGE, 1), EFAULT);
	CHECK_ERR(syscall(SYS_getcwd, pages + PAGE, PAGE), EFAULT);
}

CASE(what_was_in_the_page_is_lost, "madvise(2)")
{
	char *pages = guarded();

	CHECK_OK(madvise(pages, 4 * PAGE, GUARD_REMOVE));
	CHECK_EQ(pages[PAGE], 0);
	CHECK(!faults(pages + PAGE));
}

CASE(guards_outlast_protection_moves_and_forks, "madvise(2)")
{
	char *pages = guarded();
	pid_t child;

	CHECK_OK(madvise(pages, 4 * PAGE, MADV_DONTNEED));
	CHECK(faults(pages + PAGE));
	CHECK_OK(mprotect(pages, 4 * PAGE, PROT_READ));
	CHECK_OK(mprotect(pages, 4 * PAGE, PROT_READ | PROT_WRITE));
	CHECK(faults(pages + PAGE));
	child = fork_child();
	if (!child)
		_exit(!faults(pages + PAGE));
	CHECK_EXITS(child, 0);
	pages = CHECK_OK(mremap(pages, 4 * PAGE, 64 * PAGE, MREMAP_MAYMOVE));
	CHECK(faults(pages + PAGE));
	CHECK(!faults(pages + 2 * PAGE));
}

CASE(guard_errors, "madvise(2)")
{
	char *pages = guarded();

	CHECK_ERR(madvise(pages, 4 * PAGE, MADV_POPULATE_WRITE), EFAULT);
	CHECK_OK(mlock(pages + 2 * PAGE, PAGE));
	CHECK_ERR(madvise(pages + 2 * PAGE, PAGE, GUARD_INSTALL), EINVAL);
	CHECK_ERR(madvise(pages + 1, PAGE, GUARD_INSTALL), EINVAL);
	CHECK_ERR(madvise(unmapped(), PAGE, GUARD_INSTALL), ENOMEM);
	CHECK_OK(madvise(pages, 0, GUARD_INSTALL));
}
