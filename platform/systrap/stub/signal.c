/* Signals in a guest's process: a trapped call, a fault of the guest's, or the sentry's SIGURG.
 *
 * The handler never returns to guest code: it puts the guest's registers into the slot and leaves by `restore`.
 * Only what interrupted the stub itself goes back there, by rt_sigreturn.
 */
#include "stub.h"

#include <linux/audit.h>
#include <signal.h>
#include <sys/syscall.h>

#define SEIZED (SA_SIGINFO | SA_ONSTACK | SA_NODEFER | 0x04000000 /* SA_RESTORER */)
#define VSYSCALL_PAGE 0xffffffffff600000
#define TRAP_DEBUG 1 /* the x86 vector of a single step */

/* The kernel's struct ucontext of x86-64 (asm/ucontext.h, asm/sigcontext.h). */
struct frame {
	uint64_t flags, link, stack[3];
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2, fpstate;
};

struct action {
	void (*handler)(int, siginfo_t *, struct frame *);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

static bool within(uint64_t at, const char *start, const char *end)
{
	return at >= (uint64_t)start && at < (uint64_t)end;
}

static bool is_ours(uint64_t at)
{
	return at >= STUB_BASE && at < STUB_END;
}

static uint64_t word_at(uint64_t at)
{
	return *(const uint64_t *)at;
}

/* A trampoline was entered while %gs was not ours: make the trapped call of it that it stands for. */
static bool entered_in_vain(const struct frame *frame)
{
	return frame->rip >= STUB_TRAMPOLINES && frame->rip < STUB_TRAMPOLINES + TRAMPOLINES_SIZE &&
	       frame->rip % TRAMPOLINE_SIZE == 0;
}

/* SIGURG in a trampoline: true when the frame now is one of guest code. */
static bool step_out(struct slot *slot, struct frame *frame)
{
	if (frame->rip < STUB_TRAMPOLINES || frame->rip >= STUB_TRAMPOLINES + TRAMPOLINES_SIZE)
		return false;
	uint64_t start = frame->rip & ~(TRAMPOLINE_SIZE - 1UL), offset = frame->rip - start;
	int32_t fact = (int32_t)word_at(start + TRAMPOLINE_FACT);
	if (fact >= 0)
		frame->rax = *(const uint32_t *)(slot->facts_at + (uint64_t)fact);
	else if (offset < TRAMPOLINE_TAIL)
		return false;
	frame->rip = word_at(start + TRAMPOLINE_RIP);
	return true;
}

/* A signal that came while the stub ran: true when the handler is to return to it. */
static bool nested(struct slot *slot, int signo, struct frame *frame)
{
	if (signo == SIGURG) {
		if (step_out(slot, frame))
			return false;
		if (load(&slot->turn) == TURN_STUB)
			slot->kick = 1;
		if (within(frame->rip, fast_window, fast_window_end))
			frame->rip = (uint64_t)fast_window;
		else if (within(frame->rip, full_window, full_window_end))
			frame->rip = (uint64_t)full_window;
		return true;
	}
	if (signo == SIGTRAP && frame->trapno == TRAP_DEBUG)
		return true; /* the guest steps through its own code, which led here */
	if (within(frame->rip, copy_resume, copy_fault))
		frame->rip = (uint64_t)copy_fault;
	else if (frame->rip == (uint64_t)cmpxchg_access)
		frame->rip = (uint64_t)cmpxchg_fault;
	else if ((signo == SIGSEGV || signo == SIGBUS) && slot->escape) {
		frame->rdi = slot->escape;
		frame->rip = (uint64_t)clock_fault;
		slot->escape = 0;
	} else
		return false; /* a jump into the stub, or damage done to it: a fault as any other */
	return true;
}

static void keep(struct slot *slot, const struct frame *frame)
{
	struct pf_regs *regs = &slot->regs;
	regs->r15 = frame->r15, regs->r14 = frame->r14, regs->r13 = frame->r13, regs->r12 = frame->r12;
	regs->r11 = frame->r11, regs->r10 = frame->r10, regs->r9 = frame->r9, regs->r8 = frame->r8;
	regs->rbp = frame->rbp, regs->rbx = frame->rbx, regs->rax = frame->rax, regs->rcx = frame->rcx;
	regs->rdx = frame->rdx, regs->rsi = frame->rsi, regs->rdi = frame->rdi;
	regs->rip = frame->rip, regs->cs = frame->cs, regs->eflags = frame->eflags;
	regs->rsp = frame->rsp, regs->ss = frame->ss;
	__asm__ volatile("rdfsbase %0" : "=r"(regs->fs_base));
	__asm__ volatile("rdgsbase %0" : "=r"(regs->gs_base));
	if (regs->gs_base == (uint64_t)slot)
		regs->gs_base = 0;
	slot->fp = frame->fpstate;
}

static void keep_arguments(struct slot *slot)
{
	struct pf_regs *regs = &slot->regs;
	slot->args[0] = regs->rdi, slot->args[1] = regs->rsi, slot->args[2] = regs->rdx;
	slot->args[3] = regs->r10, slot->args[4] = regs->r8, slot->args[5] = regs->r9;
}

/* Does the code around a `syscall` that ended at rip look like what patch.c of the sentry can change, or has
 * changed since?  (Then it is for the sentry to say where the guest goes on.) */
static bool is_site(uint64_t rip)
{
	uint8_t code[13]; /* 7 before, 6 after */
	if (rip < 4096 || copy(code, (void *)(rip - 7), 7))
		return false;
	if (code[0] == 0xb8 || code[5] != 0x0f || code[6] != 0x05)
		return true;
	return !copy(code + 7, (void *)rip, 6) && code[7] == 0x48 && code[8] == 0x3d && code[10] == 0xf0 &&
	       code[11] == 0xff && code[12] == 0xff;
}

static uint32_t on_call(struct slot *slot, const siginfo_t *info, bool patching)
{
	uint32_t event = EVENT_SYSCALL | EVENT_SIGNAL;
	uint64_t at = (uint64_t)info->si_call_addr, number = slot->regs.rax;
	/* A call through [vsyscall] has been returned from already, with %rax gone.  And numbers that look like the
	 * host's restart codes have been taken for those: %rax and %rip changed. */
	if (at < VSYSCALL_PAGE)
		slot->regs.rip = at;
	if ((int32_t)number != info->si_syscall)
		number = (uint64_t)(int64_t)info->si_syscall;
	slot->number = number;
	keep_arguments(slot);
	if (info->si_arch != AUDIT_ARCH_X86_64)
		return event | EVENT_COMPAT;
	if (patching && is_site(slot->regs.rip))
		event |= EVENT_SITE;
	return event;
}

static void stub_signal(int signo, siginfo_t *info, struct frame *frame)
{
	struct slot *slot = (struct slot *)((uint64_t)__builtin_frame_address(0) & ~(SLOT_SIZE - 1UL));
	const struct world *world = (const struct world *)STUB_WORLD;
	bool inside = is_ours(frame->rip) || is_ours(frame->rsp), in_vain = signo == SIGSEGV && entered_in_vain(frame);
	if (inside && !in_vain && nested(slot, signo, frame))
		return;
	if (inside && within(frame->rip, full_window, full_window_end))
		slot->fp = 0; /* iretq refused what is in slot.regs: the guest's own fault, at its own address */
	else
		keep(slot, frame);
	uint32_t event = EVENT_FAULT;
	if (in_vain) {
		int32_t number = (int32_t)word_at(frame->rip + TRAMPOLINE_NUMBER);
		slot->number = number < 0 ? frame->rax : (uint64_t)number;
		slot->regs.rip = word_at(frame->rip + TRAMPOLINE_RIP);
		keep_arguments(slot);
		event = EVENT_SYSCALL | EVENT_SIGNAL;
	} else if (signo == SIGURG || info->si_code <= 0) {
		event = EVENT_INTERRUPTED;
	} else if (signo == SIGSYS) {
		event = on_call(slot, info, world->patch);
	} else {
		slot->signo = signo;
		slot->code = info->si_code;
		slot->addr = (uint64_t)info->si_addr;
		slot->error_code = frame->err;
		slot->trapno = frame->trapno;
	}
	if (event != (EVENT_SYSCALL | EVENT_SIGNAL) || !stub_answer(slot)) {
		slot->kick = 0;
		slot->word = event;
		slot->cpu = current_cpu();
		__atomic_exchange_n(&slot->turn, TURN_SENTRY, __ATOMIC_SEQ_CST);
		stub_wait(slot);
	} else {
		slot->word = ORDER_RESULT;
	}
	stub_leave(slot);
}

long catch_signals(void)
{
	static const int numbers[] = {SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGURG};
	struct action action;
	action.handler = stub_signal;
	action.flags = SEIZED;
	action.restorer = restorer;
	action.mask = 0;
	for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		long failed = host(SYS_rt_sigaction, numbers[i], (long)&action, 0, 8, 0, 0);
		if (failed)
			return failed;
	}
	return 0;
}

/* Signals of this thread come in on its slot's stack. */
long own_stack(struct slot *slot)
{
	stack_t stack;
	slot->facts_at = STUB_FACTS + ((uint64_t)slot - STUB_SLOTS) / SLOT_SIZE * FACTS_SIZE;
	stack.ss_sp = (char *)slot + SLOT_STACK;
	stack.ss_size = STACK_SIZE;
	stack.ss_flags = 0;
	long failed = call3(SYS_sigaltstack, (long)&stack, 0, 0);
	return failed == -1 /* EPERM: a forked child of slot 0 is on it already */ ? 0 : failed;
}
