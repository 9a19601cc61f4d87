/* The ptrace back-end's own records and the verbs its files offer each other.
 *
 * One tracer thread, the caller of `init`, owns all that is declared here; the only thing another thread may
 * touch is `kick`.  Every host thread of ours (the template, guest threads, parked ones, dying ones) has one
 * `struct thread` in the table of threads.c from the moment it is created until it has been reaped.
 */
#ifndef PTRACE_H
#define PTRACE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <sched.h>
#include <errno.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "channel.h"
#include "ops.h"
#include "platform.h"
#include "remote.h"
#include "stub.h"
#include "vdso.h"

_Static_assert(sizeof(struct pf_regs) == sizeof(struct user_regs_struct),
	       "PTRACE_GETREGS fills a struct pf_regs");
_Static_assert(STUB_BASE == PF_STUB_BASE, "stub.S and the contract agree");

enum thread_state {
	THREAD_LIVE,   /* the dispatcher holds it, or it is the template */
	THREAD_PARKED, /* stopped, of no one: the next thread_new of its space takes it */
	THREAD_DYING,  /* killed, not reaped yet */
};

struct thread {
	struct pf_context base; /* first: the dispatcher sees no more than this */
	struct pf_regs fetched; /* the guest's registers as the kernel gave or got them last */
	bool stale; /* the kernel holds others than `fetched`: work was injected, or the thread is new */
	bool dead;  /* has been reaped while the dispatcher holds it */
	enum thread_state state;
	int cpu;	     /* affinity.c: the only CPU it may use; -1: any */
	bool confined;	     /* ... of the next ones, whatever is best for us */
	cpu_set_t cpus;
	struct pf_rseq rseq; /* what it has registered on the host */
	int debt;	     /* ... events until it may be packed again */
	bool quiet;	     /* ... no event since the last tick */
	struct thread *next; /* in space.parked, or in the queue of PF_GONE events */
	int held;	     /* turns.c: the status of a stop that has yet to be seen to; 0: none */
	struct thread *next_held;
};

struct space {
	struct pf_space base;
	struct thread *parked;
	int nparked;
	int killed_by; /* the signal, once a thread of it is dead */
	uint64_t rseq_low, rseq_high; /* all that its threads have registered is in there */
	bool rseq_shared; /* ... and others may have written there */
};

/* threads.c: tid -> thread */
int threads_add(struct thread *thread);
void threads_remove(struct thread *thread);
struct thread *threads_find(int tid);
void threads_each(void (*visit)(struct thread *thread));
int threads_count(void);

/* life.c: create, park, kill, reap */
/* Flags of clone(2), which filter.c insists on.  CLONE_PTRACE: the child is traced as its parent is, and no
 * event stops the parent.  CLONE_PARENT: it is ours to reap, whoever made it. */
#define NEW_SPACE (CLONE_PARENT | CLONE_PTRACE)
#define NEW_THREAD \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_PTRACE)
struct thread *thread_adopt(int tid, struct space *space);
void thread_reaped(struct thread *thread, int status); /* waitpid has reported its death */
void note_death(struct thread *thread, int signo); /* the first is the space's */
void kill_all(void);

/* template.c, filter.c: the first stub */
extern struct thread *template;
int filter_install(struct thread *thread);

/* inject.c: host calls made by a stopped thread.  Results as the kernel returns them; -ESRCH when it died. */
int inject_start(struct thread *thread, unsigned entry,
		 struct pf_regs *regs); /* and don't wait for the end */
int64_t inject(struct thread *thread, unsigned entry, struct pf_regs *regs);
int64_t inject_call(struct thread *thread, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
		    uint64_t e, uint64_t f);

/* One call of a thread that has registered a struct rseq, or is about to. */
int64_t inject_safely(struct thread *thread, long nr, const struct pf_rseq *rseq, struct pf_regs *regs);

/* rseq.c */
void rseq_inherit(struct thread *child, const struct thread *from);
bool rseq_rests(struct thread *thread, const struct pf_rseq *rseq);
void rseq_overlaid(struct space *space, uint64_t addr, size_t len); /* by memory that others may change */
void rseq_break(struct thread *thread); /* kill its process: SIGSEGV */

/* channel.c */
extern int channel; /* for channel_send; -1: there is none */
int channel_open(int *end); /* the stubs' */
void channel_close(void);
void channel_drain(void);

/* wait.c: the loop */
extern int live_contexts; /* held by the dispatcher */
extern int running_contexts;
void report_gone(struct thread *thread); /* have `wait` report PF_GONE for it */

/* turns.c: stops that were waited for and are seen to one after the other */
void turns_gather(struct thread *thread, int status); /* `thread` has stopped: it, and who else has */
struct thread *turns_next(int *status);		      /* NULL: wait for one */
void turns_forget(struct thread *thread);

/* event.c: a stop of a thread -> an event; false: none, it is gone */
bool event_of_stop(struct thread *thread, int status, struct pf_event *event);

/* kick.c: a wait that can be called off */
enum { KICKED = 1, TICKED = 2 };
int kick_init(void);
void kick_shutdown(void);
/* wait4(tid, __WALL); -EINTR when one of `flags` is or becomes set, or when any signal handler ran. */
int kick_wait(int tid, int *status, int flags);
bool kick_take(int flag); /* test and clear */
bool tick_start(void);	  /* have TICKED set every TICK_NS from now on; false: it was so before */
void tick_stop(void);
#define TICK_NS 4000000L

/* affinity.c: which CPU */
#define NOWHERE -2 /* as thread.cpu: it has yet to be placed */
int affinity_init(void);
void affinity_resume(struct thread *thread);
void affinity_tick(void);
void affinity_rest(void);

/* fpu.c */
int fpu_init(struct thread *thread);
int fpu_copy(struct thread *to, struct thread *from);

/* ops.c */
extern const struct pf_ops ptrace_ops;

/* probe.c: can it work here? 0, or the errno of what failed with *step naming it */
int ptrace_probe(const char **step);

static inline struct thread *thread_of(struct pf_context *ctx)
{
	return (struct thread *)ctx;
}

#endif
