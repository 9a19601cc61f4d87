/* rseq(2): which struct rseq a thread has registered.
 *
 * The host does the work, since it alone knows when it takes the CPU from a thread: it keeps the guest's struct up to
 * date and aborts critical sections (the platform's `rseq`).  Here it is checked, remembered and ended.
 */
#include "vma.h"

#include <errno.h>
#include <linux/rseq.h>
#include <sys/syscall.h>

#define ORIGINAL_SIZE 32 /* of struct rseq, and its alignment; later fields are within it (AT_RSEQ_FEATURE_SIZE) */

#define HIGHEST 0x7ffffffff000ULL /* TASK_SIZE */

static struct pf_context *context_of(Task *task)
{
	return task->ctx && Py_IS_TYPE(task->ctx, &ContextType) ? ((Context *)task->ctx)->pf : NULL;
}

static int end(Task *task, const struct pf_rseq *which)
{
	const struct pf_rseq *own = &task->rseq;
	if (!own->addr || which->addr != own->addr || which->len != own->len)
		return -EINVAL;
	if (which->sig != own->sig)
		return -EPERM;
	int failed = ops->rseq(context_of(task), NULL);
	if (!failed)
		task->rseq = (struct pf_rseq){0};
	return failed;
}

static bool is_private(Task *task, const struct pf_rseq *which)
{
	if (!task->mm || !PyObject_TypeCheck(task->mm, &SpaceType))
		return false;
	Vma *vma = vma_list_find(((Space *)task->mm)->areas, which->addr);
	return vma && !vma->source && !(vma->flags & (VM_SHARED | VM_SPECIAL)) && which->len <= vma->end - which->addr;
}

static int begin(Task *task, struct pf_rseq *which)
{
	const struct pf_rseq *own = &task->rseq;
	uint64_t section;
	if (own->addr) {
		if (which->addr != own->addr || which->len != own->len)
			return -EINVAL;
		return which->sig == own->sig ? -EBUSY : -EPERM;
	}
	if (which->len < ORIGINAL_SIZE || which->addr % ORIGINAL_SIZE)
		return -EINVAL;
	if (!which->addr || which->addr >= PF_GUEST_END || which->len > PF_GUEST_END - which->addr)
		return -EFAULT;
	which->shared = !is_private(task, which);
	int failed = ops->rseq(context_of(task), which);
	/* It may be on a stack that has yet to grow. */
	if (failed == -EFAULT && task_read(task, which->addr, &section, sizeof section) == sizeof section)
		failed = ops->rseq(context_of(task), which);
	if (!failed)
		task->rseq = *which;
	return failed;
}

static int64_t rseq(Task *task, uint64_t addr, uint32_t len, int flags, uint32_t sig)
{
	struct pf_rseq which = {addr, len, sig, true};
	if (!ops->rseq || !context_of(task))
		return -ENOSYS;
	if (flags & ~RSEQ_FLAG_UNREGISTER)
		return -EINVAL;
	return flags ? end(task, &which) : begin(task, &which);
}

static bool read_all(struct pf_context *pf, uint64_t addr, void *buf, size_t len)
{
	return ops->read(pf, addr, buf, len) == (ssize_t)len;
}

bool rseq_abort(Task *task, struct pf_context *pf)
{
	const struct pf_rseq *own = &task->rseq;
	const uint64_t field = own->addr + offsetof(struct rseq, rseq_cs), none = 0;
	uint64_t at;
	struct rseq_cs cs;
	uint32_t sig, flags;
	if (!own->addr)
		return true;
	if (!read_all(pf, field, &at, sizeof at))
		return false;
	if (!at)
		return true;
	if (!read_all(pf, at, &cs, sizeof cs) || cs.version)
		return false;
	if (cs.start_ip + cs.post_commit_offset < cs.start_ip || cs.start_ip + cs.post_commit_offset >= HIGHEST ||
	    cs.abort_ip >= HIGHEST || cs.abort_ip - cs.start_ip < cs.post_commit_offset)
		return false;
	if (!read_all(pf, cs.abort_ip - sizeof sig, &sig, sizeof sig) || sig != own->sig)
		return false;
	pf_complete(ops, pf);
	bool inside = pf->regs.rip - cs.start_ip < cs.post_commit_offset;
	if (inside && (cs.flags || !read_all(pf, field + sizeof at, &flags, sizeof flags) || flags))
		return false;
	if (ops->write(pf, field, &none, sizeof none) != sizeof none)
		return false;
	if (inside)
		pf->regs.rip = cs.abort_ip;
	return true;
}

static int64_t hot_rseq(Task *task, struct pf_regs *regs)
{
	return rseq(task, regs->rdi, (uint32_t)regs->rsi, (int)regs->rdx, (uint32_t)regs->r10);
}

PyObject *task_rseq(Task *task, PyObject *args)
{
	unsigned long long addr;
	unsigned len, sig;
	int flags;
	if (!PyArg_ParseTuple(args, "KIiI", &addr, &len, &flags, &sig))
		return NULL;
	return PyLong_FromLongLong(rseq(task, addr, len, flags, sig));
}

PyObject *task_abort_rseq(Task *task, PyObject *unused)
{
	(void)unused;
	struct pf_context *pf = context_of(task);
	return PyBool_FromLong(pf && !pf->running && rseq_abort(task, pf));
}

PyObject *task_inherit_rseq(Task *task, PyObject *parent)
{
	if (!PyObject_TypeCheck(parent, &TaskType))
		return PyErr_Format(PyExc_TypeError, "parent: a task is wanted");
	task->rseq = ((Task *)parent)->rseq;
	Py_RETURN_NONE;
}

PyObject *task_end_rseq(Task *task, PyObject *shared)
{
	struct pf_context *pf = context_of(task);
	/* Should that fail, the back-end ends the process with the thread. */
	if (task->rseq.addr && shared == Py_True && pf && !pf->running)
		ops->rseq(pf, NULL);
	task->rseq = (struct pf_rseq){0};
	Py_RETURN_NONE;
}

void hot_rseq_init(void)
{
	hot_calls[SYS_rseq] = hot_rseq;
}
