/* The stub's ways in and out, where every register is the guest's.
 *
 * A guest comes in by a signal (signal.c: stub_signal) or, from a patched call site, by `trampoline`; it leaves by
 * `restore`, which loads all registers from the slot, or from `trampoline` itself when only %rax changes.
 *
 * SIGURG says that the sentry wants the guest back.  When it comes while the stub runs, its handler only notes
 * that in slot.kick, which is looked at last thing before the guest goes on.  Between that look and the guest
 * lie a few instructions, the windows: a handler that finds itself in one has it begin again.
 */
#include "shared.h"

	.text
	.globl	stub_start, trampoline, restore, restorer, copy, copy_fault, copy_resume, host, cmpxchg, cmpxchg_fault
	.globl	fast_window, fast_window_end, full_window, full_window_end, clone_thread, clone_process, start_on, xsave, xrstor
	.globl	cmpxchg_access

	.hidden	copy_resume, copy_fault, cmpxchg_access, cmpxchg_fault, restorer
	.hidden	fast_window, fast_window_end, full_window, full_window_end

	.text
stub_start:
	mov	%rsp, %rdi
	and	$-16, %rsp
	call	stub_main
	ud2

	.section .text.start, "ax"		/* at STUB_BASE */
/* From a call site: %rsp is in slot.rsp, %rax the number, %rcx the address behind the call as the sentry is to
 * see it, %r11 where to go on.  %gs is the slot. */
	.balign	64
trampoline:
	rdgsbase %rsp
	lea	SLOT_SIZE - 64(%rsp), %rsp
	pushfq
	mov	%rax, %gs:SLOT_NUMBER
	mov	%rdi, %gs:SLOT_ARGS
	mov	%rsi, %gs:SLOT_ARGS + 8
	mov	%rdx, %gs:SLOT_ARGS + 16
	mov	%r10, %gs:SLOT_ARGS + 24
	mov	%r8, %gs:SLOT_ARGS + 32
	mov	%r9, %gs:SLOT_ARGS + 40
	mov	%r11, %gs:SLOT_TARGET
	mov	%rcx, %gs:SLOT_REGS + REGS_RIP
	mov	%rcx, %gs:SLOT_REGS + REGS_RCX
	mov	(%rsp), %rcx
	mov	%rcx, %gs:SLOT_REGS + REGS_EFLAGS
	mov	%rcx, %gs:SLOT_REGS + REGS_R11
	mov	%gs:SLOT_RSP, %rcx
	mov	%rcx, %gs:SLOT_REGS + REGS_RSP
	mov	%rbx, %gs:SLOT_REGS + REGS_RBX
	mov	%rbp, %gs:SLOT_REGS + REGS_RBP
	mov	%r12, %gs:SLOT_REGS + REGS_R12
	mov	%r13, %gs:SLOT_REGS + REGS_R13
	mov	%r14, %gs:SLOT_REGS + REGS_R14
	mov	%r15, %gs:SLOT_REGS + REGS_R15
	mov	%rdi, %gs:SLOT_REGS + REGS_RDI
	mov	%rsi, %gs:SLOT_REGS + REGS_RSI
	mov	%rdx, %gs:SLOT_REGS + REGS_RDX
	mov	%r10, %gs:SLOT_REGS + REGS_R10
	mov	%r9, %gs:SLOT_REGS + REGS_R9
	mov	%r8, %gs:SLOT_REGS + REGS_R8
	rdfsbase %rcx
	mov	%rcx, %gs:SLOT_REGS + REGS_FS_BASE
	movq	$0, %gs:SLOT_FP			/* the FP state stays where it is */
	cmp	$228, %rax
	ja	1f
	lea	answered(%rip), %rcx		/* calls that stub_answer may know the result of */
	cmpb	$0, (%rcx, %rax)
	jne	2f
1:	movl	$0, %gs:SLOT_KICK		/* an event it is */
	movl	$EVENT_SYSCALL, %gs:SLOT_WORD
	mov	$CPU_SELECTOR, %ecx
	lsl	%ecx, %ecx
	and	$0xfff, %ecx
	mov	%ecx, %gs:SLOT_CPU
	movabs	$STUB_WORLD, %r11
	mov	$TURN_SENTRY, %eax
	xchg	%eax, %gs:SLOT_TURN		/* a full barrier: `asleep` is read after this */
	cmpl	$0, WORLD_ASLEEP(%r11)
	jne	4f
	cmp	WORLD_CPU(%r11), %ecx
	je	4f
	mov	WORLD_SPIN(%r11), %ecx
3:	cmpl	$TURN_SENTRY, %gs:SLOT_TURN
	jne	5f
	pause
	dec	%ecx
	jns	3b
4:	mov	%rsp, %rdi
	and	$-SLOT_SIZE, %rdi
	cld
	call	stub_wait			/* returns when the guest is to go on */
	cmpl	$ORDER_RESULT, %gs:SLOT_WORD
	jne	6f
	jmp	7f
5:	cmpl	$TURN_STUB, %gs:SLOT_TURN	/* or it is to sleep */
	jne	4b
	cmpl	$ORDER_RESULT, %gs:SLOT_WORD
	jne	4b
	jmp	8f				/* the other registers are as they were */
2:	mov	%rsp, %rdi
	and	$-SLOT_SIZE, %rdi
	cld
	call	stub_answer
	test	%eax, %eax
	mov	%gs:SLOT_NUMBER, %rax
	jz	1b
7:	mov	%gs:SLOT_REGS + REGS_RDI, %rdi
	mov	%gs:SLOT_REGS + REGS_RSI, %rsi
	mov	%gs:SLOT_REGS + REGS_RDX, %rdx
	mov	%gs:SLOT_REGS + REGS_R10, %r10
	mov	%gs:SLOT_REGS + REGS_R9, %r9
	mov	%gs:SLOT_REGS + REGS_R8, %r8
8:	mov	%gs:SLOT_NUMBER, %rax
	mov	%rax, %gs:SLOT_REGS + REGS_RAX
	mov	%gs:SLOT_REGS + REGS_RIP, %rcx	/* as the instruction leaves them */
	mov	%gs:SLOT_REGS + REGS_EFLAGS, %r11
fast_window:
	cmpl	$0, %gs:SLOT_KICK
	jne	9f
	rdgsbase %rsp
	lea	SLOT_SIZE - 72(%rsp), %rsp
	popfq
	mov	%gs:SLOT_RSP, %rsp
	jmp	*%gs:SLOT_TARGET
fast_window_end:
9:	rdgsbase %rdi
	lea	SLOT_SIZE - 128(%rdi), %rsp
	cld
	call	stub_kicked			/* with slot.regs as they are: does not return */
	ud2
6:	mov	%rsp, %rdi
	and	$-SLOT_SIZE, %rdi
	jmp	stub_leave
	.text

	.section .rodata
	.macro	answer nr
	.org	answered + \nr
	.byte	1
	.endm
answered:
	answer	14				/* rt_sigprocmask */
	answer	24				/* sched_yield */
	answer	39				/* getpid */
	answer	102				/* getuid */
	answer	104				/* getgid */
	answer	107				/* geteuid */
	answer	108				/* getegid */
	answer	110				/* getppid */
	answer	186				/* gettid */
	answer	228				/* clock_gettime */
	.text

/* In: %rdi the slot.  The guest goes on with slot.regs; FP state and segment bases are in place. */
	.balign	16
restore:
	mov	SLOT_REGS + REGS_R15(%rdi), %r15
	mov	SLOT_REGS + REGS_R14(%rdi), %r14
	mov	SLOT_REGS + REGS_R13(%rdi), %r13
	mov	SLOT_REGS + REGS_R12(%rdi), %r12
	mov	SLOT_REGS + REGS_RBP(%rdi), %rbp
	mov	SLOT_REGS + REGS_RBX(%rdi), %rbx
	mov	SLOT_REGS + REGS_R11(%rdi), %r11
	mov	SLOT_REGS + REGS_R10(%rdi), %r10
	mov	SLOT_REGS + REGS_R9(%rdi), %r9
	mov	SLOT_REGS + REGS_R8(%rdi), %r8
	mov	SLOT_REGS + REGS_RAX(%rdi), %rax
	mov	SLOT_REGS + REGS_RCX(%rdi), %rcx
	mov	SLOT_REGS + REGS_RDX(%rdi), %rdx
	mov	SLOT_REGS + REGS_RSI(%rdi), %rsi
	lea	SLOT_REGS + REGS_RIP(%rdi), %rsp	/* rip, cs, eflags, rsp, ss: what iretq takes */
	mov	SLOT_REGS + REGS_RDI(%rdi), %rdi
full_window:
	cmpl	$0, SLOT_KICK - SLOT_REGS - REGS_RIP(%rsp)
	jne	1f
	iretq
full_window_end:
1:	lea	-SLOT_REGS - REGS_RIP(%rsp), %rdi
	lea	SLOT_SIZE - 128(%rdi), %rsp
	cld
	call	stub_kicked
	ud2

	.balign	16
restorer:
	mov	$15, %eax			/* rt_sigreturn */
	syscall

/* long host(long nr, a, b, c, d, e, f): a host call.  The seventh argument is on the stack. */
	.balign	16
host:
	mov	%rdi, %rax
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	mov	%rcx, %rdx
	mov	%r8, %r10
	mov	%r9, %r8
	mov	8(%rsp), %r9
	syscall
	ret

/* size_t copy(void *to, const void *from, size_t count): bytes not copied.  A fault between the labels ends it. */
	.balign	16
copy:
	mov	%rdx, %rcx
copy_resume:
	rep movsb
copy_fault:
	mov	%rcx, %rax
	ret

/* long cmpxchg(uint32_t *word, uint32_t expect, uint32_t desired): what was seen, -1 after a fault */
cmpxchg:
	mov	%esi, %eax
cmpxchg_access:
	lock cmpxchg %edx, (%rdi)
	mov	%eax, %eax
	ret
cmpxchg_fault:
	mov	$-1, %rax
	ret

xsave:
	mov	$-1, %eax
	mov	%eax, %edx
	xsave64	(%rdi)
	ret

xrstor:
	mov	$-1, %eax
	mov	%eax, %edx
	xrstor64 (%rdi)
	ret

start_on:
	lea	SLOT_SIZE - 64(%rdi), %rsp
	call	*%rsi
	ud2

/* long clone_thread(unsigned long flags, struct slot *slot): the new thread's id */
clone_thread:
	push	%r12
	mov	%rsi, %r12
	lea	SLOT_ALIVE(%rsi), %r10
	xor	%esi, %esi
	xor	%edx, %edx
	xor	%r8d, %r8d
	mov	$56, %eax
	syscall
	test	%rax, %rax
	jz	1f
	pop	%r12
	ret
1:	lea	SLOT_SIZE - 64(%r12), %rsp	/* its own stack, before anything else */
	mov	%r12, %rdi
	call	thread_main
	ud2

/* long clone_process(unsigned long flags, uint64_t facts offset, int parent): the new process's id.  The child
 * sees its parent's slots until it has mapped its own over them: nothing on the stack, until then. */
clone_process:
	push	%r12
	push	%r13
	mov	%rsi, %r12
	mov	%edx, %r13d
	xor	%esi, %esi
	xor	%edx, %edx
	xor	%r10d, %r10d
	xor	%r8d, %r8d
	mov	$56, %eax
	syscall
	test	%rax, %rax
	jz	1f
	pop	%r13
	pop	%r12
	ret
1:	movabs	$STUB_SLOTS, %rdi
	mov	$WINDOW_SIZE, %esi
	mov	$3, %edx			/* PROT_READ | PROT_WRITE */
	mov	$0x11, %r10d			/* MAP_SHARED | MAP_FIXED */
	mov	$STUB_RECEIVED + 1, %r8d
	xor	%r9d, %r9d
	mov	$9, %eax
	syscall
	cmp	%rdi, %rax
	jne	2f
	movabs	$STUB_SLOTS + SLOT_SIZE - 64, %rsp
	mov	%r12, %rdi
	mov	%r13d, %esi
	call	process_main
2:	ud2
	.section .note.GNU-stack, "", @progbits
