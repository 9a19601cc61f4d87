/* Calls that wait in C: the C half of sentry.kernel.wait.
 *
 * What must hold is the same there and here.  A task waits in one place at a time; its wait ends woken,
 * interrupted or timed out, whichever comes first (Task.end_wait, for both halves); what ends it only notes
 * the outcome and makes the task ready: the call goes on at the next turn of the loop.  So whoever wakes is
 * never surprised by what the woken one does.
 *
 * A hot call that has to wait calls `park` with a function that goes on with it.  As `block` does, that
 * tries again each time it is woken, and the task stays in its queue, in its place, until the call is over.
 * A parked task holds a reference to itself: the queues, the ready list and the heap of deadlines need none.
 */
#include "core.h"

static Task *first, *last; /* the ready list */
static size_t ready_count;

static bool interrupted(Task *task)
{
	/* as Task.signal_pending */
	return task->work & (WORK_EXIT | WORK_STOP | WORK_HOLD) ||
	       ((task->pending | ((Group *)task->group)->pending) & ~task->sigmask);
}

static void leave(Task *task)
{
	struct parked *parked = &task->parked;
	PyObject *queue = parked->queue, *object = parked->object;
	parked->step = NULL;
	parked->queue = parked->object = NULL;
	if (queue && queue_remove(queue, (PyObject *)task) < 0)
		PyErr_WriteUnraisable(queue);
	futex_forget(&parked->futex);
	deadline_remove(task);
	Py_XDECREF(queue);
	Py_XDECREF(object); /* may close a file, in Python */
	Py_DECREF(task);
}

int64_t park(Task *task, int64_t (*step)(Task *, int), PyObject *object, PyObject *queue, unsigned events,
	     long long deadline)
{
	struct parked *parked = &task->parked;
	if (parked->step)
		return HOT_PARK; /* a step that must wait on: it stays where it is */
	parked->step = step;
	parked->object = Py_XNewRef(object);
	parked->queue = Py_XNewRef(queue);
	parked->events = events;
	parked->done = 0;
	parked->deadline = deadline;
	parked->wall = false;
	parked->futex.woken = false;
	Py_INCREF(task);
	if (queue && queue_add(queue, (PyObject *)task) < 0) {
		PyErr_Clear();
		leave(task);
		return HOT_MISS;
	}
	return HOT_PARK;
}

static int64_t end(Task *task, int outcome)
{
	int64_t result = task->parked.step(task, outcome);
	leave(task);
	return result;
}

int64_t park_wait(Task *task)
{
	struct parked *parked = &task->parked;
	if (interrupted(task))
		return end(task, WAIT_INTERRUPTED);
	/* It passed while the task was about to try again, or there is no memory to wait for it. */
	if (parked->deadline != NEVER && !parked->place && deadline_add(task) < 0)
		return end(task, WAIT_TIMED_OUT);
	task->outcome = WAIT_PENDING;
	task->interruptible = 1;
	task->state = TASK_WAITING;
	task->waits++;
	return HOT_PARK;
}

bool park_wake(Task *task, int outcome)
{
	struct parked *parked = &task->parked;
	if (task->state != TASK_WAITING || task->outcome != WAIT_PENDING)
		return false;
	task->outcome = outcome;
	if (!parked->step)
		return true;
	if (!parked->ready) {
		parked->ready = true;
		parked->next = NULL;
		if (last)
			last->parked.next = task;
		else
			first = task;
		last = task;
		ready_count++;
		Py_INCREF(task);
	}
	return false;
}

size_t park_ready(void)
{
	return ready_count;
}

Task *park_next(void)
{
	Task *task = first;
	first = task->parked.next;
	if (!first)
		last = NULL;
	ready_count--;
	task->parked.ready = false;
	return task;
}

int64_t park_resume(Task *task)
{
	if (task->state != TASK_WAITING) { /* dead: nobody is left to go on */
		leave(task);
		return HOT_PARK;
	}
	task->state = TASK_RUNNING;
	int64_t result = task->parked.step(task, task->outcome);
	if (result == HOT_PARK)
		return park_wait(task);
	leave(task);
	return result;
}
