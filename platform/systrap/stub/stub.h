/* What the stub's C and its assembler offer each other (entry.S). */
#ifndef STUB_H
#define STUB_H

#include <stdbool.h>
#include <stddef.h>

#include "shared.h"

#pragma GCC visibility push(hidden)
/* entry.S */
long host(long nr, long a, long b, long c, long d, long e, long f);
size_t copy(void *to, const void *from, size_t count);
long cmpxchg(uint32_t *word, uint32_t expect, uint32_t desired);
void xsave(void *area), xrstor(const void *area);
long clone_thread(unsigned long flags, struct slot *slot);
long clone_process(unsigned long flags, uint64_t facts, int parent);
_Noreturn void start_on(struct slot *slot, void (*main)(struct slot *)); /* on the slot's stack */
_Noreturn void restore(struct slot *slot);
void restorer(void);
void clock_fault(void **escape);
extern const char copy_resume[], copy_fault[], cmpxchg_access[], cmpxchg_fault[];
extern const char fast_window[], fast_window_end[], full_window[], full_window_end[];

/* main.c */
_Noreturn void stub_main(const uint64_t *stack);
_Noreturn void thread_main(struct slot *slot);
_Noreturn void process_main(uint64_t facts, int parent);
_Noreturn void stub_leave(struct slot *slot);
_Noreturn void stub_kicked(struct slot *slot);
void stub_wait(struct slot *slot);
/* orders.c */
void obey(struct slot *slot, uint32_t order);
int stub_answer(struct slot *slot);
/* signal.c */
long catch_signals(void);
long own_stack(struct slot *slot);

#pragma GCC visibility pop

static inline long call3(long nr, long a, long b, long c)
{
	return host(nr, a, b, c, 0, 0, 0);
}

static inline uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}
#endif
