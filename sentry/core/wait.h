/* Waiting in C: parked calls, futexes, epoll's ready lists.  Part of core.h. */
#ifndef RUNSC_WAIT_H
#define RUNSC_WAIT_H

/* Task.state, and how its wait has ended (Task.outcome): sentry.kernel.task, sentry.kernel.wait. */
enum { TASK_RUNNING, TASK_WAITING, TASK_STOPPED, TASK_DEAD };
enum { WAIT_PENDING, WAIT_WOKEN, WAIT_INTERRUPTED, WAIT_TIMED_OUT };

/* Linux's restart codes (sentry.abi.restart): the way back to user mode makes EINTR or a restart of them. */
#define ERESTARTSYS 512
#define ERESTART_RESTARTBLOCK 516

typedef struct Task Task;

/* One thread's place in the queue of a futex (futex.c). */
struct futex_waiter {
	struct futex_waiter *next, *prev; /* both NULL: in no queue */
	PyObject *space;		  /* with `offset`, the key; owned while it is in a queue */
	uint64_t offset;
	Task *task;
	PyObject *holder; /* the FutexWaiter around it, owned by the queue; NULL: a parked task's own */
	uint32_t bitset;
	bool pi, woken;
};

/* A call that waits in C (park.c). */
struct parked {
	/* Go on with the call: its result, HOT_PARK to wait on, or HOT_MISS as long as nothing has happened.
	 * NULL: the task is not parked. */
	int64_t (*step)(Task *task, int outcome);
	PyObject *queue, *object;  /* owned: the queue it is a member of, what it works on; or NULL */
	unsigned events;	   /* those of the queue that it wants */
	uint64_t done;		   /* what the step has done so far: bytes moved; an eventfd's value to add */
	long long deadline;	   /* ns, or NEVER: CLOCK_MONOTONIC, or CLOCK_REALTIME when it is of the wall */
	bool wall;
	size_t place;		   /* in its clock's heap of deadlines, from 1; 0: not there */
	struct futex_waiter futex; /* FUTEX_WAIT */
	Task *next;		   /* in the ready list */
	bool ready;		   /* in that list */
};
#define NEVER INT64_MAX

#define FUTEX_BUCKETS 1024

typedef struct {
	PyObject_HEAD
	struct futex_waiter *buckets; /* heads of circular lists, oldest first */
} FutexTable;

typedef struct {
	PyObject_HEAD
	unsigned long long address;
	struct futex_waiter waiter;
} FutexWaiter;

/* What an epoll instance watches of one file. */
typedef struct Interest {
	PyObject_HEAD
	struct ReadyList *list;
	struct Interest *next; /* in the list */
	PyObject *file;	       /* called, it gives the file or None: a weak reference */
	unsigned events, mask; /* as epoll_ctl(2) was told; those to report */
	unsigned long long data;
	char in_list;
} Interest;

/* The interests of one epoll instance that may have something to report, oldest first. */
typedef struct ReadyList {
	PyObject_HEAD
	Interest *first, *last;
	Py_ssize_t count;
	PyObject *queue; /* WaitQueue: woken when an interest comes in */
} ReadyList;

extern PyTypeObject FutexTableType, FutexWaiterType, InterestType, ReadyListType;

/* queue.c: 0, or -1 with an exception */
int queue_add(PyObject *queue, PyObject *waiter);
int queue_remove(PyObject *queue, PyObject *waiter); /* absent is fine */

/* park.c: calls that wait in C.
 * park: a hot call's answer when it must wait, or its step's when it must wait on: HOT_PARK, or HOT_MISS (no
 *   memory); `step` as in struct parked.
 * park_wait: what the dispatcher does about HOT_PARK: HOT_PARK once the task waits, else the call's result.
 * park_wake: end its wait; true when the task isn't parked, so that its coroutine must be made ready.
 * park_next, park_resume: go on with the calls that are ready, one by one. */
int64_t park(Task *task, int64_t (*step)(Task *, int), PyObject *object, PyObject *queue, unsigned events,
	     long long deadline);
int64_t park_wait(Task *task);
bool park_wake(Task *task, int outcome);
size_t park_ready(void);
Task *park_next(void); /* a new reference */
int64_t park_resume(Task *task);
PyObject *task_end_wait(Task *task, PyObject *outcome); /* TaskBase.end_wait */

/* deadline.c: parked calls by deadline, a heap for each clock.  The kernel's timers call deadline_expire. */
int deadline_add(Task *task); /* 0, or -1: no memory */
void deadline_remove(Task *task);
void deadline_expire(bool wall);

/* futex.c: keys are (space, offset).
 * futex_requeue: wake at most `wake` waiters whose bitset matches and move at most `move` others to the
 * target: how many were woken, or -EINVAL when one waits for a PI lock. */
void futex_queue(FutexTable *table, struct futex_waiter *waiter, PyObject *space, uint64_t offset);
void futex_tell(struct futex_waiter *waiter); /* that it is woken */
bool futex_any_waits(FutexTable *table, PyObject *space, uint64_t offset);
PyObject *futex_pi_waiters(FutexTable *table, PyObject *space, uint64_t offset); /* a list */
void futex_forget(struct futex_waiter *waiter); /* take it out of the queue it is in, if any */
int futex_wake(FutexTable *table, PyObject *space, uint64_t offset, unsigned count, uint32_t bitset);
int futex_requeue(FutexTable *table, PyObject *space, uint64_t offset, PyObject *target,
		  uint64_t target_offset, unsigned wake, unsigned move, uint32_t bitset, unsigned *moved);

/* epoll.c */
struct epoll_event;
int interest_notify(Interest *interest, unsigned events); /* 0, or -1 with an exception */
Py_ssize_t ready_collect(ReadyList *list, struct epoll_event *found, Py_ssize_t limit); /* how many */

void hot_futex_init(void);
void hot_epoll_init(void);

#endif
