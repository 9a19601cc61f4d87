/* The Python module of a back-end. */
#ifndef MODULE_H
#define MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "platform.h"

/* Can the back-end work here?  0, or the errno of what failed with *step naming it. */
typedef int module_probe(const char **step);

/* For the one PyInit function of an extension: a module with `ops`, the capsule for the dispatcher, and
 * `probe`, which asks `works`.  A new reference, NULL with an exception.
 * What `name` and `doc` point to must stay. */
PyObject *module_make(const char *name, const char *doc, const struct pf_ops *ops, module_probe *works);

#endif
