/* The platform contract, C half.
 *
 * A platform turns address spaces and threads of the guest into events.  A back-end
 * (ptrace, systrap, kvm) fills one `struct pf_ops` and exports it in a PyCapsule named
 * PF_CAPSULE; the dispatcher drives it without going through Python.  It knows nothing of
 * the kernel: no tasks, no files, no signals beyond their numbers.
 *
 * Rules that every back-end keeps:
 *  - One host thread (the caller of `init`) makes every call, except `kick`.
 *  - Errors are returned as -errno of the host call, never through `errno`.
 *  - The guest decides nothing: addresses in [PF_GUEST_END, ...) belong to the stub and are
 *    refused (-EFAULT/-EINVAL) in `read`, `write`, `map`, ...
 *  - A context is either *stopped* (its registers are ours) or *running*.  It becomes running by
 *    `resume` and stopped by the event that `wait` reports for it.
 *  - Calls that change an address space are carried out by one stopped context of it (`ctx`),
 *    which still is stopped, with its registers untouched, when they return.
 *  - When the sentry dies, by whatever cause, all its stubs die.
 */
#ifndef RUNSC_PLATFORM_H
#define RUNSC_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PF_ABI 1
#define PF_CAPSULE "runsc.platform.ops"

/* The guest owns [PF_GUEST_START, PF_GUEST_END); the stub lives above it. */
#define PF_GUEST_START 0x10000ULL
#define PF_GUEST_END 0x7fff80000000ULL
#define PF_STUB_BASE 0x7fff80000000ULL

/* The general registers in the order of struct user_regs_struct (sys/user.h). */
struct pf_regs {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	uint64_t rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs, eflags, rsp, ss;
	uint64_t fs_base, gs_base, ds, es, fs, gs;
};

enum pf_kind {
	PF_NONE,	/* kicked, or `block` was false and nothing had happened */
	PF_SYSCALL,	/* regs.orig_rax is the number; rip is behind the instruction, two bytes before
			 * it the call is made again (wherever the guest was really trapped) */
	PF_FAULT,	/* the CPU raised signo/code at addr; rip is at the instruction */
	PF_INTERRUPTED, /* `interrupt` took effect (or spuriously): registers as the guest left them */
	PF_GONE,	/* the host thread is dead: killed from outside, the host ran out of memory, or its guest
			 * has broken what the host needs of it (`rseq`) */
};

struct pf_space;

/* One guest thread.  Allocated by the back-end, which embeds it at the head of its own record. */
struct pf_context {
	struct pf_regs regs; /* valid while stopped; a change is passed on by `resume` */
	struct pf_space *space;
	void *owner;	     /* for the dispatcher alone */
	int host_tid;	     /* 0 where a back-end has no such thing */
	bool running;
	bool compat;	     /* the PF_SYSCALL came by int 0x80 (32-bit entry) */
	bool partial;	     /* of regs only orig_rax, the six arguments (rdi, rsi, rdx, r10, r8, r9) and rax are
			      * valid, and only rax may be changed, until `complete` has fetched the rest */
};

/* One guest address space.  Embedded likewise. */
struct pf_space {
	int nthreads; /* contexts alive in it */
	int host_pid;
};

struct pf_event {
	enum pf_kind kind;
	struct pf_context *ctx;
	int signo, code; /* PF_FAULT: siginfo's si_signo and si_code; PF_GONE: what killed it */
	uint64_t addr;	 /* PF_FAULT: si_addr */
	bool site;	     /* PF_SYSCALL: it came from code that `patch` could change */
	uint64_t error_code; /* PF_FAULT: the x86 page-fault error code where known, else 0 */
	int trapno;	     /* PF_FAULT: the x86 vector where known (14 = page fault) */
};

/* What a task may know of itself without asking: a back-end whose stubs answer such calls by themselves keeps
 * this where the guest can't write. */
struct pf_facts {
	int32_t pid, tid, ppid;
	uint32_t uid, euid, gid, egid;
	uint64_t sigmask;
};

/* What `patch` may do to the code of a space. */
enum pf_patches {
	PF_PATCH_ANY,	 /* all it can */
	PF_PATCH_ASKING, /* every call of a patched site gives an event, whatever has been published */
	PF_PATCH_NONE,	 /* nothing: the code is as the guest has it, for whoever looks at it */
};

/* What a thread has registered by rseq(2). */
struct pf_rseq {
	uint64_t addr; /* 0: nothing */
	uint32_t len, sig;
	bool shared; /* in memory that other spaces may change: not private and anonymous */
};

struct pf_iov {
	uint64_t base;
	size_t len;
};

struct pf_ops {
	int abi; /* PF_ABI */
	const char *name;

	/* Called once, before the sentry drops its privileges: starts what needs them (the template stub).
	 * `stub_fd` is an open descriptor of the stub program.  The caller is in the user and PID
	 * namespaces, and has the uids, that it will keep: a stub has no capabilities, and what is no
	 * longer the same user could not reach its memory.  SIGURG belongs to the back-end from now on.
	 * 0 or -errno. */
	int (*init)(int stub_fd);
	/* Kill and reap every stub.  Contexts stay, dead, until `thread_end`. */
	void (*shutdown)(void);

	/* The next event.  With `block` false it never waits.  PF_NONE also when a signal handler of the
	 * caller's ran meanwhile, and now and then for nothing.  Returns 0 or -errno (-ECHILD: no context
	 * exists). */
	int (*wait)(struct pf_event *event, bool block);
	/* Let a stopped context run guest code until its next event. */
	int (*resume)(struct pf_context *ctx);
	/* Do now what `resume` may put off until the next `wait`; NULL: it puts nothing off.  To be called before
	 * something that takes long. */
	void (*flush)(void);
	/* Fetch the registers that a `partial` context still lacks; NULL: the back-end always gives all. */
	void (*complete)(struct pf_context *ctx);
	/* Stop a running context soon: it will report some event, PF_INTERRUPTED if no other. */
	int (*interrupt)(struct pf_context *ctx);
	/* Have `wait` return PF_NONE if it blocks now or the next time it would: the only call that
	 * other threads and signal handlers may make.  A kick is never lost. */
	void (*kick)(void);

	/* A new address space with one stopped context, its registers zero but for segments and flags.
	 * Nothing is mapped in it but the host's [vvar] and [vdso], where `vdso` says. */
	int (*space_new)(struct pf_context **ctx);
	/* Copy ctx's address space (private memory copy-on-write, shared memory shared), with one stopped
	 * context whose registers, FP/vector state included, are those of ctx. */
	int (*space_fork)(struct pf_context *ctx, struct pf_context **child);
	/* One more stopped context in ctx's address space, registers copied likewise. */
	int (*thread_new)(struct pf_context *ctx, struct pf_context **thread);
	/* End a stopped context; the last one of a space destroys the space.  Frees ctx. */
	void (*thread_end)(struct pf_context *ctx);
	/* Where the host's [vvar] and [vdso] (from its ELF header) are mapped in every space, within the
	 * guest's part; all 0 when they are not. */
	void (*vdso)(uint64_t *vvar_start, uint64_t *vdso_start, uint64_t *vdso_end);

	/* The memory of ctx's address space.  Bytes copied (short when a later page is not accessible), or
	 * -EFAULT when none was.  Protection is honoured: a write to a read-only page faults.
	 * ctx may be running (another task looks at its memory).  If it is stopped in a call, a back-end may
	 * answer a read from a copy of the call's arguments that it has been handed along with it. */
	ssize_t (*read)(struct pf_context *ctx, uint64_t addr, void *buf, size_t len);
	ssize_t (*write)(struct pf_context *ctx, uint64_t addr, const void *buf, size_t len);
	/* The same, scattered on the guest's side; iovcnt <= 1024. */
	ssize_t (*readv)(struct pf_context *ctx, const struct pf_iov *iov, int iovcnt, void *buf, size_t len);
	ssize_t (*writev)(struct pf_context *ctx, const struct pf_iov *iov, int iovcnt, const void *buf,
			  size_t len);
	/* Atomic compare-and-swap of an aligned 32-bit guest word: 0 with *seen the value found (swapped if
	 * equal to `expect`), or -EFAULT. */
	int (*cmpxchg)(struct pf_context *ctx, uint64_t addr, uint32_t expect, uint32_t desired,
		       uint32_t *seen);

	/* Address-space work, as mmap(2), ... with MAP_FIXED; `fd` is the sentry's descriptor or -1, and
	 * the stub keeps none of it.  0 or -errno. */
	int (*map)(struct pf_context *ctx, uint64_t addr, size_t len, int prot, int flags, int fd,
		   off_t offset);
	int (*unmap)(struct pf_context *ctx, uint64_t addr, size_t len);
	int (*protect)(struct pf_context *ctx, uint64_t addr, size_t len, int prot);
	/* mremap(old, old_len, new_len, MREMAP_MAYMOVE|MREMAP_FIXED|flags, new) */
	int (*remap)(struct pf_context *ctx, uint64_t old, size_t old_len, size_t new_len, int flags,
		     uint64_t target);
	int (*advise)(struct pf_context *ctx, uint64_t addr, size_t len, int advice);
	int (*sync)(struct pf_context *ctx, uint64_t addr, size_t len, int flags);

	/* FP/vector state in XSAVE's standard format, for signal frames. get: bytes written or -errno.
	 * set: `size` is fpu_size(); a state that the CPU would refuse is refused. */
	ssize_t (*get_fpu)(struct pf_context *ctx, void *buf, size_t size);
	int (*set_fpu)(struct pf_context *ctx, const void *buf, size_t size);
	/* Have calls that only ask for these facts answered without an event; NULL: not done here.  Without facts
	 * every call of the thread gives an event again. */
	void (*publish)(struct pf_context *ctx, const struct pf_facts *facts);
	/* The call that ctx is stopped in came from a `site`: change that code, which the guest can't write and
	 * shares with no other space, so that its next call costs less; the event it gives stays the same.
	 * NULL: not done here. */
	void (*patch)(struct pf_context *ctx);
	/* Set a limit to that in the space of a stopped context, which lasts until PF_PATCH_ANY lifts it (a lower one
	 * does not), and undo what is beyond it.  A fork inherits it.  NULL: there is no `patch`. */
	void (*limit_patches)(struct pf_context *ctx, enum pf_patches limit);
	/* Let ctx, running or not, run on these CPUs only: a mask as of sched_setaffinity(2), of `size` bytes; 0: on
	 * any.  A new context, forked ones included, may use any. */
	void (*confine)(struct pf_context *ctx, const void *mask, size_t size);
	/* rseq(2) of the host for the thread of a stopped context: it keeps the guest's struct rseq, and aborts the
	 * critical sections in which the thread is preempted; NULL: no more.  A fork inherits it, a thread does not,
	 * it ends with the context.  Work that a context does while it is stopped makes the host forget the critical
	 * section that rip is in: who has an event other than PF_SYSCALL moves rip out of it before anything else.
	 * 0 or -errno; -ENOSYS where the host has no such call. */
	int (*rseq)(struct pf_context *ctx, const struct pf_rseq *rseq);
	/* Whether events tell of sites from now on; no unless this is called. */
	void (*patching)(bool on);
	/* Size of that state on this machine, in bytes. */
	size_t (*fpu_size)(void);
	/* Back to the state that execve leaves (FINIT, vectors zero). */
	int (*reset_fpu)(struct pf_context *ctx);
};

/* What takes a context's registers for more than a call's arguments and result begins with this. */
static inline void pf_complete(const struct pf_ops *ops, struct pf_context *ctx)
{
	if (ctx->partial)
		ops->complete(ctx);
}

#endif
