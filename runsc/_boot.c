/* Host calls of the sandbox set-up that the standard library lacks.  Thin: arguments in, one call,
 * OSError out; what is called when is decided in runsc/boot.py. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* <sys/mount.h> and <linux/mount.h> can't be included together with every libc, hence these two. */
#define DETACH 2 /* MNT_DETACH */
#define RECURSIVE 0x8000 /* AT_RECURSIVE */

static PyObject *result(long code)
{
	if (code < 0)
		return PyErr_SetFromErrno(PyExc_OSError);
	Py_RETURN_NONE;
}

/* By the raw call: the child is a copy of this thread alone, as after fork(), and there is only one. */
static PyObject *boot_clone(PyObject *self, PyObject *args)
{
	unsigned long long flags;

	(void)self;
	if (!PyArg_ParseTuple(args, "K", &flags))
		return NULL;
	struct clone_args request = {.flags = flags, .exit_signal = SIGCHLD};
	PyOS_BeforeFork();
	long pid = syscall(SYS_clone3, &request, sizeof(request));
	int error = errno;
	if (pid == 0)
		PyOS_AfterFork_Child();
	else
		PyOS_AfterFork_Parent();
	errno = error;
	if (pid < 0)
		return PyErr_SetFromErrno(PyExc_OSError);
	return PyLong_FromLong(pid);
}

static PyObject *boot_mount(PyObject *self, PyObject *args)
{
	const char *source, *target, *type, *data;
	unsigned long flags;

	(void)self;
	if (!PyArg_ParseTuple(args, "sssks", &source, &target, &type, &flags, &data))
		return NULL;
	return result(syscall(SYS_mount, source, target, type, flags, data));
}

static PyObject *boot_detach(PyObject *self, PyObject *args)
{
	const char *target;

	(void)self;
	if (!PyArg_ParseTuple(args, "s", &target))
		return NULL;
	return result(syscall(SYS_umount2, target, DETACH));
}

static PyObject *boot_pivot_root(PyObject *self, PyObject *args)
{
	const char *new, *old;

	(void)self;
	if (!PyArg_ParseTuple(args, "ss", &new, &old))
		return NULL;
	return result(syscall(SYS_pivot_root, new, old));
}

static PyObject *boot_open_tree(PyObject *self, PyObject *args)
{
	PyObject *path;

	(void)self;
	if (!PyArg_ParseTuple(args, "O&", PyUnicode_FSConverter, &path))
		return NULL;
	long fd = syscall(SYS_open_tree, AT_FDCWD, PyBytes_AS_STRING(path),
			  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | RECURSIVE);
	Py_DECREF(path);
	if (fd < 0)
		return PyErr_SetFromErrno(PyExc_OSError);
	return PyLong_FromLong(fd);
}

static PyObject *boot_restrict_tree(PyObject *self, PyObject *args)
{
	int fd, readonly;

	(void)self;
	if (!PyArg_ParseTuple(args, "ip", &fd, &readonly))
		return NULL;
	struct mount_attr attributes = {
		.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (readonly ? MOUNT_ATTR_RDONLY : 0),
	};
	return result(syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | RECURSIVE, &attributes,
			      sizeof(attributes)));
}

/* A detached, read-only proc of this PID namespace, without the files about the machine. */
static PyObject *boot_open_proc(PyObject *self, PyObject *args)
{
	(void)self, (void)args;
	long fd = -1, context = syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);

	if (context >= 0) {
		if (!syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "subset", "pid", 0) &&
		    !syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
			fd = syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC,
				     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
		int error = errno;
		close((int)context);
		errno = error;
	}
	if (fd < 0)
		return PyErr_SetFromErrno(PyExc_OSError);
	return PyLong_FromLong(fd);
}

static PyObject *boot_die_with_parent(PyObject *self, PyObject *args)
{
	(void)self, (void)args;
	return result(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));
}

static long limit_inheritance(uint64_t keep)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (!(keep >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -1;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECUREBITS, SECURE_ALL_BITS | SECURE_ALL_LOCKS, 0, 0, 0);
}

static PyObject *boot_limit_inheritance(PyObject *self, PyObject *args)
{
	unsigned long long keep;

	(void)self;
	if (!PyArg_ParseTuple(args, "K", &keep))
		return NULL;
	return result(limit_inheritance(keep));
}

static PyObject *boot_limit_capabilities(PyObject *self, PyObject *args)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	unsigned long long keep;

	(void)self;
	if (!PyArg_ParseTuple(args, "K", &keep))
		return NULL;
	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted = keep >> (32 * i);
	return result(syscall(SYS_capset, &header, data));
}

static PyObject *boot_no_new_privileges(PyObject *self, PyObject *args)
{
	(void)self, (void)args;
	return result(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static PyObject *boot_undumpable(PyObject *self, PyObject *args)
{
	(void)self, (void)args;
	return result(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
}

static PyObject *boot_close_range(PyObject *self, PyObject *args)
{
	unsigned int first, last;

	(void)self;
	if (!PyArg_ParseTuple(args, "II", &first, &last))
		return NULL;
	return result(syscall(SYS_close_range, first, last, 0));
}

static PyObject *boot_seal(PyObject *self, PyObject *args)
{
	const char *program;
	Py_ssize_t size;

	(void)self;
	if (!PyArg_ParseTuple(args, "y#", &program, &size))
		return NULL;
	Py_ssize_t count = size / (Py_ssize_t)sizeof(struct sock_filter);
	if (count == 0 || count > BPF_MAXINSNS || size % (Py_ssize_t)sizeof(struct sock_filter)) {
		errno = EINVAL;
		return result(-1);
	}
	struct sock_fprog filter = {.len = count, .filter = (struct sock_filter *)program};
	/* With TSYNC a positive answer is the id of a thread that could not be covered. */
	long code = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
	if (code > 0) {
		errno = EBUSY;
		code = -1;
	}
	return result(code);
}

static PyMethodDef methods[] = {
	{"clone", boot_clone, METH_VARARGS, NULL},
	{"mount", boot_mount, METH_VARARGS, NULL},
	{"detach", boot_detach, METH_VARARGS, NULL},
	{"pivot_root", boot_pivot_root, METH_VARARGS, NULL},
	{"open_proc", boot_open_proc, METH_NOARGS, NULL},
	{"open_tree", boot_open_tree, METH_VARARGS, NULL},
	{"restrict_tree", boot_restrict_tree, METH_VARARGS, NULL},
	{"die_with_parent", boot_die_with_parent, METH_NOARGS, NULL},
	{"limit_inheritance", boot_limit_inheritance, METH_VARARGS, NULL},
	{"limit_capabilities", boot_limit_capabilities, METH_VARARGS, NULL},
	{"no_new_privileges", boot_no_new_privileges, METH_NOARGS, NULL},
	{"undumpable", boot_undumpable, METH_NOARGS, NULL},
	{"close_range", boot_close_range, METH_VARARGS, NULL},
	{"seal", boot_seal, METH_VARARGS, NULL},
	{0},
};

static const struct {
	const char *name;
	long value;
} constants[] = {
	{"CLONE_NEWNS", CLONE_NEWNS},	      {"CLONE_NEWCGROUP", CLONE_NEWCGROUP},
	{"CLONE_NEWUTS", CLONE_NEWUTS},	      {"CLONE_NEWIPC", CLONE_NEWIPC},
	{"CLONE_NEWUSER", CLONE_NEWUSER},     {"CLONE_NEWPID", CLONE_NEWPID},
	{"CLONE_NEWNET", CLONE_NEWNET},	      {"MS_RDONLY", MS_RDONLY},
	{"MS_NOSUID", MS_NOSUID},	      {"MS_NODEV", MS_NODEV},
	{"MS_NOEXEC", MS_NOEXEC},	      {"MS_REC", MS_REC},
	{"MS_PRIVATE", MS_PRIVATE},
};

static struct PyModuleDef module = {
	.m_base = PyModuleDef_HEAD_INIT,
	.m_name = "runsc._boot",
	.m_size = 0,
	.m_methods = methods,
};

PyMODINIT_FUNC PyInit__boot(void)
{
	PyObject *self = PyModule_Create(&module);

	for (size_t i = 0; self && i < sizeof(constants) / sizeof(constants[0]); i++)
		if (PyModule_AddIntConstant(self, constants[i].name, constants[i].value) < 0)
			Py_CLEAR(self);
	return self;
}
