/* SeccompFilter, and the look at each call of a task that is guarded (seccomp(2)).
 *
 * What is allowed goes on here as if there were no filter; what is not, or must be seen by a tracer, is
 * Python's.
 */
#include "bpf_program.h"

#include <linux/audit.h>

#define ACTION(value) ((int32_t)((value) & SECCOMP_RET_ACTION_FULL))
#define WORD_BITS 64

typedef struct SeccompFilter {
	PyObject_HEAD
	struct SeccompFilter *prev; /* owned: the filter that was there before; NULL: none */
	struct bpf_program program;
	unsigned total; /* the cost of the whole chain, with Linux's penalty for each filter */
	bool reads_rip; /* it or one before it looks at the instruction pointer */
	uint64_t allowed[HOT_COUNT / WORD_BITS]; /* calls that the chain always allows */
} SeccompFilter;

#define PENALTY 4

static void note_allowed(SeccompFilter *self)
{
	for (unsigned nr = 0; nr < HOT_COUNT; nr++) {
		uint64_t bit = 1ULL << nr % WORD_BITS;
		if ((!self->prev || self->prev->allowed[nr / WORD_BITS] & bit) &&
		    cbpf_allows(self->program.code, nr, AUDIT_ARCH_X86_64))
			self->allowed[nr / WORD_BITS] |= bit;
	}
}

static PyObject *filter_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	Py_buffer program;
	PyObject *prev;
	(void)kwargs;
	if (!PyArg_ParseTuple(args, "y*O", &program, &prev))
		return NULL;
	SeccompFilter *self = (SeccompFilter *)type->tp_alloc(type, 0);
	if (!self || (prev != Py_None && !PyObject_TypeCheck(prev, &SeccompFilterType)))
		goto failed;
	if (!program_take(&self->program, &program, CBPF_CALL))
		goto failed;
	self->prev = prev == Py_None ? NULL : (SeccompFilter *)Py_NewRef(prev);
	self->total = cbpf_cost(self->program.code, self->program.length);
	if (self->prev)
		self->total += self->prev->total + PENALTY;
	self->reads_rip = self->prev && self->prev->reads_rip;
	for (unsigned i = 0; i < self->program.length; i++) {
		const struct sock_filter *op = &self->program.code[i];
		if (op->code == (BPF_LD | BPF_W | BPF_ABS) && (op->k & ~4U) == 8)
			self->reads_rip = true;
	}
	note_allowed(self);
	PyBuffer_Release(&program);
	return (PyObject *)self;
failed:
	if (!PyErr_Occurred())
		PyErr_SetString(PyExc_TypeError, "SeccompFilter: the one before is a SeccompFilter or None");
	PyBuffer_Release(&program);
	Py_XDECREF(self);
	return NULL;
}

static void filter_dealloc(SeccompFilter *self)
{
	program_free(&self->program);
	Py_XDECREF(self->prev);
	Py_TYPE(self)->tp_free(self);
}

static PyObject *get_program(SeccompFilter *self, void *unused)
{
	(void)unused;
	return program_text(&self->program);
}

static PyMemberDef filter_members[] = {
	{"prev", T_OBJECT, offsetof(SeccompFilter, prev), READONLY, NULL},
	{"total", T_UINT, offsetof(SeccompFilter, total), READONLY, NULL},
	{0},
};

static PyGetSetDef filter_getset[] = {
	{"program", (getter)get_program, NULL, NULL, NULL},
	{0},
};

PyTypeObject SeccompFilterType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.SeccompFilter",
	.tp_basicsize = sizeof(SeccompFilter),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.tp_new = filter_new,
	.tp_init = no_arguments,
	.tp_dealloc = (destructor)filter_dealloc,
	.tp_members = filter_members,
	.tp_getset = filter_getset,
};

static struct seccomp_data describe(struct pf_context *pf, bool rip)
{
	const struct pf_regs *regs = &pf->regs;
	if (rip || pf->compat)
		pf_complete(ops, pf);
	struct seccomp_data data = {
		.nr = (int)regs->orig_rax,
		.arch = pf->compat ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64,
		.instruction_pointer = pf->partial ? 0 : regs->rip,
		.args = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9},
	};
	if (pf->compat) {
		const uint64_t args[] = {regs->rbx, regs->rcx, regs->rdx, regs->rsi, regs->rdi, regs->rbp};
		for (int i = 0; i < 6; i++)
			data.args[i] = (uint32_t)args[i];
	}
	return data;
}

/* The verdict of the strictest filter, and which that is (borrowed; NULL: all allow the call). */
static uint32_t judge(SeccompFilter *filter, const struct seccomp_data *data, SeccompFilter **strictest)
{
	const struct cbpf_input in = {CBPF_CALL, data, sizeof *data};
	uint32_t verdict = SECCOMP_RET_ALLOW;
	*strictest = NULL;
	for (; filter; filter = filter->prev) {
		uint32_t said = cbpf_run(filter->program.code, &in);
		if (ACTION(said) < ACTION(verdict)) {
			verdict = said;
			*strictest = filter;
		}
	}
	return verdict;
}

bool guard_passes(Task *task, struct pf_context *pf)
{
	SeccompFilter *filter = (SeccompFilter *)task->filter, *strictest;
	uint64_t nr = pf->regs.orig_rax;
	if ((task->guard & GUARD_LOOK) != GUARD_FILTER || !filter)
		return false;
	if (!pf->compat && nr < HOT_COUNT && filter->allowed[nr / WORD_BITS] >> nr % WORD_BITS & 1)
		return true;
	struct seccomp_data data = describe(pf, filter->reads_rip);
	return ACTION(judge(filter, &data, &strictest)) == ACTION(SECCOMP_RET_ALLOW);
}

PyObject *task_filter_verdict(Task *task, PyObject *unused)
{
	SeccompFilter *strictest;
	struct pf_context *pf = context_pf(task->ctx);
	(void)unused;
	if (!pf)
		return NULL;
	struct seccomp_data data = describe(pf, true);
	uint32_t verdict = judge((SeccompFilter *)task->filter, &data, &strictest);
	return Py_BuildValue("IOy#", verdict, strictest ? (PyObject *)strictest : Py_None, (char *)&data,
			     (Py_ssize_t)sizeof data);
}
