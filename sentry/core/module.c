/* sentry._core: the module. */
#include "core.h"

PyObject *no_result;

static int add_constants(PyObject *module)
{
	static const struct {
		const char *name;
		int value;
	} constants[] = {
		{"KIND_PYTHON", KIND_PYTHON}, {"KIND_INODE", KIND_INODE}, {"KIND_PIPE", KIND_PIPE},
		{"KIND_EVENTFD", KIND_EVENTFD}, {"KIND_NULL", KIND_NULL}, {"KIND_ZERO", KIND_ZERO},
		{"KIND_FULL", KIND_FULL}, {"WORK_SIGNAL", WORK_SIGNAL}, {"WORK_EXIT", WORK_EXIT},
		{"WORK_STOP", WORK_STOP}, {"WORK_OTHER", WORK_OTHER},
	};
	for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
		if (PyModule_AddIntConstant(module, constants[i].name, constants[i].value) < 0)
			return -1;
	return 0;
}

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT,
	.m_name = "sentry._core",
	.m_doc = "The C dispatcher; see _core.pyi.",
	.m_size = -1,
	.m_methods = host_methods,
};

PyMODINIT_FUNC PyInit__core(void)
{
	PyTypeObject *types[] = {
		&WaitQueueType, &InodeType, &PagePoolType, &FileType,	 &PipeBufferType, &CounterType,
		&FdTableType,	&CredsType, &GroupType,	   &ContextType, &TaskType,	  &MachineType,
	};
	PyObject *module = PyModule_Create(&definition);
	if (!module || load_errors() < 0 || machine_load() < 0)
		return NULL;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (PyModule_AddType(module, types[i]) < 0)
			return NULL;
	no_result = PyObject_CallNoArgs((PyObject *)&PyBaseObject_Type);
	if (!no_result || PyModule_AddObjectRef(module, "NO_RESULT", no_result) < 0 || add_constants(module) < 0)
		return NULL;
	hot_ids_init();
	hot_io_init();
	return module;
}
