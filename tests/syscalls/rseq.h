/* What the programs about restartable sequences share: areas, and a registration of their own. */
#ifndef RSEQ_H
#define RSEQ_H

#include "fixtures.h"

#include <sched.h>
#include <sys/rseq.h>

#define SIGNATURE 0x53053053
#define SIZE 32
#define UNREGISTER 1

/* Newer than some headers. */
struct area {
	uint32_t cpu_id_start, cpu_id;
	uint64_t cs;
	uint32_t flags, node_id, mm_cid, pad;
} __attribute__((aligned(32)));

struct section {
	uint32_t version, flags;
	uint64_t start, length, abort;
} __attribute__((aligned(32)));

static struct area own;

static inline long rseq(void *area, unsigned length, int flags, unsigned signature)
{
	return syscall(SYS_rseq, area, length, flags, signature);
}

/* The C library has registered an area for each thread of its own. */
static inline struct area *library_area(void)
{
	return (struct area *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

static inline void leave_library(void)
{
	if (__rseq_size)
		CHECK_OK(rseq(library_area(), SIZE, UNREGISTER, SIGNATURE));
	else if (rseq(&own, SIZE, UNREGISTER, 0) < 0 && errno == ENOSYS)
		SKIP("a kernel without CONFIG_RSEQ");
}

static inline void register_own(void)
{
	leave_library();
	CHECK_OK(rseq(&own, SIZE, 0, SIGNATURE));
}

static inline void stay_on(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK_OK(sched_setaffinity(0, sizeof(set), &set));
}

/* Some CPU that we may use. */
static inline int some_cpu(void)
{
	return sched_getcpu();
}

#endif
