/* How the sentry sleeps and what wakes it: an eventfd, the bell, that stubs ring when world.asleep says so.
 *
 * The bell keeps what it was told, so nothing is lost between the last look and the sleep.
 */
#include "systrap.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

int bell = -1;
static atomic_bool kicked, died;
static struct sigaction previous;

static void ring(void)
{
	uint64_t one = 1;
	int saved = errno;
	if (write(bell, &one, sizeof one) < 0)
		errno = saved; /* full: it rings already */
}

/* Async-signal-safe; any thread. */
void op_kick(void)
{
	atomic_store(&kicked, true);
	if (bell >= 0)
		ring();
}

static void on_child(int signo)
{
	(void)signo;
	atomic_store(&died, true);
	ring();
}

int sleep_init(void)
{
	struct sigaction action = {.sa_handler = on_child, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
	sigset_t unblock;
	bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (bell < 0 || sigaction(SIGCHLD, &action, &previous) < 0)
		return -errno;
	sigemptyset(&unblock);
	sigaddset(&unblock, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &unblock, NULL);
	return 0;
}

void sleep_shutdown(void)
{
	if (bell < 0)
		return;
	sigaction(SIGCHLD, &previous, NULL);
	close(bell);
	bell = -1;
	atomic_store(&kicked, false);
	atomic_store(&died, false);
}

static bool take(atomic_bool *flag)
{
	return atomic_load_explicit(flag, memory_order_relaxed) && atomic_exchange(flag, false);
}

bool sleep_called_off(void)
{
	return take(&kicked);
}

bool child_died(void)
{
	return take(&died);
}

bool sleep_until_rung(int timeout_ms)
{
	struct pollfd pollers[2] = {{.fd = bell, .events = POLLIN}, {.fd = birth_listener(), .events = POLLIN}};
	uint64_t count;
	int ready = poll(pollers, spare_goes_on() ? 2 : 1, timeout_ms);
	return ready && (!pollers[0].revents || read(bell, &count, sizeof count) == sizeof count);
}
