/* Context: struct pf_context as Python sees it - registers, raw memory, address-space work. */
#include "core.h"

#include <errno.h>

PyObject *context_adopt(int result, struct pf_context *pf)
{
	if (result < 0)
		return raise_errno(-result);
	Context *self = PyObject_New(Context, &ContextType);
	if (self)
		self->pf = pf;
	else
		ops->thread_end(pf);
	return (PyObject *)self;
}

struct pf_context *context_pf(PyObject *object)
{
	struct pf_context *pf = object && PyObject_TypeCheck(object, &ContextType) ? ((Context *)object)->pf : NULL;
	if (!pf)
		raise_errno(ESRCH);
	return pf;
}

/* The context, which must be stopped: orders to a running one are a bug of the sentry. */
static struct pf_context *stopped(Context *self)
{
	struct pf_context *pf = context_pf((PyObject *)self);
	if (pf && pf->running) {
		PyErr_SetString(PyExc_RuntimeError, "the context runs guest code");
		return NULL;
	}
	return pf;
}

static PyObject *none_or_errno(int result)
{
	if (result < 0)
		return raise_errno(-result);
	Py_RETURN_NONE;
}

/* The context with all its registers at hand. */
static struct pf_context *complete(PyObject *context)
{
	struct pf_context *pf = context_pf(context);
	if (pf)
		pf_complete(ops, pf);
	return pf;
}

static PyObject *get_reg(Context *self, void *offset)
{
	struct pf_context *pf = complete((PyObject *)self);
	return pf ? PyLong_FromUnsignedLongLong(*(uint64_t *)((char *)&pf->regs + (size_t)offset)) : NULL;
}

static int set_reg(Context *self, PyObject *value, void *offset)
{
	struct pf_context *pf = stopped(self);
	if (!pf || !value)
		return -1;
	pf_complete(ops, pf);
	unsigned long long number = PyLong_AsUnsignedLongLongMask(value);
	if (number == ~0ULL && PyErr_Occurred())
		return -1;
	*(uint64_t *)((char *)&pf->regs + (size_t)offset) = number;
	return 0;
}

#define REG_COUNT (sizeof(struct pf_regs) / sizeof(uint64_t))

static PyObject *get_regs(Context *self, PyObject *unused)
{
	(void)unused;
	struct pf_context *pf = complete((PyObject *)self);
	PyObject *tuple = pf ? PyTuple_New(REG_COUNT) : NULL;
	for (size_t i = 0; tuple && i < REG_COUNT; i++) {
		PyObject *number = PyLong_FromUnsignedLongLong(((uint64_t *)&pf->regs)[i]);
		if (!number)
			Py_CLEAR(tuple);
		else
			PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, number);
	}
	return tuple;
}

static PyObject *set_regs(Context *self, PyObject *sequence)
{
	struct pf_context *pf = stopped(self);
	struct pf_regs regs;
	PyObject *fast = pf ? PySequence_Fast(sequence, "registers: a sequence is wanted") : NULL;
	if (!fast)
		return NULL;
	if (PySequence_Fast_GET_SIZE(fast) != REG_COUNT) {
		Py_DECREF(fast);
		PyErr_SetString(PyExc_ValueError, "registers: 27 numbers are wanted");
		return NULL;
	}
	for (size_t i = 0; i < REG_COUNT; i++)
		((uint64_t *)&regs)[i] = PyLong_AsUnsignedLongLongMask(PySequence_Fast_GET_ITEM(fast, (Py_ssize_t)i));
	Py_DECREF(fast);
	if (PyErr_Occurred())
		return NULL;
	pf_complete(ops, pf); /* what is not changed is not passed on */
	pf->regs = regs;
	Py_RETURN_NONE;
}

static PyObject *clone_regs(Context *self, PyObject *other)
{
	struct pf_context *to = stopped(self), *from = to ? complete(other) : NULL;
	if (!from)
		return NULL;
	pf_complete(ops, to);
	to->regs = from->regs;
	Py_RETURN_NONE;
}

static PyObject *fork_space(Context *self, PyObject *unused)
{
	(void)unused;
	struct pf_context *pf = stopped(self), *child = NULL;
	if (!pf)
		return NULL;
	int result = ops->space_fork(pf, &child);
	return context_adopt(result, child);
}

static PyObject *thread(Context *self, PyObject *unused)
{
	(void)unused;
	struct pf_context *pf = stopped(self), *child = NULL;
	if (!pf)
		return NULL;
	int result = ops->thread_new(pf, &child);
	return context_adopt(result, child);
}

static PyObject *end(Context *self, PyObject *unused)
{
	(void)unused;
	if (!self->pf)
		Py_RETURN_NONE;
	struct pf_context *pf = stopped(self);
	if (!pf)
		return NULL;
	pf->owner = NULL;
	self->pf = NULL;
	ops->thread_end(pf);
	Py_RETURN_NONE;
}

static PyObject *interrupt(Context *self, PyObject *unused)
{
	(void)unused;
	struct pf_context *pf = context_pf((PyObject *)self);
	return pf ? none_or_errno(pf->running ? ops->interrupt(pf) : 0) : NULL;
}

static PyObject *read_memory(Context *self, PyObject *args)
{
	unsigned long long addr;
	Py_ssize_t count;
	struct pf_context *pf = context_pf((PyObject *)self);
	if (!pf || !PyArg_ParseTuple(args, "Kn", &addr, &count))
		return NULL;
	if (count < 0 || (size_t)count > MAX_RW_COUNT)
		return raise_errno(EFAULT);
	PyObject *bytes = PyBytes_FromStringAndSize(NULL, count);
	if (!bytes || !count)
		return bytes;
	ssize_t got = ops->read(pf, addr, PyBytes_AS_STRING(bytes), (size_t)count);
	if (got <= 0) {
		Py_DECREF(bytes);
		return raise_errno(EFAULT);
	}
	if (got < count)
		_PyBytes_Resize(&bytes, got);
	return bytes;
}

static PyObject *write_memory(Context *self, PyObject *args)
{
	unsigned long long addr;
	Py_buffer view;
	struct pf_context *pf = context_pf((PyObject *)self);
	if (!pf || !PyArg_ParseTuple(args, "Ky*", &addr, &view))
		return NULL;
	ssize_t done = view.len ? ops->write(pf, addr, view.buf, (size_t)view.len) : 0;
	PyBuffer_Release(&view);
	return done < 0 ? raise_errno(EFAULT) : PyLong_FromSsize_t(done);
}

static PyObject *cmpxchg(Context *self, PyObject *args)
{
	unsigned long long addr;
	unsigned int expect, desired;
	uint32_t seen;
	struct pf_context *pf = stopped(self);
	if (!pf || !PyArg_ParseTuple(args, "KII", &addr, &expect, &desired))
		return NULL;
	int result = addr & 3 ? -EFAULT : ops->cmpxchg(pf, addr, expect, desired, &seen);
	return result < 0 ? raise_errno(-result) : PyLong_FromUnsignedLong(seen);
}

static PyObject *map(Context *self, PyObject *args)
{
	unsigned long long addr, length;
	int prot, flags, fd = -1;
	long long offset = 0;
	struct pf_context *pf = stopped(self);
	if (!pf || !PyArg_ParseTuple(args, "KKii|iL", &addr, &length, &prot, &flags, &fd, &offset))
		return NULL;
	return none_or_errno(ops->map(pf, addr, length, prot, flags, fd, offset));
}

static PyObject *unmap(Context *self, PyObject *args)
{
	unsigned long long addr, length;
	struct pf_context *pf = stopped(self);
	if (!pf || !PyArg_ParseTuple(args, "KK", &addr, &length))
		return NULL;
	return none_or_errno(ops->unmap(pf, addr, length));
}

typedef int (*range_order)(struct pf_context *, uint64_t, size_t, int);

static PyObject *order_range(Context *self, PyObject *args, range_order order)
{
	unsigned long long addr, length;
	int argument;
	struct pf_context *pf = stopped(self);
	if (!pf || !PyArg_ParseTuple(args, "KKi", &addr, &length, &argument))
		return NULL;
	return none_or_errno(order(pf, addr, length, argument));
}

static PyObject *protect(Context *self, PyObject *args)
{
	return order_range(self, args, ops->protect);
}

static PyObject *advise(Context *self, PyObject *args)
{
	return order_range(self, args, ops->advise);
}

static PyObject *sync_range(Context *self, PyObject *args)
{
	return order_range(self, args, ops->sync);
}

static PyObject *remap(Context *self, PyObject *args)
{
	unsigned long long old, old_length, new_length, target;
	int flags;
	struct pf_context *pf = stopped(self);
	if (!pf || !PyArg_ParseTuple(args, "KKKiK", &old, &old_length, &new_length, &flags, &target))
		return NULL;
	return none_or_errno(ops->remap(pf, old, old_length, new_length, flags, target));
}

static PyObject *get_fpu(Context *self, PyObject *unused)
{
	(void)unused;
	struct pf_context *pf = stopped(self);
	size_t size = ops->fpu_size();
	PyObject *bytes = pf ? PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size) : NULL;
	if (!bytes)
		return NULL;
	ssize_t got = ops->get_fpu(pf, PyBytes_AS_STRING(bytes), size);
	if (got < 0) {
		Py_DECREF(bytes);
		return raise_errno((int)-got);
	}
	if ((size_t)got < size)
		_PyBytes_Resize(&bytes, got);
	return bytes;
}

static PyObject *set_fpu(Context *self, PyObject *arg)
{
	Py_buffer view;
	struct pf_context *pf = stopped(self);
	if (!pf || PyObject_GetBuffer(arg, &view, PyBUF_SIMPLE) < 0)
		return NULL;
	int result = ops->set_fpu(pf, view.buf, (size_t)view.len);
	PyBuffer_Release(&view);
	return none_or_errno(result);
}

static PyObject *reset_fpu(Context *self, PyObject *unused)
{
	(void)unused;
	struct pf_context *pf = stopped(self);
	return pf ? none_or_errno(ops->reset_fpu(pf)) : NULL;
}

static PyObject *limit_patches(Context *self, PyObject *arg)
{
	int limit = (int)PyLong_AsLong(arg);
	struct pf_context *pf = stopped(self);
	if (!pf || (limit == -1 && PyErr_Occurred()))
		return NULL;
	if (ops->limit_patches)
		ops->limit_patches(pf, limit);
	Py_RETURN_NONE;
}

static PyObject *confine(Context *self, PyObject *arg)
{
	struct pf_context *pf = context_pf((PyObject *)self);
	char *mask;
	Py_ssize_t size;
	if (!pf || PyBytes_AsStringAndSize(arg, &mask, &size) < 0)
		return NULL;
	ops->confine(pf, mask, (size_t)size);
	Py_RETURN_NONE;
}

static PyObject *get_running(Context *self, void *unused)
{
	(void)unused;
	return PyBool_FromLong(self->pf && self->pf->running);
}

static PyObject *get_compat(Context *self, void *unused)
{
	(void)unused;
	return PyBool_FromLong(self->pf && self->pf->compat);
}

static PyObject *get_host_tid(Context *self, void *unused)
{
	(void)unused;
	return PyLong_FromLong(self->pf ? self->pf->host_tid : 0);
}

static void dealloc(Context *self)
{
	/* A stopped context that nobody ended goes with its last reference; one that runs stays, of nobody. */
	if (self->pf)
		self->pf->owner = NULL;
	if (self->pf && !self->pf->running)
		ops->thread_end(self->pf);
	PyObject_Free(self);
}

static PyMethodDef methods[] = {
	{"get_regs", (PyCFunction)get_regs, METH_NOARGS, NULL},
	{"set_regs", (PyCFunction)set_regs, METH_O, NULL},
	{"clone_regs", (PyCFunction)clone_regs, METH_O, NULL},
	{"fork", (PyCFunction)fork_space, METH_NOARGS, NULL},
	{"thread", (PyCFunction)thread, METH_NOARGS, NULL},
	{"end", (PyCFunction)end, METH_NOARGS, NULL},
	{"interrupt", (PyCFunction)interrupt, METH_NOARGS, NULL},
	{"read", (PyCFunction)read_memory, METH_VARARGS, NULL},
	{"write", (PyCFunction)write_memory, METH_VARARGS, NULL},
	{"cmpxchg", (PyCFunction)cmpxchg, METH_VARARGS, NULL},
	{"map", (PyCFunction)map, METH_VARARGS, NULL},
	{"unmap", (PyCFunction)unmap, METH_VARARGS, NULL},
	{"protect", (PyCFunction)protect, METH_VARARGS, NULL},
	{"remap", (PyCFunction)remap, METH_VARARGS, NULL},
	{"advise", (PyCFunction)advise, METH_VARARGS, NULL},
	{"sync", (PyCFunction)sync_range, METH_VARARGS, NULL},
	{"get_fpu", (PyCFunction)get_fpu, METH_NOARGS, NULL},
	{"set_fpu", (PyCFunction)set_fpu, METH_O, NULL},
	{"limit_patches", (PyCFunction)limit_patches, METH_O, NULL},
	{"confine", (PyCFunction)confine, METH_O, NULL},
	{"reset_fpu", (PyCFunction)reset_fpu, METH_NOARGS, NULL},
	{0},
};

#define REG(name) {#name, (getter)get_reg, (setter)set_reg, NULL, (void *)offsetof(struct pf_regs, name)}
static PyGetSetDef getset[] = {
	REG(r15), REG(r14), REG(r13), REG(r12), REG(rbp), REG(rbx), REG(r11), REG(r10), REG(r9), REG(r8),
	REG(rax), REG(rcx), REG(rdx), REG(rsi), REG(rdi), REG(orig_rax), REG(rip), REG(cs), REG(eflags), REG(rsp),
	REG(ss), REG(fs_base), REG(gs_base), REG(ds), REG(es), REG(fs), REG(gs),
	{"running", (getter)get_running, NULL, NULL, NULL},
	{"compat", (getter)get_compat, NULL, NULL, NULL},
	{"host_tid", (getter)get_host_tid, NULL, NULL, NULL},
	{0},
};

PyTypeObject ContextType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.Context",
	.tp_basicsize = sizeof(Context),
	.tp_flags = Py_TPFLAGS_DEFAULT,
	.tp_dealloc = (destructor)dealloc,
	.tp_methods = methods,
	.tp_getset = getset,
};
