/*
 * What a step of CLOCK_REALTIME does to those who wait. Who starts the program steps the clock: by as many
 * nanoseconds as a line "step N" of its output asks for (tests/syscalls/test_clock_steps.py).
 */
#include "../harness.h"
#include "../fixtures.h"

#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>

#define MS 1000000LL
#define SECOND 1000000000LL
#define TRIES 20
#define CANCELABLE (TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)

static uint64_t count;

static void ask_for_step(long long by)
{
	printf("step %lld\n", by);
	fflush(stdout);
}

/* How far CLOCK_REALTIME is ahead; a step shows as a difference of more than MS. */
static long long ahead(void)
{
	return nanoseconds(CLOCK_REALTIME) - nanoseconds(CLOCK_MONOTONIC);
}

static bool stepped_since(long long before)
{
	return llabs(ahead() - before) > MS;
}

static void step(long long by)
{
	long long before = ahead();

	ask_for_step(by);
	while (!stepped_since(before))
		usleep(100);
}

static struct timespec timespec_of(long long ns)
{
	return (struct timespec) { ns / SECOND, ns % SECOND };
}

static int timer_at(int clock, long long when, int flags)
{
	struct itimerspec value = { .it_value = timespec_of(when) };
	int fd = CHECK_OK(timerfd_create(clock, 0));

	CHECK_OK(timerfd_settime(fd, flags, &value, NULL));
	return fd;
}

static int far_timer(int flags)
{
	return timer_at(CLOCK_REALTIME, nanoseconds(CLOCK_REALTIME) + 1000 * SECOND, flags);
}

CASE(a_step_cancels_a_read, "timerfd_create(2), TFD_TIMER_CANCEL_ON_SET")
{
	int fd = far_timer(CANCELABLE);

	ask_for_step(MS);
	CHECK_ERR(read(fd, &count, 8), ECANCELED);
	ask_for_step(-MS); /* and the next one, too */
	CHECK_ERR(read(fd, &count, 8), ECANCELED);
}

CASE(a_step_cancels_the_timer_for_wake_ups, "timerfd_create(2), CLOCK_REALTIME_ALARM")
{
	struct itimerspec value = { .it_value = { 1LL << 33, 0 } };
	int fd = timerfd_create(CLOCK_REALTIME_ALARM, 0);

	if (fd < 0)
		SKIP("needs CAP_WAKE_ALARM");
	CHECK_OK(timerfd_settime(fd, CANCELABLE, &value, NULL));
	ask_for_step(MS);
	CHECK_ERR(read(fd, &count, 8), ECANCELED);
}

CASE(a_step_is_noticed_at_once, "timerfd_create(2)")
{
	struct pollfd ready = { .fd = far_timer(CANCELABLE), .events = POLLIN };

	CHECK_OK(fcntl(ready.fd, F_SETFL, O_NONBLOCK));
	step(-2 * MS);
	CHECK_EQ(poll(&ready, 1, 0), 1);
	CHECK_EQ(ready.revents, POLLIN);
	CHECK_ERR(read(ready.fd, &count, 8), ECANCELED);
	CHECK_ERR(read(ready.fd, &count, 8), EAGAIN);
	CHECK_EQ(poll(&ready, 1, 0), 0);
}

CASE(a_step_wakes_poll_and_epoll, "timerfd_create(2)")
{
	int fd = far_timer(CANCELABLE), epoll = CHECK_OK(epoll_create1(0));
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = 7 };
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
	ask_for_step(MS);
	CHECK_EQ(epoll_wait(epoll, &event, 1, -1), 1);
	CHECK_ERR(read(fd, &count, 8), ECANCELED);
	ask_for_step(-MS);
	CHECK_EQ(poll(&ready, 1, -1), 1);
	CHECK_ERR(read(fd, &count, 8), ECANCELED);
}

CASE(a_disarmed_timer_is_cancelled_too, "timerfd_create(2)")
{
	int fd = timer_at(CLOCK_REALTIME, 0, CANCELABLE);

	ask_for_step(MS);
	CHECK_ERR(read(fd, &count, 8), ECANCELED);
}

CASE(settime_tells_of_a_step_that_nobody_has_read_of, "timerfd_create(2), NOTES")
{
	struct itimerspec value = { .it_value = { 1LL << 33, 0 } }, old = { .it_value = { 77, 0 } };
	int fd = far_timer(CANCELABLE);

	step(-2 * MS);
	CHECK_ERR(timerfd_settime(fd, CANCELABLE, &value, &old), ECANCELED);
	CHECK_EQ(old.it_value.tv_sec, 77);
	CHECK_OK(timerfd_gettime(fd, &old)); /* armed all the same */
	CHECK(old.it_value.tv_sec > 1LL << 32);
	CHECK_OK(timerfd_settime(fd, CANCELABLE, &value, &old));
}

CASE(only_absolute_timers_that_ask_are_cancelled, "timerfd_create(2)")
{
	struct pollfd timers[] = {
		{ .fd = far_timer(TFD_TIMER_ABSTIME), .events = POLLIN },
		{ .fd = far_timer(TFD_TIMER_CANCEL_ON_SET), .events = POLLIN },
		{ .fd = timer_at(CLOCK_MONOTONIC, 1LL << 62, CANCELABLE), .events = POLLIN },
		{ .fd = timer_at(CLOCK_BOOTTIME, 1LL << 62, CANCELABLE), .events = POLLIN },
	};
	int witness = far_timer(CANCELABLE);

	ask_for_step(-2 * MS);
	CHECK_ERR(read(witness, &count, 8), ECANCELED);
	CHECK_EQ(poll(timers, 4, 0), 0);
}

CASE(an_earlier_step_is_not_held_against_a_new_timer, "timerfd_create(2)")
{
	struct pollfd ready = { .events = POLLIN };
	int witness = far_timer(CANCELABLE);

	step(2 * MS);
	ready.fd = far_timer(CANCELABLE);
	CHECK_EQ(poll(&ready, 1, 0), 0);
	CHECK_ERR(read(witness, &count, 8), ECANCELED);
	CHECK_EQ(poll(&ready, 1, 0), 0);
}

CASE(ticks_are_not_set_over_a_step, "timerfd_create(2), TFD_IOC_SET_TICKS")
{
	uint64_t ticks = 5;
	int fd = far_timer(CANCELABLE);

	if (ioctl(fd, TFD_IOC_SET_TICKS, &ticks) != 0)
		SKIP("a kernel without checkpoint and restore");
	CHECK_EQ(read(fd, &count, 8), 8);
	CHECK_EQ(count, 5);
	step(-2 * MS);
	CHECK_ERR(ioctl(fd, TFD_IOC_SET_TICKS, &ticks), ECANCELED);
}

/* A read unblocks with nothing when the clock is set back between the expiration and the read. */
static bool reads_nothing(int flags)
{
	long long when = nanoseconds(CLOCK_REALTIME) + MS;
	struct itimerspec value = { { 1, 0 }, timespec_of(when) };
	struct pollfd ready = { .fd = CHECK_OK(timerfd_create(CLOCK_REALTIME, flags)), .events = POLLIN };
	bool early;

	CHECK_OK(timerfd_settime(ready.fd, TFD_TIMER_ABSTIME, &value, NULL));
	CHECK_EQ(poll(&ready, 1, -1), 1);
	step(-50 * MS);
	CHECK_EQ(poll(&ready, 1, 0), 1); /* it has expired */
	errno = 0;
	ssize_t got = read(ready.fd, &count, 8);
	early = nanoseconds(CLOCK_REALTIME) < when;
	if (early && flags & O_NONBLOCK)
		CHECK(got == -1 && errno == EAGAIN);
	else if (early)
		CHECK_EQ(got, 0);
	CHECK_OK(close(ready.fd));
	step(50 * MS);
	return early;
}

CASE(a_step_back_can_make_a_read_return_0, "timerfd_create(2), BUGS")
{
	int tries = 0;

	while (!reads_nothing(0) && tries++ < TRIES)
		;
	while (!reads_nothing(TFD_NONBLOCK) && tries++ < TRIES)
		;
	if (tries >= TRIES)
		SKIP("the machine is too busy");
}

/* Waits until CLOCK_REALTIME shows a time that a step has put off meanwhile. */
static void check_put_off(void (*wait_until)(struct timespec *when))
{
	for (int tries = 0; tries < TRIES; tries++) {
		long long before = ahead(), target = nanoseconds(CLOCK_REALTIME) + 60 * MS;
		struct timespec when = timespec_of(target);

		ask_for_step(-20 * MS);
		wait_until(&when);
		long long now = nanoseconds(CLOCK_REALTIME);
		bool during = stepped_since(before);

		while (!stepped_since(before))
			usleep(100);
		step(20 * MS);
		if (during) {
			CHECK(now >= target);
			return;
		}
	}
	SKIP("the machine is too busy");
}

static void sleep_until(struct timespec *when)
{
	CHECK_EQ(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, when, NULL), 0);
}

CASE(an_absolute_sleep_is_put_off, "clock_nanosleep(2)")
{
	check_put_off(sleep_until);
}

static void futex_until(struct timespec *when)
{
	static int word;

	CHECK_ERR(syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, when, NULL, 1), ETIMEDOUT);
}

CASE(a_futex_wait_is_put_off, "futex(2), FUTEX_CLOCK_REALTIME")
{
	check_put_off(futex_until);
}

static void interrupted_futex_until(struct timespec *when)
{
	pid_t child = CHECK_OK(fork());

	if (child == 0) {
		usleep(5000);
		kill(getppid(), SIGSTOP);
		usleep(1000);
		kill(getppid(), SIGCONT);
		_exit(0);
	}
	futex_until(when);
	CHECK_EQ(waitpid(child, NULL, 0), child);
}

CASE(a_restarted_futex_wait_is_put_off, "futex(2), FUTEX_CLOCK_REALTIME")
{
	check_put_off(interrupted_futex_until);
}

static pthread_mutex_t mutex;

static void *lock_until(void *when)
{
	CHECK_EQ(pthread_mutex_timedlock(&mutex, when), ETIMEDOUT);
	return NULL;
}

static void lock_elsewhere_until(struct timespec *when)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, lock_until, when), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

CASE(waiting_for_a_lock_with_inheritance_is_put_off, "futex(2), FUTEX_LOCK_PI")
{
	pthread_mutexattr_t attributes;

	CHECK_EQ(pthread_mutexattr_init(&attributes), 0);
	CHECK_EQ(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT), 0);
	CHECK_EQ(pthread_mutex_init(&mutex, &attributes), 0);
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	check_put_off(lock_elsewhere_until);
}

static mqd_t queue;

static void receive_until(struct timespec *when)
{
	char text[8192];

	CHECK_ERR(mq_timedreceive(queue, text, sizeof(text), NULL, when), ETIMEDOUT);
}

CASE(waiting_for_a_message_is_put_off, "mq_receive(3)")
{
	queue = mq_open("/clock-steps", O_RDWR | O_CREAT, 0600, NULL);
	if (queue == (mqd_t)-1)
		SKIP("no message queues: %s", errno_name(errno));
	CHECK_OK(mq_unlink("/clock-steps"));
	check_put_off(receive_until);
}

static void signal_at(struct timespec *when)
{
	struct itimerspec value = { .it_value = *when };
	timer_t timer;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_OK(timer_create(CLOCK_REALTIME, NULL, &timer));
	CHECK_OK(timer_settime(timer, TIMER_ABSTIME, &value, NULL));
	CHECK_EQ(sigwaitinfo(&set, NULL), SIGALRM);
	CHECK_OK(timer_delete(timer));
}

CASE(an_absolute_timer_is_put_off, "timer_settime(2)")
{
	check_put_off(signal_at);
}

static void read_at(struct timespec *when)
{
	int fd = timer_at(CLOCK_REALTIME, when->tv_sec * SECOND + when->tv_nsec, TFD_TIMER_ABSTIME);

	CHECK_EQ(read(fd, &count, 8), 8);
	CHECK_EQ(count, 1);
	CHECK_OK(close(fd));
}

CASE(an_absolute_timerfd_is_put_off, "timerfd_create(2)")
{
	check_put_off(read_at);
}

/* A step ahead makes no relative wait shorter. */
static void check_not_shortened(void (*wait_for)(struct timespec *duration))
{
	long long start = nanoseconds(CLOCK_MONOTONIC);
	struct timespec duration = timespec_of(60 * MS);

	ask_for_step(20 * MS);
	wait_for(&duration);
	CHECK(nanoseconds(CLOCK_MONOTONIC) - start >= 60 * MS);
}

static void sleep_for(struct timespec *duration)
{
	CHECK_EQ(clock_nanosleep(CLOCK_REALTIME, 0, duration, NULL), 0);
}

static void read_after(struct timespec *duration)
{
	CHECK_EQ(read(timer_at(CLOCK_REALTIME, duration->tv_nsec, 0), &count, 8), 8);
}

static void signal_after(struct timespec *duration)
{
	struct itimerspec value = { .it_value = *duration };
	timer_t timer;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_OK(timer_create(CLOCK_REALTIME, NULL, &timer));
	CHECK_OK(timer_settime(timer, 0, &value, NULL));
	CHECK_EQ(sigwaitinfo(&set, NULL), SIGALRM);
}

CASE(relative_waits_do_not_care, "clock_nanosleep(2), timer_settime(2), timerfd_create(2)")
{
	check_not_shortened(sleep_for);
	check_not_shortened(read_after);
	check_not_shortened(signal_after);
}
