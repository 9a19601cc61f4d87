/* C answers on pipes and eventfds: read and write (twins: sentry.vfs.pipe, sentry.vfs.eventfd, and the loop
 * in sentry.vfs.transfer).
 *
 * A call that must wait is parked; its step is the same function once more, which `park` tells that the task
 * waits already.
 */
#include "core.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#define READABLE (POLLIN | POLLRDNORM)
#define WRITABLE (POLLOUT | POLLWRNORM)
#define ENDED (POLLHUP | POLLERR)
#define PIPE_BUF 4096 /* writes up to this size are all or nothing (pipe(7)) */

static uint64_t bounded(uint64_t count)
{
	return count < MAX_RW_COUNT ? count : MAX_RW_COUNT;
}

/* What the parked call works on. */
static File *file_of(Task *task)
{
	return (File *)task->parked.object;
}

static int64_t read_pipe_step(Task *task, int outcome)
{
	struct pf_regs *regs = task_regs(task);
	return outcome == WAIT_INTERRUPTED ? -ERESTARTSYS
					   : read_pipe(task, file_of(task), regs->rsi, bounded(regs->rdx));
}

int64_t read_pipe(Task *task, File *file, uint64_t addr, uint64_t count)
{
	if (!file->state || !PyObject_TypeCheck(file->state, &PipeBufferType))
		return HOT_MISS;
	PipeBuffer *pipe = (PipeBuffer *)file->state;
	if (!count)
		return 0;
	if (!pipe->length) {
		if (!pipe->writers)
			return 0;
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		return park(task, read_pipe_step, (PyObject *)file, pipe->queue, READABLE | ENDED, NEVER);
	}
	uint64_t done = 0;
	while (done < count && pipe->length) {
		unsigned char *at;
		size_t part = pipe_part(pipe, &at);
		if (part > count - done)
			part = count - done;
		ssize_t moved = task_write(task, addr + done, at, part);
		if (moved > 0) {
			pipe_consume(pipe, (size_t)moved);
			done += (uint64_t)moved;
		}
		if (moved != (ssize_t)part)
			break;
	}
	if (!done)
		return -EFAULT;
	queue_wake_quietly(pipe->queue, WRITABLE);
	return (int64_t)done;
}

/* The readers left in the middle of a write: Python sends SIGPIPE, and the bytes that went through count. */
static void send_sigpipe(Task *task, File *file)
{
	PyObject *room = PyObject_CallMethod((PyObject *)file, "room", "O", task);
	Py_XDECREF(room);
	PyErr_Clear(); /* EPIPE */
}

static int64_t write_pipe_step(Task *task, int outcome)
{
	struct pf_regs *regs = task_regs(task);
	if (outcome == WAIT_INTERRUPTED)
		return task->parked.done ? (int64_t)task->parked.done : -ERESTARTSYS;
	return write_pipe(task, file_of(task), regs->rsi, bounded(regs->rdx));
}

int64_t write_pipe(Task *task, File *file, uint64_t addr, uint64_t count)
{
	if (!file->state || !PyObject_TypeCheck(file->state, &PipeBufferType))
		return HOT_MISS;
	PipeBuffer *pipe = (PipeBuffer *)file->state;
	uint64_t start = task->parked.step ? task->parked.done : 0, done = start;
	if (!count || (!pipe->readers && !done))
		return HOT_MISS; /* SIGPIPE */
	if (!pipe->readers) {
		send_sigpipe(task, file);
		return (int64_t)done;
	}
	size_t room = pipe->length < pipe->capacity ? pipe->capacity - pipe->length : 0;
	bool stopped = false; /* by a fault, or for want of memory */
	while (done < count && room && (count > PIPE_BUF || done || room >= count) && !stopped) {
		unsigned char *at;
		size_t part = pipe_room(pipe, &at);
		if (part > count - done)
			part = count - done;
		ssize_t moved = part ? task_read(task, addr + done, at, part) : -ENOMEM;
		if (moved > 0) {
			pipe_commit(pipe, (size_t)moved);
			done += (uint64_t)moved;
			room -= (size_t)moved;
		}
		stopped = moved != (ssize_t)part;
	}
	if (done > start)
		queue_wake_quietly(pipe->queue, READABLE);
	if (done == count || (stopped && done))
		return (int64_t)done;
	if (stopped)
		return -EFAULT;
	if (file->flags & O_NONBLOCK)
		return done ? (int64_t)done : -EAGAIN;
	int64_t result = park(task, write_pipe_step, (PyObject *)file, pipe->queue, WRITABLE | ENDED, NEVER);
	if (result != HOT_PARK && done)
		return (int64_t)done;
	task->parked.done = done;
	return result;
}

static Counter *counter_of(File *file, uint64_t count)
{
	return count >= 8 && file->state && PyObject_TypeCheck(file->state, &CounterType) ? (Counter *)file->state
											  : NULL;
}

static int64_t read_counter_step(Task *task, int outcome)
{
	struct pf_regs *regs = task_regs(task);
	return outcome == WAIT_INTERRUPTED ? -ERESTARTSYS : read_counter(task, file_of(task), regs->rsi, regs->rdx);
}

int64_t read_counter(Task *task, File *file, uint64_t addr, uint64_t count)
{
	Counter *counter = counter_of(file, count);
	if (!counter)
		return HOT_MISS;
	if (!counter->value) {
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		return park(task, read_counter_step, (PyObject *)file, counter->queue, READABLE | ENDED, NEVER);
	}
	uint64_t taken = counter->semaphore ? 1 : counter->value;
	counter->value -= taken;
	queue_wake_quietly(counter->queue, WRITABLE);
	/* As Linux does, the count is gone even when the buffer is not there. */
	return task_write(task, addr, &taken, 8) == 8 ? 8 : -EFAULT;
}

static int64_t write_counter_step(Task *task, int outcome)
{
	struct pf_regs *regs = task_regs(task);
	return outcome == WAIT_INTERRUPTED ? -ERESTARTSYS
					   : write_counter(task, file_of(task), regs->rsi, regs->rdx);
}

int64_t write_counter(Task *task, File *file, uint64_t addr, uint64_t count)
{
	Counter *counter = count == 8 ? counter_of(file, count) : NULL;
	/* What a parked write adds was read when the call was made: see `park`. */
	uint64_t added = task->parked.done;
	if (!counter)
		return HOT_MISS;
	if (!task->parked.step && task_read(task, addr, &added, 8) != 8)
		return -EFAULT;
	if (added == ~0ULL)
		return -EINVAL;
	if (added >= ~0ULL - counter->value) {
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		int64_t result =
			park(task, write_counter_step, (PyObject *)file, counter->queue, WRITABLE | ENDED, NEVER);
		task->parked.done = added;
		return result;
	}
	counter->value += added;
	if (added)
		queue_wake_quietly(counter->queue, READABLE);
	return 8;
}
