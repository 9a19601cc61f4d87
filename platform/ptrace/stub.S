/* The stub: all the code of ours that a guest's process ever holds.
 *
 * BUILD: gcc -nostdlib -static -s -Wl,-z,noseparate-code,-z,noexecstack,--build-id=none -o stub.elf stub.S
 * (in this folder; the output platform/ptrace/stub.elf is package data).
 *
 * Freestanding, no stack, no libc.  `_start` copies the code page to STUB_BASE, waits until the tracer holds
 * it, and traps there.  From then on it only runs what the tracer makes it run, one routine at a time: each
 * ends in the int3 at STUB_TRAP with its result in %rax.
 */
#include <asm/unistd.h>

#include "stub.h"

#define PROT_RW 3
#define PROT_RX 5
#define MAP_FLAGS 0x100022 /* MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE */
#define MSG_DONTWAIT 0x40
#define MSG_CMSG_CLOEXEC 0x40000000

	.text
	.globl	_start
_start:
	mov	%rsp, %rbx			/* for the tracer: the auxiliary vector is up there */
	movabs	$STUB_BASE, %rdi
	mov	$(STUB_END - STUB_BASE), %esi
	mov	$PROT_RW, %edx
	mov	$MAP_FLAGS, %r10d
	mov	$-1, %r8
	xor	%r9d, %r9d
	mov	$__NR_mmap, %eax
	syscall
	cmp	%rdi, %rax			/* taken already by the stack or the vDSO: bad luck, */
	jne	fail				/* the tracer tries once more */

	lea	page(%rip), %rsi
	mov	$(page_end - page), %ecx
	cld
	rep movsb

	movabs	$STUB_BASE, %rdi
	mov	$STUB_PAGE, %esi
	mov	$PROT_RX, %edx
	mov	$__NR_mprotect, %eax
	syscall
	test	%rax, %rax
	jnz	fail

	mov	$STUB_SOCKET, %edi		/* one byte when the tracer has seized us; end of file */
	lea	-128(%rsp), %rsi		/* when it died */
	mov	$1, %edx
	xor	%eax, %eax			/* __NR_read */
	syscall
	cmp	$1, %rax
	jne	fail
	movabs	$(STUB_BASE + STUB_TRAP), %rax
	jmp	*%rax

fail:
	mov	$1, %edi
	mov	$__NR_exit_group, %eax
	syscall
	ud2

/* ---- what is copied; position-independent ---- */
page:
	.org	page + STUB_CALL, 0xcc
	syscall
	.org	page + STUB_TRAP, 0xcc
trap:
	int3
	jmp	trap

/* In: %r12 address, %r13 length, %r14 prot, %r10 flags, %r9 offset.  The message header is made afresh
 * each time, as guest threads may scribble on it; whatever they do, the received descriptor has the number
 * STUB_RECEIVED or there is none, and it is closed.  A call that fails before the message is taken leaves
 * it to the tracer to drain. */
	.org	page + STUB_MAP, 0xcc
	movabs	$STUB_DATA, %rsi		/* msghdr at +0, iovec +64, control +96, byte +128 */
	xor	%eax, %eax
	mov	%rax, 0(%rsi)			/* msg_name */
	mov	%rax, 8(%rsi)			/* msg_namelen */
	mov	%rax, 48(%rsi)			/* msg_flags */
	lea	64(%rsi), %rax
	mov	%rax, 16(%rsi)			/* msg_iov */
	movq	$1, 24(%rsi)			/* msg_iovlen */
	lea	96(%rsi), %rax
	mov	%rax, 32(%rsi)			/* msg_control */
	movq	$24, 40(%rsi)			/* msg_controllen: one int */
	lea	128(%rsi), %rax
	mov	%rax, 64(%rsi)			/* iov_base */
	movq	$1, 72(%rsi)			/* iov_len */
	mov	$STUB_SOCKET, %edi
	mov	$(MSG_DONTWAIT | MSG_CMSG_CLOEXEC), %edx
	mov	$__NR_recvmsg, %eax
	syscall
	cmp	$1, %rax
	jne	1f
	mov	%r12, %rdi
	mov	%r13, %rsi
	mov	%r14, %rdx
	mov	$STUB_RECEIVED, %r8d
	mov	$__NR_mmap, %eax
	syscall
1:	mov	%rax, %rbx
	mov	$STUB_RECEIVED, %edi
	mov	$__NR_close, %eax
	syscall
	mov	%rbx, %rax
	jmp	trap

	.org	page + STUB_CMPXCHG, 0xcc
	lock cmpxchg %ecx, (%rdi)
	jmp	trap
page_end:
	.section .note.GNU-stack, "", @progbits
