/* brk(2) as the kernel has it: the new break is returned, or the old one when it could not be moved. */
#include "harness.h"
#include "fixtures.h"

#include <sys/resource.h>

static char *raw_brk(void *address)
{
	return (char *)syscall(SYS_brk, address);
}

CASE(brk_0_returns_the_current_break, "brk(2)")
{
	char *now = raw_brk(NULL);

	CHECK(now != NULL);
	CHECK(raw_brk(NULL) == now);
}

CASE(break_grows_with_zeroed_memory, "brk(2)")
{
	char *old = raw_brk(NULL);

	CHECK(raw_brk(old + 3 * PAGE + 5) == old + 3 * PAGE + 5);
	for (int i = 0; i < 3 * PAGE; i++)
		CHECK_EQ(old[i], 0);
	memset(old, 'b', 3 * PAGE);
}

CASE(break_shrinks_and_the_memory_is_gone, "brk(2)")
{
	char *old = raw_brk(NULL), *next_page;
	pid_t child;

	next_page = (char *)(((unsigned long)old + PAGE - 1) & -PAGE);
	CHECK(raw_brk(next_page + 4 * PAGE) == next_page + 4 * PAGE);
	next_page[PAGE] = 1;
	CHECK(raw_brk(next_page) == next_page);
	child = fork_child();
	if (child == 0) {
		struct rlimit none = { 0, 0 };

		setrlimit(RLIMIT_CORE, &none);
		_exit(*(volatile char *)(next_page + PAGE));
	}
	CHECK_KILLED(child, SIGSEGV);
}

CASE(memory_given_back_and_taken_again_is_zeroed, "brk(2)")
{
	char *old = raw_brk(NULL);

	CHECK(raw_brk(old + 4 * PAGE) == old + 4 * PAGE);
	memset(old, 'x', 4 * PAGE);
	CHECK(raw_brk(old) == old);
	CHECK(raw_brk(old + 4 * PAGE) == old + 4 * PAGE);
	for (int i = PAGE; i < 4 * PAGE; i++)
		CHECK_EQ(old[i], 0);
}

CASE(impossible_break_leaves_it_where_it_was, "brk(2)")
{
	char *old = raw_brk(NULL);

	CHECK(raw_brk((void *)1) == old);
	CHECK(raw_brk((void *)0xffff800000000000) == old);
	CHECK(raw_brk((void *)-1L) == old);
}

CASE(break_does_not_run_into_another_mapping, "brk(2)")
{
	char *old = raw_brk(NULL), *page = (char *)(((unsigned long)old + 8 * PAGE) & -PAGE);

	CHECK_OK(mmap(page, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	CHECK(raw_brk(page + 2 * PAGE) == old);
	CHECK(raw_brk(old + PAGE) == old + PAGE);
}

CASE(RLIMIT_DATA_limits_the_break, "brk(2)")
{
	struct rlimit limit = { PAGE, PAGE };
	char *old = raw_brk(NULL);

	CHECK_OK(setrlimit(RLIMIT_DATA, &limit));
	CHECK(raw_brk(old + (1 << 20)) == old);
}

CASE(break_is_inherited_by_fork, "brk(2)")
{
	char *old = raw_brk(NULL);
	pid_t child = fork_child();

	if (child == 0)
		_exit(raw_brk(NULL) == old ? 0 : 1);
	CHECK_EXITS(child, 0);
}
