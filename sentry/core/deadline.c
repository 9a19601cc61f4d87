/* The deadlines of parked calls: a binary heap for each clock, its earliest one armed with the kernel's timers.
 *
 * Most waits end long before their time, so the timers are only told of a deadline that is earlier than what
 * they were told last: a thread that waits for a lock again and again, 5 ms at most each time, costs them one
 * timer in 5 ms.
 */
#include "core.h"

#include <time.h>

struct heap {
	Task **tasks; /* from index 1 */
	size_t used, allocated;
	long long armed;
};

static struct heap heaps[2] = {{.armed = NEVER}, {.armed = NEVER}}; /* by parked.wall */

static long long now(bool wall)
{
	struct timespec time;
	clock_gettime(wall ? CLOCK_REALTIME : CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static long long deadline_at(struct heap *heap, size_t place)
{
	return heap->tasks[place]->parked.deadline;
}

static void put(struct heap *heap, size_t place, Task *task)
{
	heap->tasks[place] = task;
	task->parked.place = place;
}

/* Find the place of `task`, starting from a free one. */
static void settle(struct heap *heap, size_t place, Task *task)
{
	long long deadline = task->parked.deadline;
	for (; place > 1 && deadline_at(heap, place / 2) > deadline; place /= 2)
		put(heap, place, heap->tasks[place / 2]);
	for (size_t child; (child = 2 * place) <= heap->used; place = child) {
		if (child < heap->used && deadline_at(heap, child + 1) < deadline_at(heap, child))
			child++;
		if (deadline_at(heap, child) >= deadline)
			break;
		put(heap, place, heap->tasks[child]);
	}
	put(heap, place, task);
}

static void arm(struct heap *heap)
{
	if (!heap->used || deadline_at(heap, 1) >= heap->armed)
		return;
	heap->armed = deadline_at(heap, 1);
	PyObject *wall = heap == &heaps[true] ? Py_True : Py_False;
	PyObject *done = PyObject_CallMethod(machine->kernel, "arm_deadline", "LO", heap->armed, wall);
	if (!done)
		PyErr_WriteUnraisable(machine->kernel);
	Py_XDECREF(done);
}

int deadline_add(Task *task)
{
	struct heap *heap = &heaps[task->parked.wall];
	if (heap->used + 1 >= heap->allocated) {
		size_t size = heap->allocated ? 2 * heap->allocated : 64;
		Task **bigger = PyMem_Realloc(heap->tasks, size * sizeof *bigger);
		if (!bigger)
			return -1;
		heap->tasks = bigger;
		heap->allocated = size;
	}
	settle(heap, ++heap->used, task);
	arm(heap);
	return 0;
}

void deadline_remove(Task *task)
{
	struct heap *heap = &heaps[task->parked.wall];
	size_t place = task->parked.place;
	if (!place)
		return;
	task->parked.place = 0;
	Task *moved = heap->tasks[heap->used--];
	if (moved != task)
		settle(heap, place, moved);
}

void deadline_expire(bool wall)
{
	struct heap *heap = &heaps[wall];
	long long time = now(wall);
	heap->armed = NEVER;
	while (heap->used && deadline_at(heap, 1) <= time) {
		Task *task = heap->tasks[1];
		deadline_remove(task);
		park_wake(task, WAIT_TIMED_OUT);
	}
	arm(heap);
}
