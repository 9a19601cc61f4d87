/* Timers on CPU time: of a process, of a thread, and which thread takes their signals. */
#include "harness.h"
#include "fixtures.h"

#include <pthread.h>

static volatile int taken_by_main, taken_by_others;
static pthread_t main_thread;

static void count_taker(int signo)
{
	(void)signo;
	if (pthread_equal(pthread_self(), main_thread))
		taken_by_main++;
	else
		taken_by_others++;
}

static void use_thread_time(long long ns)
{
	long long end = nanoseconds(CLOCK_THREAD_CPUTIME_ID) + ns;

	while (nanoseconds(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

static void *work(void *arg)
{
	use_thread_time(300000000);
	return arg;
}

static void *sleep_a_while(void *arg)
{
	struct timespec time = { 0, 200000000 };

	nanosleep(&time, NULL);
	return arg;
}

static timer_t make_timer(clockid_t clock, int notify)
{
	struct sigevent event = { .sigev_notify = notify, .sigev_signo = SIGUSR1 };
	timer_t timer;

	CHECK_OK(timer_create(clock, &event, &timer));
	return timer;
}

CASE(ITIMER_PROF_signals_the_thread_that_works, "getitimer(2)")
{
	struct itimerval often = { { 0, 20000 }, { 0, 20000 } }, never = { { 0, 0 }, { 0, 0 } };
	pthread_t thread;

	main_thread = pthread_self();
	handle(SIGPROF, count_taker, SA_RESTART);
	CHECK_OK(setitimer(ITIMER_PROF, &often, NULL));
	CHECK_EQ(pthread_create(&thread, NULL, work, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_OK(setitimer(ITIMER_PROF, &never, NULL));
	CHECK(taken_by_others >= 5);
	CHECK(taken_by_main <= taken_by_others / 4);
}

CASE(a_process_timer_signals_the_thread_that_works, "timer_create(2)")
{
	struct itimerspec often = { { 0, 20000000 }, { 0, 20000000 } };
	pthread_t thread;
	timer_t timer;

	main_thread = pthread_self();
	handle(SIGUSR1, count_taker, SA_RESTART);
	timer = make_timer(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL);
	CHECK_OK(timer_settime(timer, 0, &often, NULL));
	CHECK_EQ(pthread_create(&thread, NULL, work, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_OK(timer_delete(timer));
	CHECK(taken_by_others >= 5);
	CHECK(taken_by_main <= taken_by_others / 4);
}

CASE(a_threads_timer_counts_that_thread_only, "timer_create(2)")
{
	struct itimerspec soon = { { 0, 0 }, { 0, 100000000 } }, left;
	pthread_t thread;
	timer_t timer = make_timer(CLOCK_THREAD_CPUTIME_ID, SIGEV_NONE);

	CHECK_OK(timer_settime(timer, 0, &soon, NULL));
	CHECK_EQ(pthread_create(&thread, NULL, work, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_OK(timer_gettime(timer, &left));
	CHECK(left.it_value.tv_nsec > 50000000);
	use_thread_time(110000000);
	CHECK_OK(timer_gettime(timer, &left));
	CHECK(left.it_value.tv_nsec <= 1);
}

CASE(a_sleeping_threads_timer_does_not_expire, "timer_create(2)")
{
	struct itimerspec soon = { { 0, 0 }, { 0, 20000000 } };
	pthread_t thread;
	clockid_t clock;
	timer_t timer;

	main_thread = pthread_self();
	handle(SIGUSR1, count_taker, SA_RESTART);
	CHECK_EQ(pthread_create(&thread, NULL, sleep_a_while, NULL), 0);
	CHECK_EQ(pthread_getcpuclockid(thread, &clock), 0);
	timer = make_timer(clock, SIGEV_SIGNAL);
	CHECK_OK(timer_settime(timer, 0, &soon, NULL));
	use_thread_time(100000000);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(taken_by_main + taken_by_others, 0);
}

CASE(clocks_of_others_are_for_reading, "clock_getcpuclockid(3)")
{
	struct timespec now;
	clockid_t parents, thread_of_parent;
	timer_t timer;

	CHECK_EQ(clock_getcpuclockid(getppid(), &parents), 0);
	CHECK_OK(clock_gettime(parents, &now));
	CHECK_OK(timer_create(parents, NULL, &timer));
	CHECK_ERR(clock_settime(parents, &now), EPERM);
	thread_of_parent = parents | 4;
	CHECK_ERR(clock_gettime(thread_of_parent, &now), EINVAL);
	CHECK_ERR(clock_gettime(-5, &now), EINVAL);
	CHECK_ERR(clock_gettime(-8 * 0x7ffffff - 6, &now), EINVAL);
}

static void *clock_by_own_number(void *arg)
{
	clockid_t clock = -8 * gettid() - 6;
	struct timespec now;
	timer_t timer;

	CHECK_OK(clock_gettime(clock, &now));
	CHECK_ERR(timer_create(clock, NULL, &timer), EINVAL);
	return arg;
}

CASE(a_threads_own_number_reads_its_process_clock, "clock_getcpuclockid(3)")
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, clock_by_own_number, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}
