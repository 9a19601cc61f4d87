/* The stubs' seccomp filter, inherited by all of them.
 *
 * A guest's system call, by whatever instruction, raises SIGSYS.  Only calls made from the stub's text are
 * looked at closer: the few that the stub makes, with arguments as narrow as can be, and death for all others.
 * A guest can jump there, or put code of its own in the stub's place: so what is allowed must do no harm to
 * anybody else, whoever makes it.  Processes and threads are born only when we have ordered that.  Descriptors
 * that a stub does not hold can't be used, memory of others can't be reached, and files can only be mapped
 * while the sentry hands one over.
 */
#include "systrap.h"
#include "bpf.h"

#include <linux/audit.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static const struct sock_filter program[] = {
	LOAD(DATA(arch)),
	UNLESS_EQ(AUDIT_ARCH_X86_64, 5),
	LOAD(DATA(instruction_pointer) + 4),
	UNLESS_EQ(STUB_BASE >> 32, 3),
	LOAD(DATA(instruction_pointer)),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (unsigned)STUB_BASE, 0, 1),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (unsigned)(STUB_BASE + STUB_TEXT), 0, 1),
	TRAP,
	LOAD(DATA(nr)),
	CALL_WITH_EITHER(SYS_futex, 1, FUTEX_WAIT, FUTEX_WAKE),
	CALL_WITH(SYS_write, 0, STUB_BELL),
	CALL(SYS_rt_sigreturn),
	CALL(SYS_mmap),
	CALL(SYS_munmap),
	CALL(SYS_mprotect),
	CALL(SYS_madvise),
	/* of what is the guest's, or it could widen its window on what we tell others */
	UNLESS_EQ(SYS_mremap, 8),
	LOAD(DATA(args[0]) + 4),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (unsigned)(STUB_BASE >> 32), 0, 4),
	UNLESS_EQ(STUB_BASE >> 32, 4),
	LOAD(DATA(args[0])),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (unsigned)STUB_BASE, 2, 1),
	KILL,
	ALLOW,
	KILL,
	CALL(SYS_msync),
	CALL(SYS_sched_yield),
	CALL(SYS_rseq), /* of the guest's memory, which it may have written to, or break its own process */
	CALL_WITH(SYS_recvmsg, 0, STUB_SOCKET),
	/* Nobody but us may make processes: each time, birth.c is asked. */
	UNLESS_EQ(SYS_clone, 6),
	LOAD(DATA(args[0])),
	UNLESS_EQ(NEW_SPACE | SIGCHLD, 1),
	RETURN(SECCOMP_RET_USER_NOTIF),
	UNLESS_EQ(NEW_THREAD, 1),
	RETURN(SECCOMP_RET_USER_NOTIF),
	KILL,
	CALL(SYS_sigaltstack),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close, 0, 5),
	LOAD(DATA(args[0])),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, STUB_RECEIVED, 0, 2),
	BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, STUB_RECEIVED + 2, 1, 0),
	ALLOW,
	KILL,
	UNLESS_EQ(SYS_dup2, 6),
	LOAD(DATA(args[0])),
	UNLESS_EQ(STUB_RECEIVED, 3),
	LOAD(DATA(args[1])),
	UNLESS_EQ(STUB_SOCKET, 1),
	ALLOW,
	KILL,
	UNLESS_EQ(SYS_prctl, 6),
	LOAD(DATA(args[0])),
	UNLESS_EQ(PR_SET_PDEATHSIG, 3),
	LOAD(DATA(args[1])),
	UNLESS_EQ(SIGKILL, 1),
	ALLOW,
	KILL,
	CALL(SYS_getppid),
	CALL(SYS_exit),
	KILL,
};

int filter_install(struct thread *thread)
{
	uint64_t at = STUB_SLOTS + SLOT_DATA;
	uint8_t *data = (uint8_t *)thread->slot + SLOT_DATA;
	struct sock_fprog head = {
		.len = sizeof program / sizeof program[0],
		.filter = (struct sock_filter *)(at + sizeof head),
	};
	memcpy(data, &head, sizeof head);
	memcpy(data + sizeof head, program, sizeof program);
	/* SPEC_ALLOW: the guest is isolated by its process; it would only run slower. */
	int64_t theirs = stub_call(thread, SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				   SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_NEW_LISTENER, at, 0, 0, 0);
	return theirs < 0 ? (int)theirs : birth_attend(thread, (int)theirs);
}
