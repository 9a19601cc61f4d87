/* The Python module sentry.platform.systrap._systrap. */
#include "module.h"

#include "systrap.h"

PyMODINIT_FUNC PyInit__systrap(void)
{
	return module_make("_systrap", "The systrap platform.", &systrap_ops, systrap_probe);
}
