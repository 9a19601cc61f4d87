/* sentry._core: the module. */
#include "core.h"
#include "vma.h"

int no_arguments(PyObject *self, PyObject *args, PyObject *kwargs)
{
	(void)self;
	(void)args;
	(void)kwargs;
	return 0;
}

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
		{"WORK_STOP", WORK_STOP}, {"WORK_OTHER", WORK_OTHER}, {"WORK_HOLD", WORK_HOLD}, {"WORK_BARRIER", WORK_BARRIER}, {"KIND_EPOLL", KIND_EPOLL},
		{"GUARD_STRICT", GUARD_STRICT}, {"GUARD_FILTER", GUARD_FILTER}, {"GUARD_CALLS", GUARD_CALLS},
		{"GUARD_TRACED", GUARD_TRACED}, {"GUARD_DISPATCH", GUARD_DISPATCH}, {"PF_PATCH_ANY", PF_PATCH_ANY},
		{"PF_PATCH_ASKING", PF_PATCH_ASKING}, {"PF_PATCH_NONE", PF_PATCH_NONE},
		{"WAIT_PENDING", WAIT_PENDING}, {"WAIT_WOKEN", WAIT_WOKEN},
		{"WAIT_INTERRUPTED", WAIT_INTERRUPTED}, {"WAIT_TIMED_OUT", WAIT_TIMED_OUT},
		{"VM_MAYREAD", VM_MAYREAD}, {"VM_MAYWRITE", VM_MAYWRITE}, {"VM_MAYEXEC", VM_MAYEXEC},
		{"VM_MAYALL", VM_MAYALL}, {"VM_SHARED", VM_SHARED}, {"VM_GROWSDOWN", VM_GROWSDOWN},
		{"VM_LOCKED", VM_LOCKED}, {"VM_LOCKONFAULT", VM_LOCKONFAULT}, {"VM_NORESERVE", VM_NORESERVE},
		{"VM_DONTFORK", VM_DONTFORK}, {"VM_WIPEONFORK", VM_WIPEONFORK}, {"VM_DONTDUMP", VM_DONTDUMP},
		{"VM_HUGEPAGE", VM_HUGEPAGE}, {"VM_NOHUGEPAGE", VM_NOHUGEPAGE},
		{"VM_SEQUENTIAL", VM_SEQUENTIAL}, {"VM_RANDOM", VM_RANDOM}, {"VM_SPECIAL", VM_SPECIAL},
		{"VM_SEALED", VM_SEALED}, {"VM_MERGEABLE", VM_MERGEABLE}, {"VM_SECRET", VM_SECRET},
		{"VM_HUGETLB", VM_HUGETLB}, {"VM_POLICY_SHIFT", VM_POLICY_SHIFT},
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
		&FdTableType,	&CredsType, &GroupType, &ActionType, &SignalActionsType,	   &ContextType, &TaskType,	  &MachineType,
		&FutexTableType, &FutexWaiterType, &InterestType, &ReadyListType,
		&VmaType,	&VmaListType, &SpaceType,   &FileSourceType,
		&UserNamespaceType, &DentryType,	&MountType, &PathType,	   &FsContextType, &SeccompFilterType, &SocketFilterType,
	};
	PyObject *module = PyModule_Create(&definition);
	if (!module || load_errors() < 0 || machine_load() < 0 || hot_mm_init() < 0 || dentry_load() < 0 || hot_path_load() < 0)
		return NULL;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (PyModule_AddType(module, types[i]) < 0)
			return NULL;
	no_result = PyObject_CallNoArgs((PyObject *)&PyBaseObject_Type);
	if (!no_result || PyModule_AddObjectRef(module, "NO_RESULT", no_result) < 0 || add_constants(module) < 0)
		return NULL;
	if (PyModule_AddFunctions(module, walk_methods) < 0 || PyModule_AddFunctions(module, dirents_methods) < 0 ||
	    PyModule_AddFunctions(module, notify_methods) < 0)
		return NULL;
	hot_ids_init();
	hot_io_init();
	hot_futex_init();
	hot_epoll_init();
	hot_signal_init();
	hot_process_init();
	hot_rseq_init();
	hot_stat_init();
	hot_path_init();
	hot_fd_init();
	hot_dirents_init();
	return module;
}
