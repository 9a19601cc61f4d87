/* Signal frames on the guest's stack: the C twin of sentry/kernel/signals/sigframe.py, which says what is where.
 *
 * A frame is built here and copied out at once; it comes back in one copy too when the handler left it where
 * it was.  All that comes back is hostile: general registers may be anything, the rest is checked or
 * replaced.
 */
#include "core.h"

#include <errno.h>
#include <signal.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

#define RESTORER 0x04000000ULL /* SA_RESTORER: x86-64 has no other way back */
#define RED_ZONE 128
#define LOWEST 0x1000
#define USER_CS 0x33
#define USER_SS 0x2b
#define FLAG_DF 0x400ULL
#define FLAG_TF 0x100ULL
#define FLAG_RF 0x10000ULL
#define RESTORABLE_FLAGS (0x50dd5ULL | FLAG_RF) /* AC OF DF TF SF ZF AF PF CF, RF */
#define FIXED_FLAGS 0x202ULL			/* IF, and the bit that always is 1 */
#define UC_FLAGS 7				/* FP_XSTATE, SIGCONTEXT_SS, STRICT_RESTORE_SS */

#define LEGACY_SIZE 512
#define HEADER_SIZE 64
#define SOFTWARE 464 /* the bytes of the legacy area that are software's */
#define MAGIC1 0x46505853U
#define MAGIC2 0x46505845U
#define FP_SSE 3
#define FPU_MAX 65536

struct mcontext {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
	uint16_t cs, gs, fs, ss;
	uint64_t error, trapno, oldmask, cr2, fpstate, reserved[8];
};

struct frame {
	uint64_t restorer;
	uint64_t uc_flags, uc_link;
	uint64_t stack_sp;
	int32_t stack_flags, pad;
	uint64_t stack_size;
	struct mcontext context;
	uint64_t sigmask;
	unsigned char info[128];
	uint64_t align[2];
	unsigned char fpu[FPU_MAX]; /* where it is when the frame was made here; then MAGIC2 */
};

#define FPU_OFFSET offsetof(struct frame, fpu)
_Static_assert(FPU_OFFSET == 456, "the frame of x86-64");

struct software {
	uint32_t magic, extended;
	uint64_t features;
	uint32_t size, pad[7];
};
_Static_assert(sizeof(struct software) == LEGACY_SIZE - SOFTWARE, "struct _fpx_sw_bytes");

static struct frame frame; /* the kernel is one thread; too large for its stack */

/* The machine's: how large an image is, and its software bytes as the back-end gives them. */
static struct {
	size_t size;
	uint64_t features;
	unsigned char software[LEGACY_SIZE - SOFTWARE];
} native;

static struct pf_context *context_of(Task *task)
{
	if (!task->ctx || !Py_IS_TYPE(task->ctx, &ContextType))
		return NULL;
	struct pf_context *pf = ((Context *)task->ctx)->pf;
	if (pf)
		pf_complete(ops, pf);
	return pf;
}

/* The thread's FP state into frame.fpu; false when it can't be had. */
static bool fetch_fpu(struct pf_context *pf)
{
	size_t size = ops->fpu_size();
	if (size > FPU_MAX - sizeof(uint32_t))
		return false;
	ssize_t got = ops->get_fpu(pf, frame.fpu, size);
	if (got < LEGACY_SIZE + HEADER_SIZE)
		return false;
	if (native.size != (size_t)got) {
		struct software software;
		uint64_t held;
		memcpy(native.software, frame.fpu + SOFTWARE, sizeof native.software);
		memcpy(&software, native.software, sizeof software);
		memcpy(&held, frame.fpu + LEGACY_SIZE, sizeof held);
		native.size = (size_t)got;
		if (software.magic == MAGIC1)
			native.features = software.features;
		else /* XCR0, where PTRACE_GETREGSET leaves it, or what the image holds */
			memcpy(&native.features, native.software, sizeof native.features);
		if (!native.features)
			native.features = held;
	}
	return true;
}

static bool on_altstack(Task *task, uint64_t sp)
{
	if (task->altstack_flags & SS_AUTODISARM)
		return false;
	return sp > task->altstack_sp && sp - task->altstack_sp <= task->altstack_size;
}

int altstack_flags(Task *task, uint64_t sp)
{
	int flags = !task->altstack_size ? SS_DISABLE : on_altstack(task, sp) ? SS_ONSTACK : 0;
	return flags | (int)(task->altstack_flags & SS_AUTODISARM);
}

static void altstack_disarm(Task *task)
{
	task->altstack_sp = task->altstack_size = 0;
	task->altstack_flags = SS_DISABLE;
}

int altstack_set(Task *task, uint64_t base, int flags, uint64_t size, uint64_t sp)
{
	unsigned mode = (unsigned)flags & ~SS_AUTODISARM;
	if (on_altstack(task, sp))
		return -EPERM;
	if (mode != 0 && mode != SS_ONSTACK && mode != SS_DISABLE)
		return -EINVAL;
	if (mode == SS_DISABLE)
		base = size = 0;
	else if (size < 2048) /* the kernel's MINSIGSTKSZ; the C library's may be larger */
		return -ENOMEM;
	task->altstack_sp = base;
	task->altstack_size = size;
	task->altstack_flags = (unsigned)flags;
	return 0;
}

/* Where the frame of an `fpu` bytes large FP state goes; 0: no room. */
static uint64_t frame_place(Task *task, uint64_t flags, uint64_t sp, size_t fpu)
{
	bool nested = on_altstack(task, sp);
	bool entering = flags & (uint64_t)SA_ONSTACK && !nested && task->altstack_size;
	uint64_t top = sp - RED_ZONE, need = fpu + FPU_OFFSET + 64;
	if (entering && __builtin_add_overflow(task->altstack_sp, task->altstack_size, &top))
		return 0;
	if ((!entering && sp < RED_ZONE) || top < need + LOWEST)
		return 0;
	uint64_t place = ((top - fpu) & ~63ULL) - FPU_OFFSET;
	if ((nested || entering) && place < task->altstack_sp)
		return 0; /* an overflow of the alternate stack must not spoil what lies below */
	return place;
}

int sigframe_enter(Task *task, int signo, const struct signal_action *action, const void *info128,
		   uint64_t mask)
{
	struct pf_context *pf = context_of(task);
	const uint32_t end = MAGIC2;
	if (!pf || !(action->flags & RESTORER) || !rseq_abort(task, pf) || !fetch_fpu(pf))
		return -EFAULT;
	struct pf_regs *regs = &pf->regs;
	size_t size = native.size + sizeof end;
	uint64_t place = frame_place(task, action->flags, regs->rsp, size);
	if (!place)
		return -EFAULT;
	struct software software = {
		.magic = MAGIC1,
		.extended = (uint32_t)size,
		.features = native.features,
		.size = (uint32_t)native.size,
	};
	memcpy(frame.fpu + SOFTWARE, &software, sizeof software);
	frame.fpu[LEGACY_SIZE] |= FP_SSE; /* in use, so that a handler may change it (as Linux) */
	memcpy(frame.fpu + native.size, &end, sizeof end);
	frame.restorer = action->restorer;
	frame.uc_flags = UC_FLAGS;
	frame.uc_link = 0;
	frame.stack_sp = task->altstack_sp;
	frame.stack_flags = (int32_t)task->altstack_flags;
	frame.pad = 0;
	frame.stack_size = task->altstack_size;
	frame.context = (struct mcontext){
		regs->r8, regs->r9, regs->r10, regs->r11, regs->r12, regs->r13, regs->r14, regs->r15,
		regs->rdi, regs->rsi, regs->rbp, regs->rbx, regs->rdx, regs->rax, regs->rcx, regs->rsp,
		regs->rip, regs->eflags,
		.cs = USER_CS, .ss = USER_SS,
		.error = task->fault_error, .trapno = task->fault_trapno, .cr2 = task->fault_addr,
		.oldmask = mask, .fpstate = place + FPU_OFFSET,
	};
	frame.sigmask = mask;
	memcpy(frame.info, info128, sizeof frame.info);
	memset(frame.align, 0, sizeof frame.align);
	if (task_write(task, place, &frame, FPU_OFFSET + size) != (ssize_t)(FPU_OFFSET + size))
		return -EFAULT;
	if (task->altstack_flags & SS_AUTODISARM)
		altstack_disarm(task);
	regs->rdi = (uint64_t)signo;
	regs->rsi = place + offsetof(struct frame, info);
	regs->rdx = place + offsetof(struct frame, uc_flags);
	regs->rax = 0;
	regs->rip = action->handler;
	regs->rsp = place;
	regs->cs = USER_CS;
	regs->ss = USER_SS;
	regs->eflags &= ~(FLAG_DF | FLAG_TF | FLAG_RF);
	regs->orig_rax = ~0ULL;
	return 0;
}

/* Make the FP state at `address`, of which `held` bytes are in frame.fpu already, one that the back-end may
 * be given: the whole image when it is marked as one, else its legacy part alone. */
static bool load_fpu(Task *task, uint64_t address, size_t held)
{
	const size_t whole = native.size + sizeof(uint32_t);
	struct software software;
	uint64_t header[HEADER_SIZE / 8] = {FP_SSE};
	uint32_t end = 0;
	if (held < LEGACY_SIZE) {
		if (task_read(task, address, frame.fpu, LEGACY_SIZE) != LEGACY_SIZE)
			return false;
		held = LEGACY_SIZE;
	}
	memcpy(&software, frame.fpu + SOFTWARE, sizeof software);
	bool marked = software.magic == MAGIC1 && software.size == native.size;
	marked = marked && software.extended >= whole && address % 64 == 0;
	if (marked && held < whole) {
		if (task_read(task, address, frame.fpu, whole) != (ssize_t)whole)
			return false;
	}
	if (marked)
		memcpy(&end, frame.fpu + native.size, sizeof end);
	if (end == MAGIC2) {
		memcpy(header, frame.fpu + LEGACY_SIZE, 3 * sizeof *header);
		if (header[0] & ~native.features || header[1] || header[2])
			return false; /* XRSTOR would refuse it */
	} else {
		memset(frame.fpu + LEGACY_SIZE + HEADER_SIZE, 0, native.size - LEGACY_SIZE - HEADER_SIZE);
	}
	memcpy(frame.fpu + LEGACY_SIZE, header, HEADER_SIZE);
	memcpy(frame.fpu + SOFTWARE, native.software, sizeof native.software);
	return true;
}

int sigframe_leave(Task *task)
{
	struct pf_context *pf = context_of(task);
	if (!pf || (!native.size && !fetch_fpu(pf)))
		return -EFAULT;
	struct pf_regs *regs = &pf->regs;
	const uint64_t place = regs->rsp - 8;
	/* Without the memory manager's help: what lies behind the frame need not exist. */
	ssize_t got = ops->read(pf, place, &frame, FPU_OFFSET + native.size + sizeof(uint32_t));
	if (got < (ssize_t)offsetof(struct frame, info))
		return -EFAULT;
	const struct mcontext context = frame.context;
	if (context.rip >= PF_GUEST_END || (context.cs | 3) != USER_CS || (context.ss | 3) != USER_SS)
		return -EFAULT;
	if (!context.fpstate) {
		if (ops->reset_fpu(pf) < 0)
			return -EFAULT;
	} else {
		bool here = context.fpstate == place + FPU_OFFSET && got > (ssize_t)FPU_OFFSET;
		if (!load_fpu(task, context.fpstate, here ? (size_t)got - FPU_OFFSET : 0))
			return -EFAULT;
		if (ops->set_fpu(pf, frame.fpu, native.size) < 0)
			return -EFAULT;
	}
	regs->r8 = context.r8;
	regs->r9 = context.r9;
	regs->r10 = context.r10;
	regs->r11 = context.r11;
	regs->r12 = context.r12;
	regs->r13 = context.r13;
	regs->r14 = context.r14;
	regs->r15 = context.r15;
	regs->rdi = context.rdi;
	regs->rsi = context.rsi;
	regs->rbp = context.rbp;
	regs->rbx = context.rbx;
	regs->rdx = context.rdx;
	regs->rax = context.rax;
	regs->rcx = context.rcx;
	regs->rsp = context.rsp;
	regs->rip = context.rip;
	regs->eflags = (regs->eflags & ~RESTORABLE_FLAGS) | (context.eflags & RESTORABLE_FLAGS) | FIXED_FLAGS;
	regs->cs = USER_CS;
	regs->ss = USER_SS;
	regs->orig_rax = ~0ULL;
	task->sigmask = frame.sigmask & ~SIG_UNBLOCKABLE;
	/* As Linux: a bad uc_stack leaves the alternate stack alone. */
	(void)altstack_set(task, frame.stack_sp, frame.stack_flags, frame.stack_size, regs->rsp);
	return 0;
}
