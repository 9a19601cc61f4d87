/* The stubs' seccomp filter, inherited by all of them.
 *
 * A guest's system calls are taken by PTRACE_SYSEMU before seccomp sees them.  The filter is what stands
 * behind that: should one ever get through, it kills, unless it is one of the few calls that the stub makes,
 * from the stub's own page, with the arguments that the stub uses.
 */
#include "ptrace.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define DATA(field) ((unsigned)offsetof(struct seccomp_data, field))
#define LOAD(where) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (where))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define UNLESS_EQ(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(value), 0, (skip))
#define KILL RETURN(SECCOMP_RET_KILL_PROCESS)
#define ALLOW RETURN(SECCOMP_RET_ALLOW)

#define CALL(nr) UNLESS_EQ(nr, 1), ALLOW
/* ... only when the low half of argument `n` is `value` */
#define CALL_WITH(nr, n, value) UNLESS_EQ(nr, 4), LOAD(DATA(args[n])), UNLESS_EQ(value, 1), ALLOW, KILL
#define CALL_WITH_EITHER(nr, n, value, other) \
	UNLESS_EQ(nr, 6), LOAD(DATA(args[n])), UNLESS_EQ(value, 1), ALLOW, UNLESS_EQ(other, 1), ALLOW, KILL

static const struct sock_filter program[] = {
	LOAD(DATA(arch)),
	UNLESS_EQ(AUDIT_ARCH_X86_64, 1),
	BPF_STMT(BPF_JMP | BPF_JA, 1),
	KILL,
	/* From the [vsyscall] page (0xffffffffff600000): event.c makes a system call of it. */
	LOAD(DATA(instruction_pointer) + 4),
	UNLESS_EQ(0xffffffff, 1),
	RETURN(SECCOMP_RET_TRAP),
	UNLESS_EQ(STUB_BASE >> 32, 2),
	LOAD(DATA(instruction_pointer)),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (unsigned)STUB_BASE, 1, 0),
	KILL,
	BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (unsigned)(STUB_BASE + STUB_PAGE), 0, 1),
	KILL,
	LOAD(DATA(nr)),
	CALL(SYS_mmap),
	CALL(SYS_munmap),
	CALL(SYS_mprotect),
	CALL(SYS_mremap),
	CALL(SYS_madvise),
	CALL(SYS_msync),
	CALL_WITH_EITHER(SYS_clone, 0, NEW_SPACE, NEW_THREAD),
	CALL_WITH(SYS_recvmsg, 0, STUB_SOCKET),
	CALL_WITH(SYS_close, 0, STUB_RECEIVED),
	CALL(SYS_exit),
	KILL,
};

int filter_install(struct thread *thread)
{
	struct sock_fprog head = {
		.len = sizeof program / sizeof program[0],
		.filter = (struct sock_filter *)(STUB_DATA + sizeof head),
	};
	struct iovec from[2] = {{&head, sizeof head}, {(void *)program, sizeof program}};
	struct iovec to = {(void *)STUB_DATA, sizeof head + sizeof program};
	if (process_vm_writev(thread->base.host_tid, from, 2, &to, 1, 0) != (ssize_t)to.iov_len)
		return -EFAULT;
	/* SPEC_ALLOW: the guest is isolated by its process; it would only run slower. */
	return (int)inject_call(thread, SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
				STUB_DATA, 0, 0, 0);
}
