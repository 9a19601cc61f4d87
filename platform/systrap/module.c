/* The Python module sentry.platform.systrap._systrap: the capsule for the dispatcher, and the probe. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "systrap.h"

static PyObject *probe(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	const char *step = "";
	int failed = systrap_probe(&step);
	return Py_BuildValue("is", failed, step);
}

static PyMethodDef methods[] = {
	{"probe", probe, METH_NOARGS,
	 "(errno, step): 0 and an empty string when the back-end can work here."},
	{0},
};

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT, .m_name = "_systrap",  .m_doc = "The systrap platform.",
	.m_size = -1,	       .m_methods = methods,
};

PyMODINIT_FUNC PyInit__systrap(void)
{
	PyObject *module = PyModule_Create(&definition);
	if (!module)
		return NULL;
	PyObject *ops = PyCapsule_New((void *)&systrap_ops, PF_CAPSULE, NULL);
	if (PyModule_AddObjectRef(module, "ops", ops) < 0) {
		Py_XDECREF(ops);
		Py_DECREF(module);
		return NULL;
	}
	Py_DECREF(ops);
	vdso_locate(); /* while there is a /proc */
	return module;
}
