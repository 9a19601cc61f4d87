/* CredsBase and GroupBase: what the identity calls answer from. */
#include "core.h"

#define CREDS(name) {#name, T_UINT, offsetof(Creds, name), 0, NULL}
static PyMemberDef creds_members[] = {
	CREDS(uid), CREDS(euid), CREDS(suid), CREDS(fsuid), CREDS(gid), CREDS(egid), CREDS(sgid), CREDS(fsgid),
	{"user_ns", T_OBJECT_EX, offsetof(Creds, user_ns), 0, NULL},
	{"restricted", T_BOOL, offsetof(Creds, restricted), 0, NULL},
	{0},
};

static void creds_dealloc(Creds *self)
{
	Py_CLEAR(self->user_ns); /* no cycle goes through it: namespaces know no credentials */
	Py_TYPE(self)->tp_free(self);
}

PyTypeObject CredsType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.CredsBase",
	.tp_basicsize = sizeof(Creds),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.tp_new = PyType_GenericNew,
	.tp_init = no_arguments,
	.tp_dealloc = (destructor)creds_dealloc,
	.tp_members = creds_members,
};

static PyObject *group_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	(void)args;
	(void)kwargs;
	Group *self = (Group *)type->tp_alloc(type, 0);
	if (self)
		self->fsize_limit = ~0ULL;
	return (PyObject *)self;
}

static int group_traverse(Group *self, visitproc visit, void *arg)
{
	Py_VISIT(self->pid_ns);
	Py_VISIT(self->parent);
	Py_VISIT(self->tasks);
	Py_VISIT(self->sighand);
	Py_VISIT(self->rlimits);
	return 0;
}

static int group_clear(Group *self)
{
	Py_CLEAR(self->pid_ns);
	Py_CLEAR(self->parent);
	Py_CLEAR(self->tasks);
	Py_CLEAR(self->sighand);
	Py_CLEAR(self->rlimits);
	return 0;
}

static void group_dealloc(Group *self)
{
	PyObject_GC_UnTrack(self);
	group_clear(self);
	Py_TYPE(self)->tp_free(self);
}

int group_parent(Group *group)
{
	if (!group->parent || !PyObject_TypeCheck(group->parent, &GroupType))
		return 0;
	Group *parent = (Group *)group->parent;
	return parent->pid_ns == group->pid_ns ? parent->local_tgid : 0;
}

#define GROUP(name, type) {#name, type, offsetof(Group, name), 0, NULL}
static PyMemberDef group_members[] = {
	GROUP(tgid, T_INT),	 GROUP(pgid, T_INT),	       GROUP(sid, T_INT),
	GROUP(local_tgid, T_INT), GROUP(nested, T_BOOL),       GROUP(pid_ns, T_OBJECT),
	GROUP(parent, T_OBJECT), GROUP(pending, T_ULONGLONG), GROUP(fsize_limit, T_ULONGLONG),
	GROUP(tasks, T_OBJECT),	 GROUP(sighand, T_OBJECT),     GROUP(rlimits, T_OBJECT),
	{0},
};

PyTypeObject GroupType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.GroupBase",
	.tp_basicsize = sizeof(Group),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
	.tp_new = group_new,
	.tp_init = no_arguments,
	.tp_dealloc = (destructor)group_dealloc,
	.tp_traverse = (traverseproc)group_traverse,
	.tp_clear = (inquiry)group_clear,
	.tp_members = group_members,
};
