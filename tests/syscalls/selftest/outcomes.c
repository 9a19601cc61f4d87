/* A case for each way in which a case can end: what test_harness.py expects to be told apart. */
#include "../harness.h"
#include "../fixtures.h"

#include <pthread.h>

CASE(passes, "-")
{
	CHECK_EQ(1 + 1, 2);
}

CASE(fails_a_check, "-")
{
	CHECK_EQ(1 + 1, 3);
}

CASE(expects_another_errno, "-")
{
	CHECK_ERR(close(-1), EINVAL);
}

CASE(expects_an_error_of_a_success, "-")
{
	CHECK_ERR(getpid(), EINVAL);
}

CASE(expects_a_success_of_an_error, "-")
{
	CHECK_OK(close(-1));
}

CASE(fails_in_a_child_that_nobody_judges, "-")
{
	pid_t child = fork_child();

	if (child == 0)
		CHECK(false);
	wait_status(child);
}

static void *fail(void *unused)
{
	CHECK(false);
	return unused;
}

CASE(fails_in_a_thread, "-")
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, fail, NULL), 0);
	pthread_join(thread, NULL);
}

CASE(is_skipped, "-")
{
	SKIP("because of %s", "the weather");
}

CASE(crashes, "-")
{
	raise(SIGKILL);
}

CASE(exits, "-")
{
	exit(9);
}

CASE(leaves_a_child, "-")
{
	if (fork_child() == 0) {
		alarm(1);
		for (;;)
			pause();
	}
}

CASE(leaves_files, "-")
{
	CHECK_OK(mkdir("directory", 0700));
	put_file("directory/file", "");
	CHECK_OK(symlink("nowhere", "link"));
}

CASE(hangs, "-")
{
	for (;;)
		pause();
}

CASE(passes_after_one_that_hung, "-")
{
	CHECK(true);
}
