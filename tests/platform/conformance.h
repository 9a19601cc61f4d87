/* What the conformance tests share: a guest made of assembler snippets, and checks that name themselves.
 *
 * The suite knows a back-end only as `struct pf_ops`; -DPLATFORM_OPS=<symbol> chooses it.
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "platform.h"

#define CODE 0x400000ULL
#define DATA 0x500000ULL
#define PAGE 4096ULL

extern const struct pf_ops *ops;
extern int stub_fd; /* of the stub program, as `init` wants it */
extern int cpus;    /* that this process may use */

struct test {
	const char *name; /* the fact that it checks */
	void (*run)(void);
};

/* One array per file, ended by {0}. */
extern const struct test event_tests[], memory_tests[], life_tests[], wait_tests[], state_tests[];

#define CHECK(condition)                                                                        \
	do {                                                                                    \
		if (!(condition)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			exit(1);                                                                \
		}                                                                               \
	} while (0)

#define CHECK_EQ(a, b)                                                                                  \
	do {                                                                                            \
		long long left = (long long)(a), right = (long long)(b);                                \
		if (left != right) {                                                                    \
			fprintf(stderr, "%s:%d: %s is %#llx, not %#llx (%s)\n", __FILE__, __LINE__, #a, \
				left, right, #b);                                                       \
			exit(1);                                                                        \
		}                                                                                       \
	} while (0)

/* GUEST(name, "asm"): position-independent guest code, from `name` to `name_end`. */
#define GUEST(name, code)                                                                     \
	__asm__(".pushsection .rodata\n" #name ":\n" code "\n" #name "_end:\n.popsection\n"); \
	extern const char name[], name##_end[]

/* A new space with the snippet at CODE (from a descriptor) and two pages of DATA, ready to run it. */
#define LOAD(snippet) load(snippet, (size_t)(snippet##_end - snippet))
struct pf_context *load(const char *code, size_t len);

/* A memfd that holds `len` bytes at `data`. */
int memfd(const void *data, size_t len);

/* Wait, blocking, for the next event other than PF_NONE. */
struct pf_event next_event(void);
/* Resume ctx and return its next event; nobody else may be running. */
struct pf_event run(struct pf_context *ctx);
/* ... which must be the system call `nr`. */
void run_to_syscall(struct pf_context *ctx, long nr);

uint32_t peek(struct pf_context *ctx, uint64_t addr);
void poke(struct pf_context *ctx, uint64_t addr, uint32_t value);
void map_anonymous(struct pf_context *ctx, uint64_t addr, size_t len, int prot);

/* Host processes and threads below this one, zombies included; open descriptors of this one. */
int count_children(void);
int count_fds(void);
/* Let the dead be reaped. */
void settle(void);

#endif
