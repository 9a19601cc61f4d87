/* From a path name to a dentry, as far as the dentry cache knows the way (twin: sentry.vfs.namei.step).
 *
 * No Python code runs during a walk (names are bytes, mount points are compared by identity), so references
 * are borrowed: the tree can't change under it.
 */
#include "core.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#define TEXT_MAX 8192	/* a name together with the links' targets in it */
#define MS_NOSYMFOLLOW 256 /* mount(2); not in every <sys/mount.h> */
#define SYMLINKS_MAX 40 /* followed in one walk before ELOOP */

static Dentry *as_dentry(PyObject *object)
{
	return object && PyObject_TypeCheck(object, &DentryType) ? (Dentry *)object : NULL;
}

static Mount *as_mount(PyObject *object)
{
	return object && PyObject_TypeCheck(object, &MountType) ? (Mount *)object : NULL;
}

Inode *dentry_inode(Dentry *dentry)
{
	PyObject *inode = dentry->inode;
	return inode && PyObject_TypeCheck(inode, &InodeType) ? (Inode *)inode : NULL;
}

bool permits(PyObject *object, Inode *inode, unsigned wanted)
{
	if (!object || !PyObject_TypeCheck(object, &CredsType))
		return false;
	if (inode->guarded)
		return false;
	Creds *creds = (Creds *)object;
	unsigned mode = inode->mode, granted;
	if (creds->fsuid == inode->uid)
		granted = mode >> 6;
	else if (creds->fsgid == inode->gid)
		granted = mode >> 3;
	else
		granted = mode & mode >> 3; /* it may be a supplementary group's file */
	return !(wanted & ~granted & 7);
}

FsContext *fs_context(Task *task)
{
	return task->fs && PyObject_TypeCheck(task->fs, &FsContextType) ? (FsContext *)task->fs : NULL;
}

bool place_of(PyObject *path, struct place *at)
{
	if (!path || !PyObject_TypeCheck(path, &PathType))
		return false;
	at->mount = as_mount(((Path *)path)->mount);
	at->dentry = as_dentry(((Path *)path)->dentry);
	return at->mount && at->dentry;
}

bool file_idmapped(File *file)
{
	struct place at;
	return place_of(file->path, &at) && at.mount->flags & MOUNT_IDMAPPED;
}

/* Go on to the root of the topmost mount on the place. */
static bool to_top(struct place *at)
{
	while (at->dentry->mounted) {
		PyObject *upper = at->mount->mounts ? PyDict_GetItemWithError(at->mount->mounts,
									      (PyObject *)at->dentry)
						    : NULL;
		if (!upper)
			break; /* it is in another tree that a mount hides this dentry */
		at->mount = as_mount(upper);
		if (!at->mount || !(at->dentry = as_dentry(at->mount->root)))
			return false;
	}
	return true;
}

/* "..", but not from the task's root. */
static bool to_parent(struct place *at)
{
	struct place here = *at;
	while ((PyObject *)here.dentry == here.mount->root) {
		if (!here.mount->parent || !here.mount->point)
			return to_top(at); /* the root of all is its own parent */
		Dentry *point = as_dentry(here.mount->point);
		here.mount = as_mount(here.mount->parent);
		here.dentry = point;
		if (!here.mount || !here.dentry)
			return false;
	}
	here.dentry = as_dentry(here.dentry->parent);
	*at = here;
	return here.dentry && to_top(at);
}

static Dentry *child_of(Dentry *dentry, const char *name, size_t length)
{
	if (length > NAME_MAX || !PyDict_CheckExact(dentry->children))
		return NULL;
	PyObject *key = PyBytes_FromStringAndSize(name, (Py_ssize_t)length);
	PyObject *child = key ? PyDict_GetItemWithError(dentry->children, key) : NULL;
	Py_XDECREF(key);
	if (!key)
		PyErr_Clear(); /* no memory: not ours */
	return as_dentry(child);
}

/* A walk under way: `rest` of the name is left to go, from `at`. */
struct walk {
	struct place at, top; /* top: the task's root */
	const char *rest;
	int links;
	char text[TEXT_MAX]; /* holds the name once a link was followed */
};

/* Go on with the target of a link, which is known, and what comes behind it.  false: too long. */
static bool follow_link(struct walk *walk, Inode *link, const char *behind)
{
	PyObject *target = link->target;
	char joined[TEXT_MAX];
	size_t head = (size_t)PyBytes_GET_SIZE(target), tail = strlen(behind);
	if (!head || head + tail >= sizeof joined || memchr(PyBytes_AS_STRING(target), 0, head))
		return false;
	if (walk->links >= SYMLINKS_MAX)
		return false;
	memcpy(joined, PyBytes_AS_STRING(target), head);
	memcpy(joined + head, behind, tail + 1);
	memcpy(walk->text, joined, head + tail + 1);
	inode_accessed((PyObject *)walk->at.mount, link);
	walk->links++;
	walk->rest = walk->text;
	if (*walk->rest == '/')
		walk->at = walk->top;
	return true;
}

/* Take the part of `rest` that ends at `end`: 0, or why not, and then nothing has changed. */
static int64_t one_step(Task *task, struct walk *walk, const char *end, bool follow)
{
	const char *part = walk->rest;
	size_t length = (size_t)(end - part);
	struct place *at = &walk->at, next = *at;
	if (!at->dentry->children)
		return -ENOTDIR;
	if (!length)
		return 0;
	Inode *inode = dentry_inode(at->dentry), *directory = inode;
	if (at->mount->flags & MOUNT_IDMAPPED)
		return HOT_MISS;
	if (!inode || (((inode->mode & 0111) != 0111 || inode->guarded) && !permits(task->creds, inode, 1)))
		return HOT_MISS;
	if (length == 1 && part[0] == '.')
		return 0;
	if (length == 2 && part[0] == '.' && part[1] == '.') {
		if (at->dentry == walk->top.dentry && at->mount == walk->top.mount)
			return 0;
		if (!to_parent(&next))
			return HOT_MISS;
		*at = next;
		return 0;
	}
	if (at->dentry->is_volatile || !(next.dentry = child_of(at->dentry, part, length)))
		return HOT_MISS;
	if (!next.dentry->inode)
		return -ENOENT;
	if (!(inode = dentry_inode(next.dentry)))
		return HOT_MISS;
	if (S_ISLNK(inode->mode) && (follow || *end)) {
		if (at->mount->flags & MS_NOSYMFOLLOW)
			return HOT_MISS;
		/* Who may follow a last link there is Python's to say (/proc/sys/fs/protected_symlinks). */
		if (!end[strspn(end, "/")] && (directory->mode & (S_ISVTX | S_IWOTH)) == (S_ISVTX | S_IWOTH))
			return HOT_MISS;
		bool known = inode->target && PyBytes_Check(inode->target);
		return known && follow_link(walk, inode, end) ? 0 : HOT_MISS;
	}
	if (!to_top(&next))
		return HOT_MISS;
	*at = next;
	return 0;
}

/* As far as the cache knows the way: 0 at its end, else why the part that `rest` begins with wasn't taken. */
static int64_t go(Task *task, struct walk *walk, bool follow)
{
	for (;;) {
		const char *part = walk->rest, *end = strchrnul(part, '/');
		int links = walk->links;
		int64_t failed = one_step(task, walk, end, follow);
		if (failed)
			return failed;
		if (walk->links != links)
			continue;
		if (!*end)
			return 0;
		walk->rest = end + 1;
	}
}

static int64_t walk_path(Task *task, int dirfd, const char *name, bool follow, struct place *at)
{
	struct walk walk;
	FsContext *fs = fs_context(task);
	if (!fs || !*name || !place_of(fs->root, &walk.top))
		return HOT_MISS;
	walk.at = walk.top;
	if (*name != '/') {
		File *file = dirfd == AT_FDCWD ? NULL : fdtable_peek(task, (uint32_t)dirfd);
		if (!place_of(dirfd == AT_FDCWD ? fs->cwd : file ? file->path : NULL, &walk.at))
			return HOT_MISS;
	}
	walk.rest = name;
	walk.links = 0;
	int64_t failed = go(task, &walk, follow);
	*at = walk.at;
	if (!failed && at->mount->flags & MOUNT_IDMAPPED)
		return HOT_MISS;
	if (!failed)
		at->mount->expiring = 0;
	return failed;
}

int64_t walk_to(Task *task, int dirfd, uint64_t addr, bool follow, struct place *at)
{
	char name[PATH_MAX];
	if (task_read_str(task, addr, name, sizeof name) < 0)
		return HOT_MISS;
	return walk_path(task, dirfd, name, follow, at);
}

static PyObject *walk_ahead(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
	(void)module;
	struct walk walk;
	if (count != 5 || !PyBytes_Check(args[3]))
		return PyErr_Format(PyExc_TypeError, "task, mount, dentry, name and follow are wanted");
	Task *task = (Task *)args[0];
	const char *name = PyBytes_AS_STRING(args[3]);
	if (!PyObject_TypeCheck(task, &TaskType) || strlen(name) != (size_t)PyBytes_GET_SIZE(args[3]))
		Py_RETURN_NONE;
	FsContext *fs = fs_context(task);
	walk.at.mount = as_mount(args[1]);
	walk.at.dentry = as_dentry(args[2]);
	if (!fs || !place_of(fs->root, &walk.top) || !walk.at.mount || !walk.at.dentry)
		Py_RETURN_NONE;
	walk.rest = name;
	walk.links = 0;
	int64_t failed = go(task, &walk, args[4] == Py_True);
	return Py_BuildValue("OOyi", walk.at.mount, walk.at.dentry, failed ? walk.rest : NULL, walk.links);
}

static PyObject *bits_permit(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
	(void)module;
	if (count != 3)
		return PyErr_Format(PyExc_TypeError, "creds, inode and ACCESS_ bits are wanted");
	if (!PyObject_TypeCheck(args[1], &InodeType))
		Py_RETURN_FALSE;
	long wanted = PyLong_AsLong(args[2]);
	if (wanted == -1 && PyErr_Occurred())
		return NULL;
	return PyBool_FromLong(permits(args[0], (Inode *)args[1], (unsigned)wanted));
}

static PyObject *accessed(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
	(void)module;
	if (count != 2 || !PyObject_TypeCheck(args[1], &InodeType))
		return PyErr_Format(PyExc_TypeError, "a mount and an inode are wanted");
	inode_accessed(args[0], (Inode *)args[1]);
	Py_RETURN_NONE;
}

PyMethodDef walk_methods[] = {
	{"accessed", (PyCFunction)(void (*)(void))accessed, METH_FASTCALL, NULL},
	{"bits_permit", (PyCFunction)(void (*)(void))bits_permit, METH_FASTCALL, NULL},
	{"walk_ahead", (PyCFunction)(void (*)(void))walk_ahead, METH_FASTCALL, NULL},
	{0},
};
