/* What the stub and the sentry agree on: addresses, descriptors and the slot of a thread.  C and assembler.
 *
 * Everything in a slot can be written by the guest at any time.  The sentry reads each word of it once, and
 * believes none of it more than it would believe a register of the guest.
 */
#ifndef SHARED_H
#define SHARED_H

/* The stub's part of every guest address space. */
#define STUB_BASE 0x7fff80000000
#define STUB_TEXT 0x8000 /* bytes at most, at STUB_BASE */
#define STUB_WORLD 0x7fff80010000 /* for all stubs, read-only: struct world, and the threads' bells */
#define BELLS_AT 0x1000		  /* in there: words that stubs sleep on, which count their wake-ups */
#define BELL_COUNT 65536
#define WORLD_SIZE (BELLS_AT + 4 * BELL_COUNT)
#define STUB_FACTS 0x7fff80100000 /* of this space, read-only: a struct facts per slot */
#define STUB_TRAMPOLINES 0x7fff81000000 /* patch.c; private memory of the space */
#define STUB_SLOTS 0x7fff90000000 /* of this space, shared with the sentry */
#define SLOT_SIZE 0x10000
#define SLOT_COUNT 4096
#define WINDOW_SIZE (SLOT_SIZE * SLOT_COUNT)
#define FACTS_SIZE 64
#define FACTS_WINDOW (FACTS_SIZE * SLOT_COUNT)
#define STUB_END 0x7fffb0000000

/* Pointers to trampolines: below 2 GiB, for `jmp *address` in seven bytes; the third byte of each address is
 * 0x06, an opcode that no longer exists (patch.c). */
#define STUB_POINTERS 0x7f060000
#define POINTERS_SIZE 0x10000
#define TRAMPOLINE_SIZE 128
/* In a trampoline: where one that has a compare to make up for goes on; the address behind the call as the
 * sentry is to see it; the call's number, -1: in %rax; offset of its answer in struct facts, -1: ask. */
#define TRAMPOLINE_TAIL 48
#define TRAMPOLINE_RIP 96
#define TRAMPOLINE_NUMBER 104
#define TRAMPOLINE_FACT 108
#define TRAMPOLINE_COUNT (POINTERS_SIZE / 8)
#define TRAMPOLINES_SIZE (TRAMPOLINE_SIZE * TRAMPOLINE_COUNT)

/* Descriptors of a stub. */
#define STUB_SOCKET 0 /* its end of the space's channel */
#define STUB_BELL 1   /* an eventfd on which a sleeping sentry waits */
#define STUB_RECEIVED 2 /* the first of those just received; closed in the same order */

/* slot.turn: whose the slot is */
#define TURN_STUB 0   /* the guest runs, or the stub carries out an order */
#define TURN_SENTRY 1 /* an event or the end of an order; the stub spins */
#define TURN_DOZE 2   /* the same, and the stub sleeps on its bell, or is about to */

/* slot.word, event: what happened */
#define EVENT_SYSCALL 1
#define EVENT_FAULT 2
#define EVENT_INTERRUPTED 3
#define EVENT_COMPAT 0x100 /* of EVENT_SYSCALL: by int 0x80 */
#define EVENT_SIGNAL 0x200 /* ... by a signal, not by a trampoline */
#define EVENT_SITE 0x400   /* ... and the code there may be fit for patching */

/* slot.word, order: what the stub is to do */
#define ORDER_RESULT 1	/* go on with the guest; its call gave slot.number */
#define ORDER_RESTORE 2 /* go on with slot.regs */
#define ORDER_CALL 3	/* the host call number, a..f; the result in slot.number */
#define ORDER_MAP 4	/* mmap(a..f) of the descriptor that the channel holds */
#define ORDER_COPY_IN 5 /* slot.data = guest memory at a, b bytes; not copied: slot.number bytes */
#define ORDER_COPY_OUT 6
#define ORDER_CMPXCHG 7 /* of the word at a: b expected, c desired; seen: slot.number, -1: fault */
#define ORDER_XSAVE 8	/* live FP state to slot.area */
#define ORDER_THREAD 9	/* a host thread for the slot at a, flags b */
#define ORDER_FORK 10	/* a process: flags b, its facts at offset c, sentry's pid d; three descriptors wait in the channel */
#define ORDER_STORE 11	/* b bytes of slot.data to a, code of the guest, in an order safe for those that run it */
#define ORDER_ERRAND 12 /* nothing but ORDER_WAKE; then sleep */
#define ORDER_WAKE 0x100 /* of any: first wake slot.wake, which spares the sentry a call across CPUs */

/* Offsets in a slot.  The first line is all that a hot call moves between two CPUs. */
#define SLOT_TURN 0
#define SLOT_WORD 4
#define SLOT_NUMBER 8 /* call number, or result */
#define SLOT_ARGS 16  /* rdi rsi rdx r10 r8 r9 */
#define SLOT_KICK 64
#define SLOT_ALIVE 68 /* the host clears it when the host thread is gone (CLONE_CHILD_CLEARTID) */
#define SLOT_RSP 72   /* the trampoline's: the guest's stack pointer */
#define SLOT_FACTS_AT 80
#define SLOT_FP 88    /* address of an XSAVE area to load before the guest goes on; 0: the CPU has it */
#define SLOT_TARGET 96 /* where a trampoline goes on after the call */
#define SLOT_CPU 104 /* of the stub, when it handed the slot over */
#define SLOT_REGS 192 /* struct pf_regs */
#define REGS_R15 0
#define REGS_R14 8
#define REGS_R13 16
#define REGS_R12 24
#define REGS_RBP 32
#define REGS_RBX 40
#define REGS_R11 48
#define REGS_R10 56
#define REGS_R9 64
#define REGS_R8 72
#define REGS_RAX 80
#define REGS_RCX 88
#define REGS_RDX 96
#define REGS_RSI 104
#define REGS_RDI 112
#define REGS_ORIG_RAX 120
#define REGS_RIP 128
#define REGS_CS 136
#define REGS_EFLAGS 144
#define REGS_RSP 152
#define REGS_SS 160
#define REGS_FS_BASE 168
#define REGS_GS_BASE 176
#define SLOT_CALL 448 /* number, a..f of an order */
#define SLOT_DATA 0x1000
#define DATA_SIZE 0x2000
#define SLOT_AREA 0x3000
#define AREA_SIZE 0x3000
#define SLOT_STACK 0x6000 /* the alternate signal stack, up to the end of the slot */
#define STACK_SIZE (SLOT_SIZE - SLOT_STACK)

/* Offsets in facts and world */
#define FACT_PID 0
#define FACT_TID 4
#define FACT_PPID 8
#define FACT_UID 12
#define FACT_EUID 16
#define FACT_GID 20
#define FACT_EGID 24
#define FACT_KNOWN 28 /* 0: ask the sentry */
#define FACT_SIGMASK 32
#define WORLD_ASLEEP 0
#define WORLD_SPIN 4
#define WORLD_CPU 8
#define CPU_SELECTOR 0x7b /* Linux keeps the number of the CPU in the limit of this segment (vgetcpu) */

#ifndef __ASSEMBLER__
#include <stdint.h>

#include "platform.h"

struct slot {
	uint32_t turn, word;
	uint64_t number, args[6];
	uint32_t kick, alive;
	uint64_t rsp, facts_at, fp, target;
	uint32_t cpu, bell;
	uint32_t up;	/* it has woken since this was 0 */
	uint32_t wake;	/* of ORDER_WAKE: bells + 1, 0: none */
	uint32_t young; /* the first order is about to come: worth a longer look */
	uint64_t escape; /* where to go on when the vDSO faults, which is the guest's to unmap; 0: it is not running */
	uint8_t gap[SLOT_REGS - 136];
	struct pf_regs regs;
	uint8_t rest[SLOT_CALL - SLOT_REGS - sizeof(struct pf_regs)];
	uint64_t call[7];
	int32_t signo, code;
	uint64_t addr, error_code, trapno;
};

/* What all stubs read and the sentry alone writes. */
struct world {
	uint32_t asleep; /* 1: ring the bell after an event; 2: wake the word of a finished order */
	uint32_t spin;	 /* turns of the loop in which a stub waits before it sleeps */
	uint32_t cpu;	 /* where the sentry runs: a stub there does not spin */
	uint32_t crowded; /* as many or more threads want to run than there are CPUs */
	uint32_t patch;	  /* tell of sites */
	uint64_t vdso_clock; /* address of the vDSO's clock_gettime, 0: none */
};

struct facts {
	int32_t pid, tid, ppid;
	uint32_t uid, euid, gid, egid, known;
	uint64_t sigmask, pad[3];
};

static inline uint32_t current_cpu(void)
{
	uint32_t limit;
	__asm__ volatile("lsl %1, %0" : "=r"(limit) : "r"(CPU_SELECTOR) : "cc");
	return limit & 0xfff;
}

#define AT(type, field, offset) _Static_assert(__builtin_offsetof(struct type, field) == (offset), #field)
AT(slot, number, SLOT_NUMBER);
AT(slot, args, SLOT_ARGS);
AT(slot, kick, SLOT_KICK);
AT(slot, alive, SLOT_ALIVE);
AT(slot, rsp, SLOT_RSP);
AT(slot, facts_at, SLOT_FACTS_AT);
AT(slot, fp, SLOT_FP);
AT(slot, target, SLOT_TARGET);
AT(slot, cpu, SLOT_CPU);
AT(slot, regs, SLOT_REGS);
AT(slot, call, SLOT_CALL);
AT(facts, ppid, FACT_PPID);
AT(facts, egid, FACT_EGID);
AT(facts, known, FACT_KNOWN);
AT(facts, sigmask, FACT_SIGMASK);
AT(world, spin, WORLD_SPIN);
AT(world, cpu, WORLD_CPU);
_Static_assert(__builtin_offsetof(struct pf_regs, gs_base) == REGS_GS_BASE, "the order of pf_regs");
_Static_assert(__builtin_offsetof(struct pf_regs, rip) == REGS_RIP, "the order of pf_regs");
_Static_assert(sizeof(struct facts) == FACTS_SIZE, "facts");

/* The stubs' filter insists on these.  CLONE_PARENT: the child is the sentry's to reap. */
#define NEW_SPACE 0x8000UL		/* CLONE_PARENT */
#define NEW_THREAD 0x250f00UL /* CLONE_VM | FS | FILES | SIGHAND | THREAD | SYSVSEM | CHILD_CLEARTID */
#endif
#endif
