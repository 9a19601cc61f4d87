/* DentryBase, MountBase, PathBase, FsContextBase: the tree of names as walks see it.
 *
 * What the fields mean, and all that changes them, is in Python (sentry.vfs.path, sentry.vfs.mounts.mount,
 * sentry.kernel.fs_context); here is what both sides read.
 */
#include "core.h"

#include <sys/mount.h>
#include <sys/stat.h>

static PyObject *name_fs, *name_volatile;

/* Whether a directory's names change without our doing: its file system says so.  -1 with an exception. */
static int names_are_volatile(PyObject *inode)
{
	PyObject *fs = PyObject_GetAttr(inode, name_fs);
	PyObject *flag = fs ? PyObject_GetAttr(fs, name_volatile) : NULL;
	int result = flag ? PyObject_IsTrue(flag) : -1;
	Py_XDECREF(flag);
	Py_XDECREF(fs);
	return result;
}

/* A member that may be absent: None is NULL inside. */
static PyObject *optional(PyObject *value)
{
	return value && value != Py_None ? Py_NewRef(value) : NULL;
}

static int dentry_init(Dentry *self, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"name", "parent", "inode", NULL};
	PyObject *name, *parent, *inode;
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "SOO", names, &name, &parent, &inode))
		return -1;
	if (parent != Py_None && !PyObject_TypeCheck(parent, &DentryType)) {
		PyErr_SetString(PyExc_TypeError, "parent: a dentry is wanted");
		return -1;
	}
	Py_XSETREF(self->name, Py_NewRef(name));
	Py_XSETREF(self->parent, optional(parent));
	Py_XSETREF(self->inode, optional(inode));
	Py_CLEAR(self->children);
	self->is_volatile = false;
	if (!self->inode || !PyObject_TypeCheck(inode, &InodeType) || !S_ISDIR(((Inode *)inode)->mode))
		return 0;
	int is_volatile = names_are_volatile(inode);
	if (is_volatile < 0 || !(self->children = PyDict_New()))
		return -1;
	self->is_volatile = (char)is_volatile;
	return 0;
}

static int path_init(Path *self, PyObject *args, PyObject *kwargs)
{
	PyObject *mount, *dentry;
	if ((kwargs && PyDict_GET_SIZE(kwargs)) || !PyArg_UnpackTuple(args, "Path", 2, 2, &mount, &dentry))
		return -1;
	if (!PyObject_TypeCheck(mount, &MountType) || !PyObject_TypeCheck(dentry, &DentryType)) {
		PyErr_SetString(PyExc_TypeError, "a mount and a dentry are wanted");
		return -1;
	}
	Py_XSETREF(self->mount, Py_NewRef(mount));
	Py_XSETREF(self->dentry, Py_NewRef(dentry));
	return 0;
}

static PyObject *path_inode(Path *self, void *unused)
{
	(void)unused;
	PyObject *inode = self->dentry ? ((Dentry *)self->dentry)->inode : NULL;
	if (!inode) /* only walks see negative dentries */
		return PyErr_Format(PyExc_AssertionError, "a path to nothing");
	return Py_NewRef(inode);
}

static PyObject *path_compare(PyObject *a, PyObject *b, int operation)
{
	if (!PyObject_TypeCheck(a, &PathType) || !PyObject_TypeCheck(b, &PathType) ||
	    (operation != Py_EQ && operation != Py_NE))
		Py_RETURN_NOTIMPLEMENTED;
	bool same = ((Path *)a)->dentry == ((Path *)b)->dentry && ((Path *)a)->mount == ((Path *)b)->mount;
	return PyBool_FromLong(same == (operation == Py_EQ));
}

static Py_hash_t path_hash(Path *self)
{
	Py_hash_t hash = (Py_hash_t)((uintptr_t)self->dentry >> 4 ^ (uintptr_t)self->mount >> 8);
	return hash == -1 ? -2 : hash;
}

/* What the collector must know of a type whose objects refer to others by these members. */
#define VISIT(member) Py_VISIT(self->member);
#define CLEAR(member) Py_CLEAR(self->member);
#define COLLECTED(Type, type, MEMBERS, AT_END)                                    \
	static int type##_traverse(Type *self, visitproc visit, void *arg)        \
	{                                                                         \
		MEMBERS(VISIT)                                                    \
		return 0;                                                         \
	}                                                                         \
	static int type##_clear(Type *self)                                       \
	{                                                                         \
		MEMBERS(CLEAR)                                                    \
		return 0;                                                         \
	}                                                                         \
	static void type##_dealloc(Type *self)                                    \
	{                                                                         \
		PyObject_GC_UnTrack(self);                                        \
		AT_END(self);                                                     \
		type##_clear(self);                                               \
		Py_TYPE(self)->tp_free(self);                                     \
	}
#define NOTHING_ELSE(self) (void)0
#define DENTRY_MEMBERS(_) _(name) _(parent) _(inode) _(children)
#define MOUNT_MEMBERS(_) _(fs) _(root) _(parent) _(point) _(mounts)
#define PATH_MEMBERS(_) _(mount) _(dentry)
#define CONTEXT_MEMBERS(_) _(root) _(cwd)
COLLECTED(Dentry, dentry, DENTRY_MEMBERS, notify_ended)
COLLECTED(Mount, mount, MOUNT_MEMBERS, NOTHING_ELSE)
COLLECTED(Path, path, PATH_MEMBERS, NOTHING_ELSE)
COLLECTED(FsContext, context, CONTEXT_MEMBERS, NOTHING_ELSE)

#define FIELD(Type, name, type) {#name, type, offsetof(Type, name), 0, NULL}
static PyMemberDef dentry_members[] = {
	FIELD(Dentry, name, T_OBJECT),	   FIELD(Dentry, parent, T_OBJECT), FIELD(Dentry, inode, T_OBJECT),
	FIELD(Dentry, children, T_OBJECT), FIELD(Dentry, mounted, T_INT),   FIELD(Dentry, deleted, T_BOOL),
	{"volatile", T_BOOL, offsetof(Dentry, is_volatile), 0, NULL},	    {0},
};
static PyMemberDef mount_members[] = {
	FIELD(Mount, fs, T_OBJECT_EX), FIELD(Mount, root, T_OBJECT_EX),	  FIELD(Mount, parent, T_OBJECT),
	FIELD(Mount, point, T_OBJECT), FIELD(Mount, mounts, T_OBJECT_EX), FIELD(Mount, flags, T_UINT),
	FIELD(Mount, id, T_INT),       FIELD(Mount, expiring, T_BOOL),	  {0},
};
static PyMemberDef path_members[] = {
	{"mount", T_OBJECT_EX, offsetof(Path, mount), READONLY, NULL},
	{"dentry", T_OBJECT_EX, offsetof(Path, dentry), READONLY, NULL},
	{0},
};
static PyMemberDef context_members[] = {
	FIELD(FsContext, root, T_OBJECT_EX), FIELD(FsContext, cwd, T_OBJECT_EX), FIELD(FsContext, umask, T_UINT),
	{0},
};
static PyObject *mount_readonly(Mount *self, void *unused)
{
	(void)unused;
	return PyBool_FromLong(self->flags & MS_RDONLY);
}

static PyGetSetDef mount_getset[] = {
	{"readonly", (getter)mount_readonly, NULL, NULL, NULL},
	{0},
};
static PyGetSetDef path_getset[] = {
	{"inode", (getter)path_inode, NULL, NULL, NULL},
	{0},
};

#define BASE_TYPE(Type, type, initializer)                                                  \
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core." #Type "Base",              \
	.tp_basicsize = sizeof(Type),                                                       \
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,          \
	.tp_new = PyType_GenericNew, .tp_init = (initproc)(initializer),                    \
	.tp_dealloc = (destructor)type##_dealloc, .tp_traverse = (traverseproc)type##_traverse, \
	.tp_clear = (inquiry)type##_clear, .tp_members = type##_members

PyTypeObject DentryType = {BASE_TYPE(Dentry, dentry, dentry_init)};
PyTypeObject MountType = {BASE_TYPE(Mount, mount, no_arguments), .tp_getset = mount_getset};
PyTypeObject PathType = {
	BASE_TYPE(Path, path, path_init),
	.tp_getset = path_getset,
	.tp_richcompare = path_compare,
	.tp_hash = (hashfunc)path_hash,
};
PyTypeObject FsContextType = {BASE_TYPE(FsContext, context, no_arguments)};

PyObject *path_new(PyTypeObject *type, Mount *mount, Dentry *dentry)
{
	Path *path = (Path *)type->tp_alloc(type, 0);
	if (path) {
		path->mount = Py_NewRef(mount);
		path->dentry = Py_NewRef(dentry);
	}
	return (PyObject *)path;
}

int dentry_load(void)
{
	name_fs = PyUnicode_InternFromString("fs");
	name_volatile = PyUnicode_InternFromString("volatile");
	return name_fs && name_volatile ? 0 : -1;
}
