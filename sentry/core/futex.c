/* Who waits on which futex, for the C answers and for sentry.kernel.futex alike.
 *
 * A futex is known by its key, an object and an offset: (address space, address) for private ones, what the
 * memory manager says for shared ones.
 *
 * What must hold: a waiter in a queue owns its key's object, and the queue owns the FutexWaiter around it (a
 * parked task's own waiter needs no owner: the task leaves the queue before it lets go of itself).  Whom a
 * wake takes is decided, and they are out of the queue, before anyone is told.
 */
#include "core.h"

#include <errno.h>

static void unlink_waiter(struct futex_waiter *waiter)
{
	waiter->prev->next = waiter->next;
	waiter->next->prev = waiter->prev;
	waiter->next = waiter->prev = NULL;
}

static void append(struct futex_waiter *list, struct futex_waiter *waiter)
{
	waiter->next = list;
	waiter->prev = list->prev;
	list->prev->next = waiter;
	list->prev = waiter;
}

static void let_go(struct futex_waiter *waiter)
{
	PyObject *holder = waiter->holder;
	Py_CLEAR(waiter->space);
	Py_XDECREF(holder); /* the waiter may be gone now */
}

static struct futex_waiter *bucket_of(FutexTable *table, PyObject *space, uint64_t offset)
{
	Py_hash_t hash = PyObject_Hash(space);
	if (hash == -1)
		PyErr_WriteUnraisable(space); /* a key that isn't hashable is the memory manager's bug */
	return &table->buckets[((uint64_t)hash ^ offset >> 2) * 0x9e3779b97f4a7c15ULL >> 54];
}

static bool matches(struct futex_waiter *waiter, PyObject *space, uint64_t offset)
{
	if (waiter->offset != offset || waiter->space == space)
		return waiter->offset == offset;
	int same = PyObject_RichCompareBool(waiter->space, space, Py_EQ);
	if (same < 0)
		PyErr_WriteUnraisable(space);
	return same > 0;
}

void futex_queue(FutexTable *table, struct futex_waiter *waiter, PyObject *space, uint64_t offset)
{
	waiter->space = Py_NewRef(space);
	waiter->offset = offset;
	waiter->woken = false;
	Py_XINCREF(waiter->holder);
	append(bucket_of(table, space, offset), waiter);
}

void futex_forget(struct futex_waiter *waiter)
{
	if (!waiter->next)
		return;
	unlink_waiter(waiter);
	let_go(waiter);
}

void futex_tell(struct futex_waiter *waiter)
{
	waiter->woken = true;
	if (!waiter->holder) {
		park_wake(waiter->task, WAIT_WOKEN);
		return;
	}
	PyObject *done = PyObject_CallMethod((PyObject *)waiter->task, "wake", NULL);
	if (!done)
		PyErr_WriteUnraisable((PyObject *)waiter->task);
	Py_XDECREF(done);
}

int futex_requeue(FutexTable *table, PyObject *space, uint64_t offset, PyObject *target,
		  uint64_t target_offset, unsigned wake, unsigned move, uint32_t bitset, unsigned *moved)
{
	struct futex_waiter chosen = {.next = &chosen, .prev = &chosen}, moving = {.next = &moving, .prev = &moving};
	struct futex_waiter *bucket = bucket_of(table, space, offset), *waiter, *next;
	unsigned woken = 0;
	bool pi = false;
	*moved = 0;
	for (waiter = bucket->next; waiter != bucket; waiter = next) {
		next = waiter->next;
		if (!matches(waiter, space, offset))
			continue;
		pi = waiter->pi;
		if (pi || (woken >= wake && *moved >= move))
			break;
		if (!(waiter->bitset & bitset))
			continue;
		unlink_waiter(waiter);
		if (woken < wake) {
			append(&chosen, waiter);
			woken++;
		} else {
			append(&moving, waiter);
			++*moved;
		}
	}
	while ((waiter = moving.next) != &moving) {
		unlink_waiter(waiter);
		Py_XSETREF(waiter->space, Py_NewRef(target));
		waiter->offset = target_offset;
		append(bucket_of(table, target, target_offset), waiter);
	}
	while ((waiter = chosen.next) != &chosen) {
		unlink_waiter(waiter);
		futex_tell(waiter);
		let_go(waiter);
	}
	return pi ? -EINVAL : (int)woken;
}

int futex_wake(FutexTable *table, PyObject *space, uint64_t offset, unsigned count, uint32_t bitset)
{
	unsigned moved;
	return futex_requeue(table, space, offset, space, offset, count, 0, bitset, &moved);
}

PyObject *futex_pi_waiters(FutexTable *table, PyObject *space, uint64_t offset)
{
	PyObject *list = PyList_New(0);
	struct futex_waiter *bucket = bucket_of(table, space, offset), *waiter;
	for (waiter = bucket->next; list && waiter != bucket; waiter = waiter->next)
		if (waiter->pi && matches(waiter, space, offset) && PyList_Append(list, waiter->holder) < 0)
			Py_CLEAR(list);
	return list;
}

bool futex_any_waits(FutexTable *table, PyObject *space, uint64_t offset)
{
	struct futex_waiter *bucket = bucket_of(table, space, offset), *waiter = bucket->next;
	while (waiter != bucket && !matches(waiter, space, offset))
		waiter = waiter->next;
	return waiter != bucket;
}
