/* Clocks, sleeping, interval timers and POSIX timers. */
#include "harness.h"
#include "fixtures.h"

#include <signal.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <time.h>

CASE(monotonic_clock_does_not_go_back, "clock_gettime(2)")
{
	long long last = nanoseconds(CLOCK_MONOTONIC), now;

	for (int i = 0; i < 200; i++) {
		now = nanoseconds(CLOCK_MONOTONIC);
		CHECK(now >= last);
		last = now;
	}
}

CASE(realtime_clock_agrees_with_time_and_gettimeofday, "clock_gettime(2)")
{
	struct timeval of_day;
	long long before = nanoseconds(CLOCK_REALTIME) / 1000000000, after;
	time_t seconds;

	CHECK_OK(syscall(SYS_gettimeofday, &of_day, NULL));
	seconds = CHECK_OK(syscall(SYS_time, NULL));
	after = nanoseconds(CLOCK_REALTIME) / 1000000000;
	CHECK(before <= of_day.tv_sec && of_day.tv_sec <= after);
	CHECK(before - 1 <= seconds && seconds <= after);
	CHECK(of_day.tv_usec >= 0 && of_day.tv_usec < 1000000);
	CHECK(before > 1500000000);
}

CASE(every_documented_clock_can_be_read, "clock_gettime(2)")
{
	static const clockid_t clocks[] = {
		CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
		CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME,
	};
	struct timespec now, resolution;

	for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		CHECK_OK(syscall(SYS_clock_gettime, clocks[i], &now));
		CHECK(now.tv_nsec >= 0 && now.tv_nsec < 1000000000);
		CHECK_OK(syscall(SYS_clock_getres, clocks[i], &resolution));
		CHECK(resolution.tv_sec == 0 && resolution.tv_nsec > 0);
	}
}

CASE(clock_errors, "clock_gettime(2)")
{
	struct timespec now = { 0, 0 };

	CHECK_ERR(syscall(SYS_clock_gettime, 1000, &now), EINVAL);
	CHECK_ERR(syscall(SYS_clock_getres, 1000, &now), EINVAL);
	CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, unmapped()), EFAULT);
	CHECK_ERR(syscall(SYS_clock_settime, CLOCK_MONOTONIC, &now), EINVAL);
	CHECK_ERR(syscall(SYS_gettimeofday, unmapped(), NULL), EFAULT);
	CHECK_OK(syscall(SYS_gettimeofday, NULL, NULL));
	CHECK_OK(syscall(SYS_clock_getres, CLOCK_MONOTONIC, NULL));
}

CASE(process_cpu_clock_counts_work, "clock_gettime(2)")
{
	long long before = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
	volatile long work = 0;

	while (nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - before < 1000000)
		for (int i = 0; i < 10000; i++)
			work += i;
	CHECK(work != 0);
}

CASE(nanosleep_sleeps_at_least_its_time, "nanosleep(2)")
{
	struct timespec request = { 0, 3000000 }, zero = { 0, 0 };
	long long before = nanoseconds(CLOCK_MONOTONIC);

	CHECK_OK(syscall(SYS_nanosleep, &request, NULL));
	CHECK(nanoseconds(CLOCK_MONOTONIC) - before >= 3000000);
	CHECK_OK(syscall(SYS_nanosleep, &zero, NULL));
}

CASE(nanosleep_errors, "nanosleep(2)")
{
	struct timespec invalid = { 0, 1000000000 };

	CHECK_ERR(syscall(SYS_nanosleep, &invalid, NULL), EINVAL);
	invalid = (struct timespec){ -1, 0 };
	CHECK_ERR(syscall(SYS_nanosleep, &invalid, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_nanosleep, unmapped(), NULL), EFAULT);
	CHECK_ERR(syscall(SYS_clock_nanosleep, 1000, 0, &invalid, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &invalid, NULL), EINVAL);
}

CASE(clock_nanosleep_in_the_past_returns_at_once, "clock_nanosleep(2)")
{
	struct timespec past = { 1, 0 };

	CHECK_OK(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL));
	CHECK_OK(syscall(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &past, NULL));
}

CASE(alarm_returns_the_seconds_that_were_left, "alarm(2)")
{
	CHECK_EQ(syscall(SYS_alarm, 1000), 0);
	CHECK_EQ(syscall(SYS_alarm, 500), 1000);
	CHECK_EQ(syscall(SYS_alarm, 0), 500);
	CHECK_EQ(syscall(SYS_alarm, 0), 0);
}

CASE(ITIMER_REAL_raises_SIGALRM_again_and_again, "getitimer(2)")
{
	alarm_often(count_signal, SA_RESTART);
	while (signals_seen < 3)
		pause();
	still();
}

CASE(ITIMER_VIRTUAL_and_PROF_count_cpu_time, "getitimer(2)")
{
	struct itimerval soon = { .it_value = { 0, 2000 } };

	handle(SIGVTALRM, count_signal, 0);
	handle(SIGPROF, count_signal, 0);
	CHECK_OK(setitimer(ITIMER_VIRTUAL, &soon, NULL));
	CHECK_OK(setitimer(ITIMER_PROF, &soon, NULL));
	while (signals_seen < 2)
		;
}

CASE(getitimer_tells_what_is_left, "getitimer(2)")
{
	struct itimerval far = { { 3, 0 }, { 1000, 0 } }, seen;

	CHECK_OK(setitimer(ITIMER_REAL, &far, NULL));
	CHECK_OK(getitimer(ITIMER_REAL, &seen));
	CHECK(seen.it_value.tv_sec >= 900 && seen.it_value.tv_sec <= 1000);
	CHECK_EQ(seen.it_interval.tv_sec, 3);
	far = (struct itimerval){ { 0, 0 }, { 0, 0 } };
	CHECK_OK(setitimer(ITIMER_REAL, &far, &seen));
	CHECK(seen.it_value.tv_sec >= 900);
}

CASE(setitimer_errors, "getitimer(2)")
{
	struct itimerval invalid = { .it_value = { 0, 1000000 } };

	CHECK_ERR(syscall(SYS_setitimer, ITIMER_REAL, &invalid, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_setitimer, 9, NULL, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_getitimer, 9, &invalid), EINVAL);
	CHECK_ERR(syscall(SYS_getitimer, ITIMER_REAL, unmapped()), EFAULT);
	CHECK_ERR(syscall(SYS_setitimer, ITIMER_REAL, unmapped(), NULL), EFAULT);
}

static volatile int timer_value;

static void take_timer(int number, siginfo_t *info, void *context)
{
	(void)context;
	count_signal(number);
	timer_value = info->si_code == SI_TIMER ? info->si_value.sival_int : -1;
}

CASE(posix_timer_raises_its_signal_with_its_value, "timer_create(2)")
{
	struct sigaction action = { .sa_sigaction = take_timer, .sa_flags = SA_SIGINFO };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2 };
	struct itimerspec often = { { 0, 2000000 }, { 0, 2000000 } };
	timer_t timer;

	event.sigev_value.sival_int = 4321;
	CHECK_OK(sigaction(SIGRTMIN + 2, &action, NULL));
	CHECK_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK_OK(timer_settime(timer, 0, &often, NULL));
	while (signals_seen < 2)
		sched_yield();
	CHECK_EQ(timer_value, 4321);
	CHECK(timer_getoverrun(timer) >= 0);
	CHECK_OK(timer_delete(timer));
}

CASE(posix_timer_without_notification_only_counts_down, "timer_create(2)")
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	struct itimerspec far = { .it_value = { 1000, 0 } }, seen;
	timer_t timer;

	CHECK_OK(timer_create(CLOCK_REALTIME, &event, &timer));
	CHECK_OK(timer_settime(timer, 0, &far, NULL));
	CHECK_OK(timer_gettime(timer, &seen));
	CHECK(seen.it_value.tv_sec >= 900 && seen.it_value.tv_sec <= 1000);
	CHECK_OK(timer_delete(timer));
	CHECK_ERR(syscall(SYS_timer_gettime, 12345, &seen), EINVAL);
	CHECK_ERR(syscall(SYS_timer_delete, 12345), EINVAL);
	CHECK_ERR(syscall(SYS_timer_create, 1000, &event, &timer), EINVAL);
}

CASE(times_returns_ticks_since_some_point, "times(2)")
{
	struct tms spent;
	clock_t first = CHECK_OK(syscall(SYS_times, &spent)), second;

	CHECK(spent.tms_utime >= 0 && spent.tms_stime >= 0);
	second = CHECK_OK(syscall(SYS_times, NULL));
	CHECK(second >= first);
	CHECK_ERR(syscall(SYS_times, unmapped()), EFAULT);
}

CASE(adjtimex_reads_without_privilege, "adjtimex(2)")
{
	struct timex state = { .modes = 0 };

	CHECK_OK(syscall(SYS_adjtimex, &state));
	CHECK(state.time.tv_sec > 1500000000);
}

CASE(clock_gettime_needs_no_vdso, "clock_gettime(2), vdso(7)")
{
	/* As valgrind has it, which unmaps it. */
	unsigned long start = getauxval(AT_SYSINFO_EHDR);
	struct timespec before, after;
	pid_t child;

	if (!start)
		SKIP("there is no vDSO");
	child = CHECK_OK(fork());
	if (child == 0) {
		CHECK_OK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &before));
		CHECK_OK(syscall(SYS_munmap, start, 2 * 4096));
		for (int i = 0; i < 100; i++)
			CHECK_OK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &after));
		CHECK(after.tv_sec - before.tv_sec >= 0 && after.tv_sec - before.tv_sec < 100);
		CHECK_OK(syscall(SYS_clock_gettime, CLOCK_REALTIME, &after));
		CHECK(after.tv_sec > 1000000000);
		syscall(SYS_exit_group, 0);
	}
	CHECK_EXITS(child, 0);
}

CASE(disarming_a_timer_forgets_its_interval_and_its_signal, "timer_settime(2)")
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec spec = { { 0, 1000000 }, { 0, 1000000 } };
	struct timespec now = { 0, 0 };
	sigset_t set;
	timer_t timer;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK_OK(timer_settime(timer, 0, &spec, NULL));
	usleep(20000);
	spec.it_value.tv_nsec = 0;
	CHECK_OK(timer_settime(timer, 0, &spec, NULL));
	CHECK_ERR(sigtimedwait(&set, NULL, &now), EAGAIN);
	CHECK_OK(timer_gettime(timer, &spec));
	CHECK_EQ(spec.it_interval.tv_nsec, 0);
	spec.it_value.tv_nsec = 1;
	CHECK_OK(timer_settime(timer, 0, &spec, NULL));
	usleep(20000);
	CHECK_OK(timer_delete(timer));
	CHECK_ERR(sigtimedwait(&set, NULL, &now), EAGAIN);
}

CASE(timers_count_as_pending_signals, "timer_create(2), RLIMIT_SIGPENDING")
{
	struct rlimit limit = { 0, 0 };
	timer_t timer;

	CHECK_OK(setrlimit(RLIMIT_SIGPENDING, &limit));
	CHECK_ERR(timer_create(CLOCK_MONOTONIC, NULL, &timer), EAGAIN);
}

CASE(disarmed_ITIMER_REAL_has_no_interval, "setitimer(2)")
{
	struct itimerval value = { { 7, 0 }, { 0, 0 } };

	CHECK_OK(setitimer(ITIMER_REAL, &value, NULL));
	CHECK_OK(getitimer(ITIMER_REAL, &value));
	CHECK_EQ(value.it_interval.tv_sec, 0);
}

static void ignore_it(int signo)
{
	(void)signo;
}

CASE(interrupted_sleep_on_a_CPU_clock_tells_what_is_left, "clock_nanosleep(2)")
{
	struct sigaction action = { .sa_handler = ignore_it };
	struct itimerval soon = { .it_value.tv_usec = 20000 };
	struct timespec wanted = { 5, 0 }, left = { 99, 0 };

	CHECK_OK(sigaction(SIGALRM, &action, NULL));
	CHECK_OK(setitimer(ITIMER_REAL, &soon, NULL));
	CHECK_ERR(syscall(SYS_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, &wanted, &left), EINTR);
	CHECK(left.tv_sec == 4 || (left.tv_sec == 5 && left.tv_nsec == 0));
}
