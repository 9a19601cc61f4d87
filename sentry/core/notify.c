/* What the C answers know of file notification (inotify(7), fanotify(7)): whether somebody watches.
 *
 * A call on a file that is watched is a miss: all events come from Python (sentry.vfs.notify), with two
 * exceptions that only C sees: the last reference to an open file goes (its close), and the last one to the
 * name of a file that has no other (its end).  These two call hooks.
 */
#include "core.h"

#include <fcntl.h>

int watch_level;
static PyObject *acting_task;
static PyObject *closed_hook, *ended_hook;

static Inode *inode_of(PyObject *dentry)
{
	return dentry && PyObject_TypeCheck(dentry, &DentryType) ? dentry_inode((Dentry *)dentry) : NULL;
}

bool place_watched(struct place *at)
{
	if (!watch_level)
		return false;
	if (at->mount->flags & MOUNT_WATCHED)
		return true;
	Inode *inode = dentry_inode(at->dentry), *directory = inode_of(at->dentry->parent);
	return (inode && inode->watched) || (directory && directory->watched);
}

bool file_watched(File *file)
{
	struct place at;
	return watch_level && place_of(file->path, &at) && place_watched(&at);
}

/* Call a hook from a destructor, whatever exception is on its way. */
static void call(PyObject *hook, PyObject *arguments)
{
	PyObject *type, *value, *traceback;
	if (!hook || !arguments) {
		PyErr_Clear();
		return;
	}
	PyErr_Fetch(&type, &value, &traceback);
	PyObject *result = PyObject_CallObject(hook, arguments);
	if (!result)
		PyErr_WriteUnraisable(hook);
	Py_XDECREF(result);
	Py_DECREF(arguments);
	PyErr_Restore(type, value, traceback);
}

void notify_closed(File *file)
{
	if (file_watched(file) && !(file->flags & (O_PATH | FMODE_NONOTIFY)))
		call(closed_hook, Py_BuildValue("(OO)", file->path, file->writable ? Py_True : Py_False));
}

void notify_ended(Dentry *dentry)
{
	Inode *inode = dentry_inode(dentry);
	if (watch_level && dentry->deleted && inode && (inode->watched || watch_level > WATCH_SOME) && !inode->nlink)
		call(ended_hook, Py_BuildValue("(O)", inode));
}

void notify_acting(Task *task)
{
	Py_XSETREF(acting_task, Py_NewRef((PyObject *)task));
}

static PyObject *act(PyObject *module, PyObject *task)
{
	(void)module;
	if (watch_level > WATCH_SOME)
		notify_acting((Task *)task);
	Py_RETURN_NONE;
}

static PyObject *acting(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	return Py_NewRef(acting_task ? acting_task : Py_None);
}

static PyObject *watch(PyObject *module, PyObject *level)
{
	(void)module;
	long value = PyLong_AsLong(level);
	if (value == -1 && PyErr_Occurred())
		return NULL;
	watch_level = (int)value;
	if (watch_level <= WATCH_SOME)
		Py_CLEAR(acting_task);
	Py_RETURN_NONE;
}

static PyObject *watch_hooks(PyObject *module, PyObject *args)
{
	(void)module;
	PyObject *closed, *ended;
	if (!PyArg_ParseTuple(args, "OO", &closed, &ended))
		return NULL;
	Py_XSETREF(closed_hook, Py_NewRef(closed));
	Py_XSETREF(ended_hook, Py_NewRef(ended));
	Py_RETURN_NONE;
}

PyMethodDef notify_methods[] = {
	{"watch", watch, METH_O, NULL},
	{"act", act, METH_O, NULL},
	{"acting", acting, METH_NOARGS, NULL},
	{"watch_hooks", watch_hooks, METH_VARARGS, NULL},
	{0},
};
