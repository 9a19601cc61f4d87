/* A back-end as a Python module: the capsule for the dispatcher, and the probe. */
#include "module.h"

#include "vdso.h"

static module_probe *ask;

static PyObject *probe(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	const char *step = "";
	int failed = ask(&step);
	return Py_BuildValue("is", failed, step);
}

static PyMethodDef methods[] = {
	{"probe", probe, METH_NOARGS,
	 "(errno, step): 0 and an empty string when the back-end can work here."},
	{0},
};

/* Each extension has a copy of this file, thus a definition of its own. */
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_size = -1, .m_methods = methods};

PyObject *module_make(const char *name, const char *doc, const struct pf_ops *ops, module_probe *works)
{
	ask = works;
	definition.m_name = name;
	definition.m_doc = doc;
	PyObject *module = PyModule_Create(&definition);
	if (!module)
		return NULL;
	PyObject *capsule = PyCapsule_New((void *)ops, PF_CAPSULE, NULL);
	if (PyModule_AddObjectRef(module, "ops", capsule) < 0) {
		Py_XDECREF(capsule);
		Py_DECREF(module);
		return NULL;
	}
	Py_DECREF(capsule);
	vdso_locate(); /* while there is a /proc */
	return module;
}
