/* The sentry's children: which host processes are whose.
 *
 * The number of a new process comes from the stub that cloned it, in memory that its guest can write.  It is
 * believed only when the kernel says that it is a child of ours and it is none that we know.  Whom nobody owns up
 * to is looked for when a birth has failed, so that there can't be more of them than of their parents.
 */
#include "systrap.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STRAYS 8
#define NEAR 64	 /* numbers to look at on either side of the newest */
#define DOUBTS 8 /* births to look again after, for one that was slow to come */
#define PATIENCE_MS 50 /* with a process that has been killed and does not go */

struct child {
	int pid;
	struct space *space; /* NULL: killed, not reaped yet */
	struct child *next;
};

static struct child *children;
static int strays[STRAYS], nstrays; /* dead before we knew them */
unsigned nreaped;
static int newest; /* the last number given out that we know of */
static int doubts;
int sentry_pid;

static struct child *find(int pid)
{
	struct child *child = children;
	while (child && child->pid != pid)
		child = child->next;
	return child;
}

int child_adopt(struct space *space, int64_t pid)
{
	siginfo_t info = {0};
	if (pid <= 1 || pid > INT_MAX || pid == sentry_pid || find((int)pid))
		return -EPERM;
	for (int i = 0; i < STRAYS; i++)
		if (strays[i] == pid)
			return -EAGAIN;
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0)
		return -EPERM;
	struct child *child = malloc(sizeof *child);
	if (!child) {
		kill((int)pid, SIGKILL);
		return -ENOMEM;
	}
	*child = (struct child){(int)pid, space, children};
	children = child;
	space->base.host_pid = newest = (int)pid;
	return 0;
}

bool child_thread(struct space *space, int64_t tid)
{
	if (tid <= 1 || tid > INT_MAX || syscall(SYS_tgkill, space->base.host_pid, (int)tid, 0) < 0)
		return false;
	newest = (int)tid;
	return true;
}

/* A process that exists although its parent says that it could not be had, or had it and then another.  Numbers
 * are given out in order, and nobody but stubs is born in our PID namespace; in one of others' we don't guess. */
void child_seek(bool doubtful)
{
	siginfo_t info;
	if (doubtful)
		doubts = DOUBTS;
	if (!doubts || sentry_pid != 1)
		return;
	doubts--;
	for (int pid = newest < NEAR ? 2 : newest - NEAR; pid < newest + NEAR; pid++)
		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 && !find(pid))
			kill(pid, SIGKILL);
}

static bool knows(const struct space *space, int tid)
{
	for (const struct thread *thread = space->threads; thread; thread = thread->sibling)
		if (thread->base.host_tid == tid)
			return true;
	return false;
}

/* The same for a thread, with whose whole process it ends. */
void child_seek_thread(struct space *space)
{
	int process = space->base.host_pid;
	for (int tid = newest < NEAR ? 2 : newest - NEAR; process > 0 && tid < newest + NEAR; tid++)
		if (syscall(SYS_tgkill, process, tid, 0) == 0 && !knows(space, tid))
			kill_space(space);
}

void child_disown(struct space *space)
{
	struct child *child = children;
	while (child && child->space != space)
		child = child->next;
	if (!child)
		return;
	kill(child->pid, SIGKILL);
	child->space = NULL;
}

static void bury(struct space *space, int status)
{
	space->killed_by = WIFSIGNALED(status) ? WTERMSIG(status) : SIGKILL;
	space->base.host_pid = 0; /* the number may soon be another's */
	for (struct thread *thread = space->threads; thread; thread = thread->sibling) {
		thread->dead = true;
		if (!thread->base.running)
			continue;
		forget_running(thread);
		report_gone(thread);
	}
}

static void reaped(int pid, int status)
{
	nreaped++;
	struct child **link = &children;
	while (*link && (*link)->pid != pid)
		link = &(*link)->next;
	struct child *child = *link;
	if (!child) {
		strays[nstrays++ % STRAYS] = pid;
		return;
	}
	*link = child->next;
	if (child->space)
		bury(child->space, status);
	free(child);
}

void reap(void)
{
	int status, pid;
	while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0)
		reaped(pid, status);
}

static bool any_killed(void)
{
	const struct child *child = children;
	while (child && child->space)
		child = child->next;
	return child != NULL;
}

/* Until one more than `before` is no more, and no longer counts against the host's limits.  False: none of those
 * that we have killed is left, or it takes too long. */
bool made_room(unsigned before)
{
	for (int i = 0; i < PATIENCE_MS; i++) {
		reap();
		if (nreaped != before)
			return true;
		if (!any_killed())
			return false;
		poll(NULL, 0, 1);
	}
	return false;
}

/* All that the template has brought forth are in its process group, whoever knows them. */
void kill_all(int family)
{
	int status, pid;
	if (family <= 1)
		return;
	kill(-family, SIGKILL);
	kill(family, SIGKILL); /* it may not have made the group yet */
	while ((pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR)
		if (pid > 0)
			reaped(pid, status);
	nstrays = 0;
	for (int i = 0; i < STRAYS; i++)
		strays[i] = 0;
}

void kill_space(struct space *space)
{
	if (space->base.host_pid > 0)
		kill(space->base.host_pid, SIGKILL);
}
