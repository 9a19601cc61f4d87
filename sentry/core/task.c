/* TaskBase: a guest thread as the dispatcher sees it. */
#include "core.h"

static const char *const states[] = {"running", "waiting", "stopped", "dead"};
static PyObject *state_names[4];

static PyObject *get_state(Task *self, void *unused)
{
	(void)unused;
	PyObject **name = &state_names[self->state];
	if (!*name && !(*name = PyUnicode_InternFromString(states[self->state])))
		return NULL;
	return Py_NewRef(*name);
}

static int set_state(Task *self, PyObject *value, void *unused)
{
	(void)unused;
	for (int i = 0; value && PyUnicode_Check(value) && i < 4; i++)
		if (PyUnicode_CompareWithASCIIString(value, states[i]) == 0) {
			self->state = i;
			return 0;
		}
	PyErr_SetString(PyExc_ValueError, "state: running, waiting, stopped or dead is wanted");
	return -1;
}

PyObject *task_end_wait(Task *self, PyObject *arg)
{
	int outcome = (int)PyLong_AsLong(arg);
	if (outcome == -1 && PyErr_Occurred())
		return NULL;
	return PyBool_FromLong(park_wake(self, outcome));
}

/* Only a filter, or None: C runs it without another look. */
static PyObject *get_filter(Task *self, void *unused)
{
	(void)unused;
	return Py_NewRef(self->filter ? self->filter : Py_None);
}

static int set_filter(Task *self, PyObject *value, void *unused)
{
	(void)unused;
	if (!value || (value != Py_None && !PyObject_TypeCheck(value, &SeccompFilterType))) {
		PyErr_SetString(PyExc_TypeError, "filter: a SeccompFilter or None is wanted");
		return -1;
	}
	Py_XSETREF(self->filter, value == Py_None ? NULL : Py_NewRef(value));
	return 0;
}

static PyObject *task_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	(void)args;
	(void)kwargs;
	Task *self = (Task *)type->tp_alloc(type, 0);
	if (self) {
		self->syscall_nr = -1;
		self->interruptible = 1;
		self->parked.futex.task = self;
	}
	return (PyObject *)self;
}

static int traverse(Task *self, visitproc visit, void *arg)
{
	Py_VISIT(self->group);
	Py_VISIT(self->creds);
	Py_VISIT(self->files);
	Py_VISIT(self->mm);
	Py_VISIT(self->ctx);
	Py_VISIT(self->fs);
	Py_VISIT(self->filter);
	Py_VISIT(self->parked.queue);
	Py_VISIT(self->parked.object);
	return 0;
}

static int clear(Task *self)
{
	/* The platform's context may outlive us for a moment: it must not point here. */
	Context *ctx = (Context *)self->ctx;
	if (ctx && Py_IS_TYPE(ctx, &ContextType) && ctx->pf && ctx->pf->owner == self)
		ctx->pf->owner = NULL;
	Py_CLEAR(self->group);
	Py_CLEAR(self->creds);
	Py_CLEAR(self->files);
	Py_CLEAR(self->mm);
	Py_CLEAR(self->ctx);
	Py_CLEAR(self->fs);
	Py_CLEAR(self->filter);
	return 0;
}

static void dealloc(Task *self)
{
	PyObject_GC_UnTrack(self);
	clear(self);
	Py_TYPE(self)->tp_free(self);
}

#define FIELD(name, type) {#name, type, offsetof(Task, name), 0, NULL}
static PyMemberDef members[] = {
	FIELD(tid, T_INT),	     FIELD(local_tid, T_INT), FIELD(work, T_UINT), FIELD(sigmask, T_ULONGLONG),
	FIELD(pending, T_ULONGLONG), FIELD(group, T_OBJECT),  FIELD(creds, T_OBJECT),
	FIELD(files, T_OBJECT),	     FIELD(mm, T_OBJECT),     FIELD(ctx, T_OBJECT),
	FIELD(altstack_sp, T_ULONGLONG),   FIELD(altstack_size, T_ULONGLONG), FIELD(altstack_flags, T_UINT),
	FIELD(clear_child_tid, T_ULONGLONG), FIELD(robust_list, T_ULONGLONG),
	{"rseq_address", T_ULONGLONG, offsetof(Task, rseq.addr), READONLY, NULL},
	{"rseq_length", T_UINT, offsetof(Task, rseq.len), READONLY, NULL},
	{"rseq_signature", T_UINT, offsetof(Task, rseq.sig), READONLY, NULL},
	FIELD(fault_error, T_ULONGLONG),   FIELD(fault_trapno, T_ULONGLONG),  FIELD(fault_addr, T_ULONGLONG),
	FIELD(rchar, T_ULONGLONG), FIELD(wchar, T_ULONGLONG), FIELD(syscr, T_ULONGLONG), FIELD(syscw, T_ULONGLONG),
	FIELD(waits, T_ULONGLONG),
	FIELD(fs, T_OBJECT),	     FIELD(guard, T_UINT),
	FIELD(outcome, T_INT),	     FIELD(syscall_nr, T_INT), FIELD(interruptible, T_BOOL),
	FIELD(shifted, T_BOOL),	     FIELD(reads_execute, T_BOOL),
	{0},
};

static PyGetSetDef getset[] = {
	{"state", (getter)get_state, (setter)set_state, NULL, NULL},
	{"filter", (getter)get_filter, (setter)set_filter, NULL, NULL},
	{0},
};

PyTypeObject TaskType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.TaskBase",
	.tp_basicsize = sizeof(Task),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
	.tp_new = task_new,
	.tp_init = no_arguments,
	.tp_dealloc = (destructor)dealloc,
	.tp_traverse = (traverseproc)traverse,
	.tp_clear = (inquiry)clear,
	.tp_methods = usercopy_methods,
	.tp_members = members,
	.tp_getset = getset,
};
