/* The one helper thread: it waits for the host's descriptors and kicks the platform.
 *
 * It runs no Python and touches nothing but the three variables below.
 */
#include "core.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>

static atomic_bool fired;
static sem_t again;
static int watched_fd;

static void *watcher(void *unused)
{
	(void)unused;
	prctl(PR_SET_NAME, "watcher");
	for (;;) {
		struct pollfd fds = {.fd = watched_fd, .events = POLLIN};
		if (poll(&fds, 1, -1) <= 0)
			continue;
		atomic_store(&fired, true);
		ops->kick();
		while (sem_wait(&again) < 0)
			;
	}
	return NULL;
}

int watcher_start(int fd)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	watched_fd = fd;
	if (sem_init(&again, 0, 0) < 0)
		return errno;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all); /* signals are for the loop's thread */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int failed = pthread_create(&thread, &attr, watcher, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return failed;
}

bool watcher_fired(void)
{
	return atomic_load(&fired) && atomic_exchange(&fired, false);
}

void watcher_resume(void)
{
	sem_post(&again);
}
