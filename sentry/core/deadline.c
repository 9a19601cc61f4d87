/* The deadlines of parked calls: a binary heap, its earliest one armed with the kernel's timers.
 *
 * Most waits end long before their time, so the timers are only told of a deadline that is earlier than what
 * they were told last: a thread that waits for a lock again and again, 5 ms at most each time, costs them one
 * timer in 5 ms.
 */
#include "core.h"

#include <time.h>

static Task **heap; /* from index 1 */
static size_t used, allocated;
static long long armed = NEVER;

static long long now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void put(size_t place, Task *task)
{
	heap[place] = task;
	task->parked.place = place;
}

/* Find the place of `task`, starting from a free one. */
static void settle(size_t place, Task *task)
{
	long long deadline = task->parked.deadline;
	for (; place > 1 && heap[place / 2]->parked.deadline > deadline; place /= 2)
		put(place, heap[place / 2]);
	for (size_t child; (child = 2 * place) <= used; place = child) {
		if (child < used && heap[child + 1]->parked.deadline < heap[child]->parked.deadline)
			child++;
		if (heap[child]->parked.deadline >= deadline)
			break;
		put(place, heap[child]);
	}
	put(place, task);
}

static void arm(void)
{
	if (!used || heap[1]->parked.deadline >= armed)
		return;
	armed = heap[1]->parked.deadline;
	PyObject *done = PyObject_CallMethod(machine->kernel, "arm_deadline", "L", armed);
	if (!done)
		PyErr_WriteUnraisable(machine->kernel);
	Py_XDECREF(done);
}

int deadline_add(Task *task)
{
	if (used + 1 >= allocated) {
		size_t size = allocated ? 2 * allocated : 64;
		Task **bigger = PyMem_Realloc(heap, size * sizeof *heap);
		if (!bigger)
			return -1;
		heap = bigger;
		allocated = size;
	}
	settle(++used, task);
	arm();
	return 0;
}

void deadline_remove(Task *task)
{
	size_t place = task->parked.place;
	if (!place)
		return;
	task->parked.place = 0;
	Task *moved = heap[used--];
	if (moved != task)
		settle(place, moved);
}

void deadline_expire(void)
{
	long long time = now();
	armed = NEVER;
	while (used && heap[1]->parked.deadline <= time) {
		Task *task = heap[1];
		deadline_remove(task);
		park_wake(task, WAIT_TIMED_OUT);
	}
	arm();
}
