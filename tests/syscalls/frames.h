/* Handlers that look at their own frame. Included after harness.h. */
#ifndef FRAMES_H
#define FRAMES_H

#include "fixtures.h"

#include <sys/resource.h>
#include <ucontext.h>

#define SOFTWARE 464 /* offset of the software's bytes in an FXSAVE area */
#define HEADER 512   /* offset of the XSAVE header */
#define UPPER 576    /* where the upper halves of the ymm registers are, on every processor that has them */

static inline void handle_context(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };

	CHECK_OK(sigaction(number, &action, NULL));
}

static inline unsigned char *fp_state(ucontext_t *context)
{
	return (unsigned char *)context->uc_mcontext.fpregs;
}

static inline unsigned word_at(const unsigned char *at)
{
	unsigned word;

	memcpy(&word, at, sizeof(word));
	return word;
}

static ucontext_t *seen; /* valid while the handler runs */
static siginfo_t *seen_info;
static void (*inspect)(void);
static unsigned long chosen; /* an argument of an inspection's */

static inline void run_inspection(int number, siginfo_t *info, void *context)
{
	count_signal(number);
	seen = context;
	seen_info = info;
	inspect();
}

/* Runs `look` in the handler of a signal that the thread sends itself. */
static inline void raise_and(void (*look)(void))
{
	inspect = look;
	signals_seen = 0;
	handle_context(SIGUSR1, run_inspection, 0);
	CHECK_OK(syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1));
	CHECK_EQ(signals_seen, 1);
}

static unsigned char ymm5[32];
static unsigned mxcsr_after;

/* Sets ymm5 to ones and MXCSR to round down, signals itself, keeps what is in both afterwards. */
__attribute__((target("avx")))
static inline void signal_with_ymm5_set(void (*look)(void))
{
	unsigned long number = SYS_tgkill;
	unsigned control = 0x3f80, usual = 0x1f80;

	inspect = look;
	handle_context(SIGUSR1, run_inspection, 0);
	__asm__ volatile("ldmxcsr %[control]; vpcmpeqd %%xmm5, %%xmm5, %%xmm5;"
			 "vinsertf128 $1, %%xmm5, %%ymm5, %%ymm5; syscall;"
			 "vmovdqu %%ymm5, %[ymm5]; stmxcsr %[after]; ldmxcsr %[usual]"
			 : "+a"(number), [ymm5] "=m"(ymm5), [after] "=m"(mxcsr_after)
			 : "D"((long)getpid()), "S"((long)gettid()), "d"((long)SIGUSR1), [control] "m"(control),
			   [usual] "m"(usual)
			 : "rcx", "r11", "memory", "xmm5");
}

static inline bool all(const unsigned char *bytes, size_t count, unsigned char value)
{
	for (size_t i = 0; i < count; i++)
		if (bytes[i] != value)
			return false;
	return true;
}

static inline void need_avx(void)
{
	if (!__builtin_cpu_supports("avx"))
		SKIP("the processor has no AVX");
}

#endif
