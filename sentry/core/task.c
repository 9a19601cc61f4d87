/* TaskBase: a guest thread as the dispatcher sees it. */
#include "core.h"

static int no_arguments(PyObject *self, PyObject *args, PyObject *kwargs)
{
	(void)self;
	(void)args;
	(void)kwargs;
	return 0;
}

static int traverse(Task *self, visitproc visit, void *arg)
{
	Py_VISIT(self->group);
	Py_VISIT(self->creds);
	Py_VISIT(self->files);
	Py_VISIT(self->mm);
	Py_VISIT(self->ctx);
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
	FIELD(tid, T_INT),	     FIELD(work, T_UINT),     FIELD(sigmask, T_ULONGLONG),
	FIELD(pending, T_ULONGLONG), FIELD(group, T_OBJECT),  FIELD(creds, T_OBJECT),
	FIELD(files, T_OBJECT),	     FIELD(mm, T_OBJECT),     FIELD(ctx, T_OBJECT),
	{0},
};

PyTypeObject TaskType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.TaskBase",
	.tp_basicsize = sizeof(Task),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
	.tp_new = PyType_GenericNew,
	.tp_init = no_arguments,
	.tp_dealloc = (destructor)dealloc,
	.tp_traverse = (traverseproc)traverse,
	.tp_clear = (inquiry)clear,
	.tp_methods = usercopy_methods,
	.tp_members = members,
};
