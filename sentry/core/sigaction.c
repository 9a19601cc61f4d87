/* Action and SignalActions: what signals do to a process (sigaction(2)), the one table of C and Python. */
#include "core.h"

#include <signal.h>

typedef struct {
	PyObject_HEAD
	struct signal_action action;
} Action;

static PyObject *action_new(const struct signal_action *action)
{
	Action *self = PyObject_New(Action, &ActionType);
	if (self)
		self->action = *action;
	return (PyObject *)self;
}

static PyObject *action_make(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"handler", "flags", "restorer", "mask", NULL};
	unsigned long long handler = 0, flags = 0, restorer = 0, mask = 0;
	(void)type;
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|KKKK", names, &handler, &flags, &restorer, &mask))
		return NULL;
	return action_new(&(struct signal_action){handler, flags, restorer, mask & ~SIG_UNBLOCKABLE});
}

#define ACTION(name) {#name, T_ULONGLONG, offsetof(Action, action.name), READONLY, NULL}
static PyMemberDef action_members[] = {ACTION(handler), ACTION(flags), ACTION(restorer), ACTION(mask), {0}};

PyTypeObject ActionType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.Action",
	.tp_basicsize = sizeof(Action),
	.tp_flags = Py_TPFLAGS_DEFAULT,
	.tp_new = action_make,
	.tp_members = action_members,
};

static struct signal_action *entry(SignalActions *self, Py_ssize_t signo)
{
	if (signo >= 1 && signo <= NSIG_MAX)
		return &self->actions[signo];
	PyErr_SetString(PyExc_IndexError, "no such signal");
	return NULL;
}

static PyObject *get_item(SignalActions *self, PyObject *key)
{
	Py_ssize_t signo = PyNumber_AsSsize_t(key, PyExc_IndexError);
	if (signo == -1 && PyErr_Occurred())
		return NULL;
	struct signal_action *action = entry(self, signo);
	return action ? action_new(action) : NULL;
}

static int set_item(SignalActions *self, PyObject *key, PyObject *value)
{
	Py_ssize_t signo = PyNumber_AsSsize_t(key, PyExc_IndexError);
	if (signo == -1 && PyErr_Occurred())
		return -1;
	struct signal_action *action = entry(self, signo);
	if (!action)
		return -1;
	if (!value || !Py_IS_TYPE(value, &ActionType)) {
		PyErr_SetString(PyExc_TypeError, "an Action is wanted");
		return -1;
	}
	*action = ((Action *)value)->action;
	return 0;
}

static PyObject *copy(SignalActions *self, PyObject *unused)
{
	(void)unused;
	SignalActions *new = (SignalActions *)PyObject_CallNoArgs((PyObject *)Py_TYPE(self));
	if (new)
		memcpy(new->actions, self->actions, sizeof self->actions);
	return (PyObject *)new;
}

static PyObject *reset_handlers(SignalActions *self, PyObject *unused)
{
	(void)unused;
	for (int signo = 1; signo <= NSIG_MAX; signo++) {
		bool ignored = self->actions[signo].handler == (uint64_t)(uintptr_t)SIG_IGN;
		self->actions[signo] = (struct signal_action){.handler = ignored};
	}
	Py_RETURN_NONE;
}

static PyObject *ignored(SignalActions *self, PyObject *unused)
{
	unsigned long long set = 0;
	(void)unused;
	for (int signo = 1; signo <= NSIG_MAX; signo++)
		if (self->actions[signo].handler == (uint64_t)(uintptr_t)SIG_IGN)
			set |= SIG_BIT(signo);
	return PyLong_FromUnsignedLongLong(set);
}

static PyObject *caught(SignalActions *self, PyObject *unused)
{
	unsigned long long set = 0;
	(void)unused;
	for (int signo = 1; signo <= NSIG_MAX; signo++)
		if (self->actions[signo].handler > (uint64_t)(uintptr_t)SIG_IGN)
			set |= SIG_BIT(signo);
	return PyLong_FromUnsignedLongLong(set);
}

static PyObject *make(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	(void)args;
	(void)kwargs;
	SignalActions *self = (SignalActions *)type->tp_alloc(type, 0);
	if (self && !(self->queue = PyObject_CallNoArgs((PyObject *)&WaitQueueType)))
		Py_CLEAR(self);
	return (PyObject *)self;
}

static int traverse(SignalActions *self, visitproc visit, void *arg)
{
	Py_VISIT(self->queue);
	return 0;
}

static int clear(SignalActions *self)
{
	Py_CLEAR(self->queue);
	return 0;
}

static void dealloc(SignalActions *self)
{
	PyObject_GC_UnTrack(self);
	clear(self);
	Py_TYPE(self)->tp_free(self);
}

static PyMethodDef methods[] = {
	{"copy", (PyCFunction)copy, METH_NOARGS, NULL},
	{"reset_handlers", (PyCFunction)reset_handlers, METH_NOARGS, NULL},
	{"ignored", (PyCFunction)ignored, METH_NOARGS, NULL},
	{"caught", (PyCFunction)caught, METH_NOARGS, NULL},
	{0},
};

static PyMemberDef members[] = {{"queue", T_OBJECT, offsetof(SignalActions, queue), READONLY, NULL}, {0}};

static PyMappingMethods as_mapping = {
	.mp_subscript = (binaryfunc)get_item,
	.mp_ass_subscript = (objobjargproc)set_item,
};

PyTypeObject SignalActionsType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.SignalActions",
	.tp_basicsize = sizeof(SignalActions),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
	.tp_new = make,
	.tp_dealloc = (destructor)dealloc,
	.tp_traverse = (traverseproc)traverse,
	.tp_clear = (inquiry)clear,
	.tp_methods = methods,
	.tp_members = members,
	.tp_as_mapping = &as_mapping,
};
