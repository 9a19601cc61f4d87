/* A stop of a host thread, as ptrace(2) tells it -> an event of the contract. */
#include "ptrace.h"

#include <linux/audit.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define SYSCALL_STOP (SIGTRAP | 0x80) /* PTRACE_O_TRACESYSGOOD */
#define VSYSCALL_PAGE 0xffffffffff600000ULL
#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

/* The vector that Linux turned into this signal, as far as it can be told (arch/x86/kernel/traps.c). */
static int vector_of(int signo, int code)
{
	switch (signo) {
	case SIGSEGV:
		return code == SI_KERNEL ? 13 : code == SEGV_BNDERR ? 5 : 14;
	case SIGBUS:
		return code == BUS_ADRALN ? 17 : code == SI_KERNEL ? 12 : code >= BUS_MCEERR_AR ? 18 : 14;
	case SIGFPE:
		return code == FPE_INTDIV ? 0 : 19;
	case SIGTRAP:
		return code == SI_KERNEL ? 3 : 1;
	default:
		return 6;
	}
}

static bool raised_by_cpu(int signo)
{
	return signo == SIGSEGV || signo == SIGBUS || signo == SIGFPE || signo == SIGILL || signo == SIGTRAP;
}

static void classify_signal(struct thread *thread, int signo, struct pf_event *event)
{
	siginfo_t info = {0};
	event->kind = PF_INTERRUPTED;
	if ((!raised_by_cpu(signo) && signo != SIGSYS) ||
	    ptrace(PTRACE_GETSIGINFO, thread->base.host_tid, 0, &info) < 0 || info.si_code <= 0)
		return; /* sent by kill(2) from outside: dropped */
	if (signo == SIGSYS) {
		/* A call through the [vsyscall] page is no system call for ptrace, but it is for seccomp:
		 * our filter traps it and the kernel has returned to the caller already. */
		if (info.si_code == SYS_SECCOMP &&
		    ((uint64_t)info.si_call_addr & ~0xfffULL) == VSYSCALL_PAGE) {
			event->kind = PF_SYSCALL;
			thread->base.regs.orig_rax = (uint64_t)(unsigned)info.si_syscall;
		}
		return;
	}
	event->kind = PF_FAULT;
	event->signo = signo;
	event->code = info.si_code;
	event->addr = (uint64_t)info.si_addr;
	event->trapno = vector_of(signo, info.si_code);
}

/* SYSCALL leaves %rip in %rcx and the flags in %r11; a guest that fakes this before an int 0x80 gets its
 * call read as a 64-bit one, which is as good as any. */
static bool entered_by_int80(struct thread *thread)
{
	struct pf_regs *regs = &thread->base.regs;
	struct __ptrace_syscall_info info;
	if (regs->rcx == regs->rip && regs->r11 == regs->eflags)
		return false;
	return ptrace(PTRACE_GET_SYSCALL_INFO, thread->base.host_tid, sizeof info, &info) >= 0 &&
	       info.arch == AUDIT_ARCH_I386;
}

bool event_of_stop(struct thread *thread, int status, struct pf_event *event)
{
	struct pf_regs *regs = &thread->base.regs;
	int signo = WSTOPSIG(status);
	if (ptrace(PTRACE_GETREGS, thread->base.host_tid, 0, regs) < 0)
		return false; /* killed since; its death is yet to be waited for */
	thread->fetched = *regs;
	thread->stale = false;
	thread->base.compat = false;
	thread->base.running = false;
	event->ctx = &thread->base;
	if (signo == SYSCALL_STOP) {
		event->kind = PF_SYSCALL;
		thread->base.compat = entered_by_int80(thread);
	} else if (status >> 16) {
		event->kind = PF_INTERRUPTED; /* PTRACE_EVENT_STOP */
	} else {
		classify_signal(thread, signo, event);
	}
	return true;
}
