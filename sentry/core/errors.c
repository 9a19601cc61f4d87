/* Errno, the exception class of sentry.errors, for the C side. */
#include "core.h"

static PyObject *errno_class;

int load_errors(void)
{
	PyObject *module = PyImport_ImportModule("sentry.errors");
	if (!module)
		return -1;
	errno_class = PyObject_GetAttrString(module, "Errno");
	Py_DECREF(module);
	return errno_class ? 0 : -1;
}

PyObject *raise_errno(int code)
{
	PyObject *number = PyLong_FromLong(code);
	if (!number)
		return NULL;
	PyObject *error = PyObject_CallOneArg(errno_class, number);
	Py_DECREF(number);
	if (error) {
		PyErr_SetObject(errno_class, error);
		Py_DECREF(error);
	}
	return NULL;
}
