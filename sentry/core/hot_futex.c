/* C answers to futex(2): wait, wake and requeue (twins: sentry.syscalls.futex, sentry.kernel.futex). */
#include "vma.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#define SHARED_CALL 2 /* FUTEX_SHARED_CALL of sentry.mm.space */
#define NSEC 1000000000LL
#define FAR (1LL << 62) /* ns: later than any deadline that can be reached */

struct key {
	PyObject *space; /* owned */
	uint64_t offset;
};

/* The key of the word at `addr`; false when Python must say what is wrong with it. */
static bool find_key(Task *task, uint64_t addr, bool private, struct key *key)
{
	static PyObject *name;
	if (addr & 3 || addr >= PF_GUEST_END || !task->mm || !machine->futexes)
		return false;
	if (!private && PyObject_TypeCheck(task->mm, &SpaceType)) {
		Vma *vma = vma_list_find(((Space *)task->mm)->areas, addr);
		private = vma && !(vma->flags & VM_SHARED) && vma->prot & PROT_WRITE;
		addr |= private ? SHARED_CALL : 0;
	}
	key->space = private ? Py_NewRef(task->mm) : NULL;
	key->offset = addr;
	if (private)
		return true;
	/* A word in shared memory: what is mapped there says what it is. */
	PyObject *address = PyLong_FromUnsignedLongLong(addr);
	PyObject *pair = NULL;
	if (address && (name || (name = PyUnicode_InternFromString("futex_key"))))
		pair = PyObject_CallMethodObjArgs(task->mm, name, address, Py_True, NULL);
	Py_XDECREF(address);
	if (pair && PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2) {
		key->space = Py_NewRef(PyTuple_GET_ITEM(pair, 0));
		key->offset = PyLong_AsUnsignedLongLongMask(PyTuple_GET_ITEM(pair, 1));
	}
	Py_XDECREF(pair);
	if (!PyErr_Occurred())
		return key->space;
	PyErr_Clear(); /* EFAULT, which Python finds again */
	Py_CLEAR(key->space);
	return false;
}

static long long clock_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec * NSEC + now.tv_nsec;
}

/* The deadline that the time-out at `addr` means, on CLOCK_REALTIME if it is absolute and `realtime`; false when
 * Python must say what is wrong with it. */
static bool find_deadline(Task *task, uint64_t addr, bool absolute, bool realtime, long long *deadline)
{
	struct timespec time;
	*deadline = NEVER;
	if (!addr)
		return true;
	if (task_read(task, addr, &time, sizeof time) != sizeof time)
		return false;
	if (time.tv_sec < 0 || time.tv_nsec < 0 || time.tv_nsec >= NSEC)
		return false;
	if (absolute && !realtime && task->shifted)
		return false;
	*deadline = time.tv_sec >= FAR / NSEC ? FAR : time.tv_sec * NSEC + time.tv_nsec;
	if (!absolute)
		*deadline += clock_ns(CLOCK_MONOTONIC);
	return true;
}

/* A wait with a deadline goes on in restart_syscall(2), in Python. */
static int64_t interrupted(Task *task)
{
	if (task->parked.deadline == NEVER)
		return -ERESTARTSYS;
	struct pf_regs *regs = task_regs(task);
	int operation = (int)regs->rsi;
	bool any = (operation & FUTEX_CMD_MASK) == FUTEX_WAIT;
	PyObject *futexes = PyObject_GetAttrString(machine->kernel, "futexes");
	PyObject *done = NULL;
	if (futexes)
		done = PyObject_CallMethod(futexes, "restart_later", "OKIILOO", task, (unsigned long long)regs->rdi,
					   (unsigned)regs->rdx, any ? ~0U : (unsigned)regs->r9, task->parked.deadline,
					   operation & FUTEX_PRIVATE_FLAG ? Py_False : Py_True,
					   task->parked.wall ? Py_True : Py_False);
	Py_XDECREF(futexes);
	if (!done) {
		PyErr_WriteUnraisable((PyObject *)task);
		return -ERESTARTSYS;
	}
	Py_DECREF(done);
	return -ERESTART_RESTARTBLOCK;
}

static int64_t wait_step(Task *task, int outcome)
{
	if (task->parked.futex.woken)
		return 0; /* even when a signal came, too, or the deadline passed */
	switch (outcome) {
	case WAIT_TIMED_OUT:
		return -ETIMEDOUT;
	case WAIT_INTERRUPTED:
		return interrupted(task);
	default:
		return HOT_PARK;
	}
}

static int64_t wait(Task *task, struct pf_regs *regs, bool private, uint32_t bitset, long long deadline, bool wall)
{
	struct key key;
	uint32_t word;
	if (!bitset || !find_key(task, regs->rdi, private, &key))
		return HOT_MISS;
	int64_t result = HOT_MISS;
	if (task_read(task, regs->rdi, &word, sizeof word) == sizeof word)
		result = word == (uint32_t)regs->rdx ? park(task, wait_step, NULL, NULL, 0, deadline) : -EAGAIN;
	if (result == HOT_PARK) {
		task->parked.wall = wall;
		task->parked.futex.bitset = bitset;
		futex_queue((FutexTable *)machine->futexes, &task->parked.futex, key.space, key.offset);
	}
	Py_DECREF(key.space);
	return result;
}

static int64_t wake(Task *task, struct pf_regs *regs, bool private, uint32_t bitset)
{
	struct key key;
	int count = (int)regs->rdx;
	if (!bitset || !find_key(task, regs->rdi, private, &key))
		return HOT_MISS;
	/* Linux takes a negative count as "one": it tests after it has woken somebody. */
	int64_t woken = futex_wake((FutexTable *)machine->futexes, key.space, key.offset,
				   count < 1 ? 1 : (unsigned)count, bitset);
	Py_DECREF(key.space);
	return woken;
}

static int64_t requeue(Task *task, struct pf_regs *regs, bool private, bool compare)
{
	struct key key, target;
	int woken, wanted = (int)regs->rdx, movable = (int)regs->r10;
	unsigned moved;
	uint32_t word;
	if (wanted < 0 || movable < 0 || !find_key(task, regs->rdi, private, &key))
		return HOT_MISS;
	int64_t result = HOT_MISS;
	if (find_key(task, regs->r8, private, &target)) {
		if (compare && task_read(task, regs->rdi, &word, sizeof word) != sizeof word)
			result = HOT_MISS;
		else if (compare && word != (uint32_t)regs->r9)
			result = -EAGAIN;
		else {
			woken = futex_requeue((FutexTable *)machine->futexes, key.space, key.offset, target.space,
					      target.offset, (unsigned)wanted, (unsigned)movable, ~0U, &moved);
			result = woken < 0 ? woken : (int64_t)woken + moved;
		}
		Py_DECREF(target.space);
	}
	Py_DECREF(key.space);
	return result;
}

static int64_t hot_futex(Task *task, struct pf_regs *regs)
{
	int operation = (int)regs->rsi;
	bool private = operation & FUTEX_PRIVATE_FLAG, realtime = operation & FUTEX_CLOCK_REALTIME;
	long long deadline;
	switch (operation & FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
		if (realtime || !find_deadline(task, regs->r10, false, realtime, &deadline))
			return HOT_MISS;
		return wait(task, regs, private, ~0U, deadline, false);
	case FUTEX_WAIT_BITSET:
		if (!find_deadline(task, regs->r10, true, realtime, &deadline))
			return HOT_MISS;
		return wait(task, regs, private, (uint32_t)regs->r9, deadline, realtime);
	case FUTEX_WAKE:
		return realtime ? HOT_MISS : wake(task, regs, private, ~0U);
	case FUTEX_WAKE_BITSET:
		return realtime ? HOT_MISS : wake(task, regs, private, (uint32_t)regs->r9);
	case FUTEX_REQUEUE:
		return realtime ? HOT_MISS : requeue(task, regs, private, false);
	case FUTEX_CMP_REQUEUE:
		return realtime ? HOT_MISS : requeue(task, regs, private, true);
	default:
		return HOT_MISS;
	}
}

void hot_futex_init(void)
{
	hot_calls[SYS_futex] = hot_futex;
}
