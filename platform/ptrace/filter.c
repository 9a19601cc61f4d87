/* The stubs' seccomp filter, inherited by all of them.
 *
 * A guest's system calls are taken by PTRACE_SYSEMU before seccomp sees them.  The filter is what stands
 * behind that: should one ever get through, it kills, unless it is one of the few calls that the stub makes,
 * from the stub's own page, with the arguments that the stub uses.
 */
#include "ptrace.h"
#include "bpf.h"

#include <linux/audit.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/uio.h>

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
	CALL(SYS_rseq),
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
