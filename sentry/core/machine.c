/* Machine: the event loop.
 *
 * Wait for an event of the platform, answer it in C when it is hot, else hand it to the kernel (Python), see
 * to pending work, resume.
 */
#include "core.h"

const struct pf_ops *ops;
Machine *machine;
hot_call hot_calls[HOT_COUNT];

static PyObject *name_syscall, *name_guarded, *name_return, *name_gone, *name_ready, *name_watch, *name_barrier;

static PyObject *watch(Machine *self, PyObject *arg)
{
	(void)self;
	long fd = PyLong_AsLong(arg);
	if (fd == -1 && PyErr_Occurred())
		return NULL;
	int failed = watcher_start((int)fd);
	if (failed)
		return raise_errno(failed);
	Py_RETURN_NONE;
}

static bool work_pending(Task *task)
{
	return task->work || ((task->pending | ((Group *)task->group)->pending) & ~task->sigmask);
}

/* Linux's restart codes, -512 to -516: the way back to user mode must decide. */
static bool is_restart(int64_t result)
{
	return result <= -512 && result >= -516;
}

/* The task's context is dead; `signo` killed it, 0: not known. */
static int report_gone(PyObject *kernel, Task *task, int signo)
{
	PyObject *number = PyLong_FromLong(signo);
	PyObject *gone = number ? PyObject_CallMethodObjArgs(kernel, name_gone, task, number, NULL) : NULL;
	Py_XDECREF(number);
	Py_XDECREF(gone);
	return gone ? 0 : -1;
}

/* Let the task run guest code after its pending work.  `result` (borrowed) is what Kernel.on_return gets.
 * 0, or -1 with an exception. */
static int go_on(PyObject *kernel, Task *task, bool work, PyObject *result)
{
	if (work) {
		PyObject *answer = PyObject_CallMethodObjArgs(kernel, name_return, task, result, NULL);
		if (!answer)
			return -1;
		bool resume = answer == Py_True;
		Py_DECREF(answer);
		if (!resume)
			return 0;
	}
	struct pf_context *pf = context_pf(task->ctx);
	if (!pf)
		return -1;
	if (pf->running) {
		PyErr_SetString(PyExc_RuntimeError, "resumed a running context");
		return -1;
	}
	facts_publish(task, pf);
	return ops->resume(pf) < 0 ? report_gone(kernel, task, 0) : 0;
}

/* A call's answer in Python's hands: an int or NO_RESULT. */
static int answer(PyObject *kernel, Task *task, PyObject *result)
{
	bool work = work_pending(task);
	if (result != no_result) {
		int64_t number = PyLong_AsLongLong(result);
		if (number == -1 && PyErr_Occurred()) {
			/* An address beyond INT64_MAX can't be; anything else is a handler's bug. */
			return -1;
		}
		struct pf_context *pf = context_pf(task->ctx);
		if (!pf)
			return -1;
		work = work || is_restart(number);
		io_count(task, number);
		pf->regs.rax = (uint64_t)number;
	}
	return go_on(kernel, task, work, result);
}

/* A call for Python: for Kernel.`method`. */
static int cold_call(Machine *self, PyObject *kernel, Task *task, struct pf_regs *regs, PyObject *method)
{
	if (++self->cold_calls % 4096 == 0)
		self->ready = 1; /* Kernel.run_ready collects garbage, too */
	PyObject *args[9] = {NULL};
	const uint64_t values[] = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9};
	args[0] = kernel;
	args[1] = (PyObject *)task;
	args[2] = PyLong_FromLong(task->syscall_nr);
	bool failed = !args[2];
	for (int i = 0; i < 6 && !failed; i++)
		failed = !(args[3 + i] = PyLong_FromUnsignedLongLong(values[i]));
	PyObject *result = failed ? NULL : PyObject_VectorcallMethod(method, args, 9, NULL);
	for (int i = 2; i < 9; i++)
		Py_XDECREF(args[i]);
	if (!result)
		return -1;
	int status = result == Py_None ? 0 : answer(kernel, task, result);
	Py_DECREF(result);
	return status;
}

/* A C answer: the guest goes on with the result, or the call waits, or Python is asked. */
static int settle(Machine *self, PyObject *kernel, Task *task, struct pf_regs *regs, int64_t result)
{
	if (result == HOT_PARK)
		return 0;
	if (result == HOT_MISS)
		return cold_call(self, kernel, task, regs, name_syscall);
	self->hot_calls++;
	if (result != HOT_DONE) {
		regs->rax = (uint64_t)result;
		io_count(task, result);
	}
	if (!work_pending(task) && !is_restart(result))
		return go_on(kernel, task, false, NULL);
	if (result == HOT_DONE)
		return go_on(kernel, task, true, no_result);
	PyObject *number = PyLong_FromLongLong(result);
	int failed = number ? go_on(kernel, task, true, number) : -1;
	Py_XDECREF(number);
	return failed;
}

static int on_syscall(Machine *self, PyObject *kernel, Task *task, struct pf_context *pf)
{
	struct pf_regs *regs = &pf->regs;
	uint64_t nr = regs->orig_rax;
	int64_t result = HOT_MISS;
	/* The number is 32 bits, signed (entry code of x86-64): -1 and the like are just unknown. */
	task->syscall_nr = (int)nr;
	if (watch_level > WATCH_SOME)
		notify_acting(task);
	if (task->guard & GUARD_LOOK && !guard_passes(task, pf))
		return cold_call(self, kernel, task, regs, name_guarded);
	if (self->hot && nr < HOT_COUNT && hot_calls[nr] && !pf->compat)
		result = hot_calls[nr](task, regs);
	if (result == HOT_PARK)
		result = park_wait(task);
	return settle(self, kernel, task, regs, result);
}

/* Go on with the parked calls that were made ready before now. */
static int run_parked(Machine *self, PyObject *kernel)
{
	int status = 0;
	for (size_t count = park_ready(); count && !status && !self->stop; count--) {
		Task *task = park_next();
		int64_t result = park_resume(task);
		if (result != HOT_PARK)
			status = settle(self, kernel, task, task_regs(task), result);
		Py_DECREF(task);
	}
	return status;
}

static int on_fault(PyObject *kernel, Task *task, struct pf_event *event)
{
	PyObject *resume = PyObject_CallMethod(kernel, "on_fault", "OiiKiK", task, event->signo, event->code,
					       (unsigned long long)event->addr, event->trapno,
					       (unsigned long long)event->error_code);
	if (!resume)
		return -1;
	bool on = resume == Py_True;
	Py_DECREF(resume);
	return on ? go_on(kernel, task, work_pending(task), no_result) : 0;
}

static int call_kernel(PyObject *kernel, PyObject *name)
{
	PyObject *result = PyObject_CallMethodNoArgs(kernel, name);
	Py_XDECREF(result);
	return result ? 0 : -1;
}

/* The task has left guest code: not later, for it may wait in its call for long. */
static int pass_barriers(PyObject *kernel, Task *task)
{
	PyObject *result = PyObject_CallMethodOneArg(kernel, name_barrier, (PyObject *)task);
	Py_XDECREF(result);
	return result ? 0 : -1;
}

static int dispatch(Machine *self, PyObject *kernel, struct pf_event *event)
{
	Task *task = event->ctx->owner;
	if (!task) {
		PyErr_Format(PyExc_RuntimeError, "event %d of a context without a task", event->kind);
		return -1;
	}
	Py_INCREF(task); /* it may die under its own call */
	if (task->rseq.addr && (event->kind == PF_FAULT || event->kind == PF_INTERRUPTED))
		rseq_abort(task, event->ctx); /* if it makes no sense the host ends the process */
	int status = task->work & WORK_BARRIER && event->kind != PF_NONE ? pass_barriers(kernel, task) : 0;
	switch (status ? PF_NONE : event->kind) {
	case PF_SYSCALL:
		if (event->site)
			site_offer(task, event->ctx);
		status = on_syscall(self, kernel, task, event->ctx);
		break;
	case PF_FAULT:
		status = on_fault(kernel, task, event);
		break;
	case PF_INTERRUPTED:
		status = go_on(kernel, task, work_pending(task), no_result);
		break;
	case PF_GONE:
		status = report_gone(kernel, task, event->signo);
		break;
	case PF_NONE:
		break;
	}
	Py_DECREF(task);
	return status;
}

static PyObject *run(Machine *self, PyObject *unused)
{
	(void)unused;
	PyObject *kernel = self->kernel;
	if (!kernel)
		return PyErr_Format(PyExc_RuntimeError, "run: no kernel is set");
	if (ops->patching)
		ops->patching(self->patch && self->hot);
	while (!self->stop) {
		if (watcher_fired()) {
			if (call_kernel(kernel, name_watch) < 0)
				return NULL;
			watcher_resume();
		}
		if (park_ready() && run_parked(self, kernel) < 0)
			return NULL;
		if (self->ready) {
			if (ops->flush)
				ops->flush();
			if (call_kernel(kernel, name_ready) < 0)
				return NULL;
		}
		if (self->stop)
			break;
		struct pf_event event = {0};
		int result = ops->wait(&event, !self->ready && !park_ready());
		if (result < 0)
			return raise_errno(-result);
		if (event.kind != PF_NONE && dispatch(self, kernel, &event) < 0)
			return NULL;
		if (PyErr_CheckSignals() < 0)
			return NULL;
	}
	Py_RETURN_NONE;
}

static PyObject *attach(Machine *self, PyObject *object)
{
	(void)self;
	if (!PyObject_TypeCheck(object, &TaskType))
		return PyErr_Format(PyExc_TypeError, "attach: a task is wanted");
	Task *task = (Task *)object;
	struct pf_context *pf = context_pf(task->ctx);
	if (!pf)
		return NULL;
	if (!task->group || !PyObject_TypeCheck(task->group, &GroupType))
		return PyErr_Format(PyExc_TypeError, "attach: the task needs its group");
	pf->owner = task; /* borrowed: Task's dealloc clears it */
	Py_RETURN_NONE;
}

static PyObject *publish(Machine *self, PyObject *object)
{
	(void)self;
	if (!PyObject_TypeCheck(object, &TaskType))
		return PyErr_Format(PyExc_TypeError, "publish: a task is wanted");
	struct pf_context *pf = context_pf(((Task *)object)->ctx);
	if (!pf)
		return NULL;
	facts_publish((Task *)object, pf);
	Py_RETURN_NONE;
}

static PyObject *start(Machine *self, PyObject *object)
{
	if (!PyObject_TypeCheck(object, &TaskType))
		return PyErr_Format(PyExc_TypeError, "start: a task is wanted");
	Task *task = (Task *)object;
	if (go_on(self->kernel, task, work_pending(task), no_result) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *finish(Machine *self, PyObject *args)
{
	PyObject *result;
	Task *task;
	if (!PyArg_ParseTuple(args, "O!O", &TaskType, &task, &result))
		return NULL;
	if (answer(self->kernel, task, result) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *platform_init(Machine *self, PyObject *arg)
{
	(void)self;
	long fd = PyLong_AsLong(arg);
	if (fd == -1 && PyErr_Occurred())
		return NULL;
	int result = ops->init((int)fd);
	if (result < 0)
		return raise_errno(-result);
	Py_RETURN_NONE;
}

static PyObject *platform_shutdown(Machine *self, PyObject *unused)
{
	(void)self;
	(void)unused;
	ops->shutdown();
	Py_RETURN_NONE;
}

static PyObject *new_space(Machine *self, PyObject *unused)
{
	(void)self;
	(void)unused;
	struct pf_context *pf = NULL;
	int result = ops->space_new(&pf);
	return context_adopt(result, pf);
}

static PyObject *vdso(Machine *self, PyObject *unused)
{
	(void)self;
	(void)unused;
	uint64_t vvar, start, end;
	ops->vdso(&vvar, &start, &end);
	return Py_BuildValue("KKK", (unsigned long long)vvar, (unsigned long long)start, (unsigned long long)end);
}

static PyObject *deadline_passed(Machine *self, PyObject *wall)
{
	(void)self;
	deadline_expire(wall == Py_True);
	Py_RETURN_NONE;
}

static PyObject *refuse(Machine *self, PyObject *args)
{
	long nr;
	int error;
	(void)self;
	if (!PyArg_ParseTuple(args, "li", &nr, &error))
		return NULL;
	if (!hot_refuse(nr, error))
		return PyErr_Format(PyExc_ValueError, "refuse: call %ld, error %d", nr, error);
	Py_RETURN_NONE;
}

static int init(Machine *self, PyObject *args, PyObject *kwargs)
{
	(void)kwargs;
	PyObject *capsule;
	if (!PyArg_ParseTuple(args, "O", &capsule))
		return -1;
	const struct pf_ops *found = PyCapsule_GetPointer(capsule, PF_CAPSULE);
	if (!found)
		return -1;
	if (found->abi != PF_ABI) {
		PyErr_Format(PyExc_RuntimeError, "platform %s: contract %d, %d is wanted", found->name, found->abi, PF_ABI);
		return -1;
	}
	ops = found;
	machine = self;
	self->capsule = Py_NewRef(capsule);
	self->hot = 1;
	return 0;
}

static void dealloc(Machine *self)
{
	Py_XDECREF(self->capsule);
	Py_XDECREF(self->kernel);
	Py_XDECREF(self->futexes);
	if (machine == self)
		machine = NULL;
	Py_TYPE(self)->tp_free(self);
}

static PyMethodDef methods[] = {
	{"init", (PyCFunction)platform_init, METH_O, NULL},
	{"shutdown", (PyCFunction)platform_shutdown, METH_NOARGS, NULL},
	{"watch", (PyCFunction)watch, METH_O, NULL},
	{"new_space", (PyCFunction)new_space, METH_NOARGS, NULL},
	{"vdso", (PyCFunction)vdso, METH_NOARGS, NULL},
	{"attach", (PyCFunction)attach, METH_O, NULL},
	{"publish", (PyCFunction)publish, METH_O, NULL},
	{"start", (PyCFunction)start, METH_O, NULL},
	{"finish", (PyCFunction)finish, METH_VARARGS, NULL},
	{"run", (PyCFunction)run, METH_NOARGS, NULL},
	{"refuse", (PyCFunction)refuse, METH_VARARGS, NULL},
	{"deadline_passed", (PyCFunction)deadline_passed, METH_O, NULL},
	{0},
};

static PyMemberDef members[] = {
	{"kernel", T_OBJECT, offsetof(Machine, kernel), 0, NULL},
	{"futexes", T_OBJECT, offsetof(Machine, futexes), 0, NULL},
	{"hot", T_BOOL, offsetof(Machine, hot), 0, NULL},
	{"ready", T_BOOL, offsetof(Machine, ready), 0, NULL},
	{"stop", T_BOOL, offsetof(Machine, stop), 0, NULL},
	{"patch", T_BOOL, offsetof(Machine, patch), 0, NULL},
	{"hot_calls", T_ULONGLONG, offsetof(Machine, hot_calls), 0, NULL},
	{"cold_calls", T_ULONGLONG, offsetof(Machine, cold_calls), 0, NULL},
	{0},
};

PyTypeObject MachineType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.Machine",
	.tp_basicsize = sizeof(Machine),
	.tp_flags = Py_TPFLAGS_DEFAULT,
	.tp_new = PyType_GenericNew,
	.tp_init = (initproc)init,
	.tp_dealloc = (destructor)dealloc,
	.tp_methods = methods,
	.tp_members = members,
};

int machine_load(void)
{
	name_syscall = PyUnicode_InternFromString("on_syscall");
	name_guarded = PyUnicode_InternFromString("on_guarded");
	name_return = PyUnicode_InternFromString("on_return");
	name_gone = PyUnicode_InternFromString("on_gone");
	name_ready = PyUnicode_InternFromString("run_ready");
	name_watch = PyUnicode_InternFromString("on_watch");
	name_barrier = PyUnicode_InternFromString("on_barrier");
	return name_syscall && name_guarded && name_return && name_gone && name_ready && name_watch && name_barrier ? 0
														       : -1;
}
