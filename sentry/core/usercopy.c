/* The guest's memory as handlers reach it: every address and length is hostile.
 *
 * A copy that faults asks the memory manager once per page to fault it in (stack growth) before it gives up.
 */
#include "core.h"

#include <errno.h>

#define PAGE 4096ULL
#define COPY_MAX (1ULL << 31) /* no single copy of a handler needs more */
#define IOV_MAX_COUNT 1024

static PyObject *fault_in_name;

static struct pf_context *context_of(Task *task)
{
	return task->ctx && Py_IS_TYPE(task->ctx, &ContextType) ? ((Context *)task->ctx)->pf : NULL;
}

/* Only for a task in a call of its own: when another looks at its memory (/proc), it may be running. */
static bool fault_in(Task *task, uint64_t addr, bool write)
{
	struct pf_context *pf = context_of(task);
	if (addr >= PF_GUEST_END || !pf || pf->running || !task->mm || task->mm == Py_None)
		return false;
	if (!fault_in_name && !(fault_in_name = PyUnicode_InternFromString("fault_in")))
		return false;
	PyObject *address = PyLong_FromUnsignedLongLong(addr);
	PyObject *answer = NULL;
	if (address)
		answer = PyObject_CallMethodObjArgs(task->mm, fault_in_name, task, address,
						    write ? Py_True : Py_False, NULL);
	Py_XDECREF(address);
	if (!answer) {
		PyErr_WriteUnraisable((PyObject *)task);
		return false;
	}
	bool again = answer == Py_True;
	Py_DECREF(answer);
	return again;
}

static ssize_t transfer(Task *task, uint64_t addr, char *buf, size_t len, bool write)
{
	struct pf_context *pf = context_of(task);
	size_t done = 0;
	if (!pf)
		return -EFAULT;
	while (done < len) {
		ssize_t moved = write ? ops->write(pf, addr + done, buf + done, len - done)
				      : ops->read(pf, addr + done, buf + done, len - done);
		if (moved > 0)
			done += (size_t)moved;
		/* fault_in answers True only when it has mapped something new, so this ends */
		if (done < len && !fault_in(task, addr + done, write))
			break;
	}
	return done || !len ? (ssize_t)done : -EFAULT;
}

ssize_t task_read(Task *task, uint64_t addr, void *buf, size_t len)
{
	return transfer(task, addr, buf, len, false);
}

ssize_t task_write(Task *task, uint64_t addr, const void *buf, size_t len)
{
	return transfer(task, addr, (char *)buf, len, true);
}

static PyObject *read_bytes(Task *self, PyObject *args, bool all)
{
	unsigned long long addr, count; /* a negative count is a huge one */
	if (!PyArg_ParseTuple(args, "KK", &addr, &count))
		return NULL;
	if (count > COPY_MAX)
		return raise_errno(EFAULT);
	PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)count);
	if (!bytes || !count)
		return bytes;
	ssize_t got = task_read(self, addr, PyBytes_AS_STRING(bytes), (size_t)count);
	if (got < 0 || (all && got < (ssize_t)count)) {
		Py_DECREF(bytes);
		return raise_errno(EFAULT);
	}
	if (got < (ssize_t)count)
		_PyBytes_Resize(&bytes, got);
	return bytes;
}

static PyObject *copy_in(Task *self, PyObject *args)
{
	return read_bytes(self, args, true);
}

static PyObject *copy_in_some(Task *self, PyObject *args)
{
	return read_bytes(self, args, false);
}

static PyObject *write_bytes(Task *self, PyObject *args, bool all)
{
	unsigned long long addr;
	Py_buffer view;
	if (!PyArg_ParseTuple(args, "Ky*", &addr, &view))
		return NULL;
	size_t len = (size_t)view.len;
	ssize_t done = task_write(self, addr, view.buf, len);
	PyBuffer_Release(&view);
	if (done < 0 || (all && (size_t)done < len))
		return raise_errno(EFAULT);
	if (all)
		Py_RETURN_NONE;
	return PyLong_FromSsize_t(done);
}

static PyObject *copy_out(Task *self, PyObject *args)
{
	return write_bytes(self, args, true);
}

static PyObject *copy_out_some(Task *self, PyObject *args)
{
	return write_bytes(self, args, false);
}

ssize_t task_read_str(Task *task, uint64_t addr, char *buf, size_t limit)
{
	size_t done = 0, step = 256; /* most strings are short; never read past a page that may be the last */
	while (done < limit) {
		size_t part = PAGE - (addr + done) % PAGE;
		if (part > step)
			part = step;
		if (part > limit - done)
			part = limit - done;
		ssize_t got = task_read(task, addr + done, buf + done, part);
		if (got <= 0)
			return -EFAULT;
		char *nul = memchr(buf + done, 0, (size_t)got);
		if (nul)
			return nul - buf;
		done += (size_t)got;
		step = PAGE;
	}
	return -ENAMETOOLONG;
}

static PyObject *copy_in_str(Task *self, PyObject *args)
{
	unsigned long long addr;
	Py_ssize_t limit = 4096;
	char stack[4096], *buf = stack;
	if (!PyArg_ParseTuple(args, "K|n", &addr, &limit))
		return NULL;
	if (limit <= 0 || (size_t)limit > COPY_MAX)
		return raise_errno(EINVAL);
	if ((size_t)limit > sizeof stack && !(buf = PyMem_Malloc((size_t)limit)))
		return PyErr_NoMemory();
	ssize_t length = task_read_str(self, addr, buf, (size_t)limit);
	PyObject *result = length < 0 ? raise_errno((int)-length) : PyBytes_FromStringAndSize(buf, length);
	if (buf != stack)
		PyMem_Free(buf);
	return result;
}

static PyObject *read_number(Task *self, PyObject *arg, size_t size)
{
	unsigned long long addr = PyLong_AsUnsignedLongLongMask(arg);
	uint64_t value = 0;
	if (addr == ~0ULL && PyErr_Occurred())
		return NULL;
	if (task_read(self, addr, &value, size) != (ssize_t)size)
		return raise_errno(EFAULT);
	return PyLong_FromUnsignedLongLong(value);
}

static PyObject *read_u32(Task *self, PyObject *addr)
{
	return read_number(self, addr, 4);
}

static PyObject *read_u64(Task *self, PyObject *addr)
{
	return read_number(self, addr, 8);
}

static PyObject *write_number(Task *self, PyObject *args, size_t size)
{
	unsigned long long addr;
	PyObject *number;
	if (!PyArg_ParseTuple(args, "KO!", &addr, &PyLong_Type, &number))
		return NULL;
	uint64_t value = PyLong_AsUnsignedLongLongMask(number);
	if (task_write(self, addr, &value, size) != (ssize_t)size)
		return raise_errno(EFAULT);
	Py_RETURN_NONE;
}

static PyObject *write_u32(Task *self, PyObject *args)
{
	return write_number(self, args, 4);
}

static PyObject *write_u64(Task *self, PyObject *args)
{
	return write_number(self, args, 8);
}

static PyObject *read_iovec(Task *self, PyObject *args)
{
	unsigned long long addr, count; /* raw registers: a negative count is a huge one */
	struct pf_iov iov[IOV_MAX_COUNT];
	if (!PyArg_ParseTuple(args, "KK", &addr, &count))
		return NULL;
	if (count > IOV_MAX_COUNT)
		return raise_errno(EINVAL);
	size_t size = (size_t)count * sizeof *iov;
	if (size && task_read(self, addr, iov, size) != (ssize_t)size)
		return raise_errno(EFAULT);
	PyObject *list = PyList_New((Py_ssize_t)count);
	uint64_t total = 0;
	for (Py_ssize_t i = 0; list && i < (Py_ssize_t)count; i++) {
		if (iov[i].len > INT64_MAX) {
			Py_DECREF(list);
			return raise_errno(EINVAL);
		}
		if (iov[i].len > MAX_RW_COUNT - total)
			iov[i].len = MAX_RW_COUNT - total;
		total += iov[i].len;
		PyObject *pair = Py_BuildValue("KK", (unsigned long long)iov[i].base,
					       (unsigned long long)iov[i].len);
		if (!pair)
			Py_CLEAR(list);
		else
			PyList_SET_ITEM(list, i, pair);
	}
	return list;
}

/* One (base, length) of a list made by read_iovec or a handler. */
static bool iov_item(PyObject *list, Py_ssize_t i, uint64_t *base, uint64_t *len)
{
	unsigned long long b, l;
	PyObject *pair = PyList_GET_ITEM(list, i);
	if (!PyTuple_Check(pair) || !PyArg_ParseTuple(pair, "KK", &b, &l)) {
		if (!PyErr_Occurred())
			PyErr_SetString(PyExc_TypeError, "iov: pairs of base and length are wanted");
		return false;
	}
	*base = b;
	*len = l;
	return true;
}

static PyObject *gather(Task *self, PyObject *iov)
{
	uint64_t base, len, total = 0, done = 0;
	if (!PyList_Check(iov))
		return PyErr_Format(PyExc_TypeError, "iov: a list is wanted");
	for (Py_ssize_t i = 0; i < PyList_GET_SIZE(iov); i++) {
		if (!iov_item(iov, i, &base, &len))
			return NULL;
		total += len;
		if (len > COPY_MAX || total > COPY_MAX)
			return raise_errno(EFAULT);
	}
	PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)total);
	for (Py_ssize_t i = 0; bytes && i < PyList_GET_SIZE(iov); i++) {
		if (!iov_item(iov, i, &base, &len)) {
			Py_CLEAR(bytes);
			break;
		}
		if (!len)
			continue;
		ssize_t got = task_read(self, base, PyBytes_AS_STRING(bytes) + done, len);
		if (got > 0)
			done += (uint64_t)got;
		if (got != (ssize_t)len)
			break;
	}
	if (!bytes || done == total)
		return bytes;
	if (!done) {
		Py_DECREF(bytes);
		return raise_errno(EFAULT);
	}
	_PyBytes_Resize(&bytes, (Py_ssize_t)done);
	return bytes;
}

static PyObject *scatter(Task *self, PyObject *args)
{
	PyObject *iov;
	Py_buffer view;
	if (!PyArg_ParseTuple(args, "O!y*", &PyList_Type, &iov, &view))
		return NULL;
	size_t done = 0, count = (size_t)view.len;
	for (Py_ssize_t i = 0; done < count && i < PyList_GET_SIZE(iov); i++) {
		uint64_t base, len;
		if (!iov_item(iov, i, &base, &len)) {
			PyBuffer_Release(&view);
			return NULL;
		}
		if (len > count - done)
			len = count - done;
		if (!len)
			continue;
		ssize_t moved = task_write(self, base, (char *)view.buf + done, len);
		if (moved > 0)
			done += (size_t)moved;
		if (moved != (ssize_t)len)
			break;
	}
	PyBuffer_Release(&view);
	return count && !done ? raise_errno(EFAULT) : PyLong_FromSize_t(done);
}

PyMethodDef usercopy_methods[] = {
	{"copy_in", (PyCFunction)copy_in, METH_VARARGS, NULL},
	{"copy_in_some", (PyCFunction)copy_in_some, METH_VARARGS, NULL},
	{"copy_out", (PyCFunction)copy_out, METH_VARARGS, NULL},
	{"copy_out_some", (PyCFunction)copy_out_some, METH_VARARGS, NULL},
	{"copy_in_str", (PyCFunction)copy_in_str, METH_VARARGS, NULL},
	{"read_u32", (PyCFunction)read_u32, METH_O, NULL},
	{"read_u64", (PyCFunction)read_u64, METH_O, NULL},
	{"write_u32", (PyCFunction)write_u32, METH_VARARGS, NULL},
	{"write_u64", (PyCFunction)write_u64, METH_VARARGS, NULL},
	{"read_iovec", (PyCFunction)read_iovec, METH_VARARGS, NULL},
	{"gather", (PyCFunction)gather, METH_O, NULL},
	{"scatter", (PyCFunction)scatter, METH_VARARGS, NULL},
	{"end_wait", (PyCFunction)task_end_wait, METH_O, NULL},
	{"register_rseq", (PyCFunction)task_rseq, METH_VARARGS, NULL},
	{"abort_rseq", (PyCFunction)task_abort_rseq, METH_NOARGS, NULL},
	{"inherit_rseq", (PyCFunction)task_inherit_rseq, METH_O, NULL},
	{"end_rseq", (PyCFunction)task_end_rseq, METH_O, NULL},
	{"filter_verdict", (PyCFunction)task_filter_verdict, METH_NOARGS, NULL},
	{0},
};
