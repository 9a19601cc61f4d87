/* The systrap back-end's own records and the verbs its files offer each other.
 *
 * One thread of the sentry, the caller of `init`, owns all that is declared here; another may `kick`.  A space is
 * a host process, a thread one of its host threads; each has its slot in the memory that the process shares
 * with us (shared.h).  Nothing found there is believed: `turn`, `word` and the rest are read once.
 */
#ifndef SYSTRAP_H
#define SYSTRAP_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <sched.h>
#include <time.h>

#include "channel.h"
#include "ops.h"
#include "platform.h"
#include "remote.h"
#include "shared.h"
#include "vdso.h"

enum fp_place {
	FP_LIVE,  /* in the CPU, where the stub leaves it alone */
	FP_FRAME, /* in the signal frame at slot offset fp_at */
	FP_AREA,  /* in slot.area, to be loaded when the guest goes on */
};

struct thread {
	struct pf_context base; /* first: the dispatcher sees no more than this */
	struct pf_regs fetched; /* as the slot has them; valid for a call unless base.partial */
	struct slot *slot;
	int index; /* of the slot */
	uint32_t bell;
	uint32_t birth; /* the order that birth.c gave */
	bool errand; /* its stub may still be busy with ORDER_ERRAND */
	bool call;    /* stopped in a call: what changes only %rax may answer with ORDER_RESULT */
	bool trapped; /* ... that came by a signal, not by a trampoline */
	int consents; /* to the clone(2) that it has been ordered to */
	bool dead;    /* its process is gone */
	bool reported; /* ... and `wait` has yet to say so */
	bool fp_known;
	enum fp_place fp;
	uint32_t fp_at;
	int64_t asked;	     /* CLOCK_MONOTONIC ns of the first `interrupt` that has not been heeded; 0: none */
	unsigned placed;     /* place.c: the placement that its host thread has */
	bool confined;
	cpu_set_t cpus; /* if so: the only ones it may use */
	struct pf_rseq rseq; /* what its host thread has registered for it */
	int running_at;	     /* index in the table of running threads */
	struct thread *next; /* in space.parked, or in the queue of PF_GONE events */
	struct thread *sibling; /* in space.threads */
};

struct sites;

struct space {
	struct pf_space base;
	uint8_t *window; /* its slots */
	struct facts *facts;
	int socket;	 /* our end of the channel, its own, so that none can take another's descriptors */
	int place;	 /* its part of the facts file */
	int used;	 /* slots that have been given out */
	int killed_by;	 /* the signal, once its process is gone */
	bool foreign_gs; /* a thread of it uses %gs: no trampolines */
	struct thread *threads, *parked;
	struct thread *dismissed; /* their host threads are on the way out; then the slot is free */
	int nrunning; /* threads of it that run */
	int nparked;
	int64_t miscarried; /* ns until which births that failed, or began again, are held against it */
	int64_t owed, owed_at; /* moments that orders have kept us waiting for too long, of late, and when (ns) */
	struct sites *sites;
	struct space *next;
};

/* space.c */
extern struct space *spaces;
extern struct world *world;
int shared_init(void);
void shared_shutdown(void);
struct space *space_make(int fds[3]); /* descriptors for its stub: channel, slots, facts */
void space_close_fds(int fds[3]);
void space_free(struct space *space);
struct thread *thread_make(struct space *space); /* NULL: no slot, no memory */
void thread_free(struct thread *thread);
extern int world_fd;

/* life.c */
bool spare_goes_on(void); /* see to the birth of the spare space; false: nothing to do */
void spare_forget(void);
extern int live_contexts;

/* children.c */
extern int sentry_pid;
/* Believe that `pid` is the process of `space`: 0, -EAGAIN: it has died, -EPERM: it can't be. */
int child_adopt(struct space *space, int64_t pid);
bool child_thread(struct space *space, int64_t tid); /* is `tid`, a number of the guest's choice, a thread of it? */
void child_seek(bool doubtful); /* after a birth: kill whom nobody owns up to */
void child_seek_thread(struct space *space);
void child_disown(struct space *space); /* kill it; it is reaped when it comes */
void reap(void);			/* after SIGCHLD */
bool made_room(unsigned before);	/* the host was short of processes: another try is worth it */
extern unsigned nreaped;		/* how many processes are no more */
void kill_all(int family);		/* and reap */
void kill_space(struct space *space);

/* template.c, filter.c */
extern struct thread *template;
int filter_install(struct thread *thread);

/* order.c: what a stopped thread does for us.  Results as the kernel returns them; -ESRCH when it died. */
int64_t order(struct thread *thread, uint32_t what, uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
	      uint64_t e, uint64_t f);
int64_t stub_call(void *thread, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f);
void place_order(struct thread *thread, uint32_t what, const uint64_t call[7]); /* and don't wait */
/* A stub that keeps us waiting for longer has been tampered with.  Moments are counted in which we ourselves were
 * awake to look: a machine that is stopped or has too much to do is no fault of the stub's. */
#define MOMENT_NS 2000000
#define PATIENCE 2500
void charge_wait(struct space *space, int moments); /* ... or often */
bool may_spin_for(const struct thread *thread);
bool await_slot(struct thread *thread); /* until the slot is ours again; false: the thread is dead */
bool is_attentive(struct thread *thread); /* the stub spins: an order costs less than a host call */
void send_to_sleep(struct thread *thread); /* instead of spinning */
bool release_slot(struct thread *thread); /* ours no more; true: its bell must be rung for the stub to see it */
void ring_bell(struct thread *thread);
void send_slot(struct thread *thread); /* both */

/* birth.c: clone(2), which no stub may do unasked */
int birth_attend(struct thread *thread, int theirs);
void birth_shutdown(void);
int birth_order(struct thread *thread, uint32_t what, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
int64_t birth_end(struct thread *thread); /* wait: the id of what has been born, or -errno */
bool miscarried(struct space *space); /* a birth of it failed, or began again: true when that happens too often */
void birth_look(void); /* answer who may be asking, and don't wait */
bool birth_step(struct thread *thread, int64_t *result); /* don't: true at the end */
int birth_listener(void);

/* wait.c */
int note_running(struct thread *thread);
void report_gone(struct thread *thread); /* have `wait` report PF_GONE for it */
void wait_forget(struct thread *thread); /* it is about to end */
void forget_running(struct thread *thread);
void wait_reset(void);
extern struct thread *last_reported;

/* event.c, resume.c */
void take_event(struct thread *thread, struct pf_event *event);
void op_complete(struct pf_context *ctx);

/* outbox.c */
void outbox_reset(void);
void outbox_add(struct thread *thread);
void outbox_forget(struct thread *thread);
void outbox_follow_up(bool now); /* wake those whom a stub was to wake and has not */
void op_flush(void);

/* sleep.c */
int sleep_init(void);
void sleep_shutdown(void);
bool sleep_called_off(void); /* kicked: test and clear */
bool child_died(void);	     /* likewise */
bool sleep_until_rung(int timeout_ms); /* -1: for ever; false: not rung in this time */
extern int bell;

/* place.c: which CPU */
int place_init(void);
void place_shutdown(void);
void place_self(void);	    /* note where we run */
bool place_may_spin(void);
void place_gap(int64_t ns); /* between two looks of ours so much time went by */
void place_balance(int running); /* so many run */
void place_thread(struct thread *thread); /* is about to run */
void place_rest(void); /* nothing happens for long: until it does, all may use all CPUs */

/* fpu.c */
int fpu_init(void);
int fpu_copy(struct thread *to, struct thread *from);
void fpu_reset(struct thread *thread);

/* patch.c */
void op_patch(struct pf_context *ctx);
void op_patching(bool on);
void op_limit_patches(struct pf_context *ctx, enum pf_patches limit);
void op_publish(struct pf_context *ctx, const struct pf_facts *facts);
uint64_t sites_landing(struct space *space, uint64_t rip); /* where a guest that is to go on at rip really does */
bool sites_any(const struct space *space);
bool sites_ripe(struct thread *thread); /* the site it trapped at is worth patching */
void sites_give_up(struct thread *thread); /* its guest uses %gs, which trampolines need */
void sites_explain(struct thread *thread, struct pf_event *event); /* a SIGILL that patching causes */
void sites_restore(struct thread *thread, uint64_t addr, uint64_t len);
void sites_forget(struct space *space, uint64_t addr, uint64_t len);
int sites_copy(struct space *to, const struct space *from);
void sites_free(struct space *space);

/* probe.c: can it work here? 0, or the errno of what failed with *step naming it */
int systrap_probe(const char **step);

extern const struct pf_ops systrap_ops;

static inline struct thread *thread_of(struct pf_context *ctx)
{
	return (struct thread *)ctx;
}

static inline bool is_ours(const struct thread *thread)
{
	return __atomic_load_n(&thread->slot->turn, __ATOMIC_ACQUIRE) != TURN_STUB;
}

static inline uint32_t *bell_of(uint32_t index)
{
	return (uint32_t *)((char *)world + BELLS_AT) + index;
}

static inline int64_t now_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static inline struct space *space_of(struct thread *thread)
{
	return (struct space *)thread->base.space;
}
#endif
