/* The Python module sentry.platform.ptrace._ptrace. */
#include "module.h"

#include "ptrace.h"

PyMODINIT_FUNC PyInit__ptrace(void)
{
	return module_make("_ptrace", "The ptrace platform.", &ptrace_ops, ptrace_probe);
}
