/* What sites.c and patch.c share: the table of a space's patched call sites. */
#ifndef SITES_H
#define SITES_H

#include "systrap.h"

#define FORMER 64    /* sites whose code has been put back lately */
#define COUNTERS 512 /* of traps, by a hash of the address */

struct site {
	uint64_t addr;
	uint32_t trampoline;
	uint8_t length, back; /* bytes replaced; from addr to behind the `syscall` */
	uint8_t original[8];
};

struct sites {
	struct site former[FORMER];
	unsigned restored;
	bool hopeless; /* no trampolines can be had here */
	bool mapped;
	enum pf_patches limit;
	uint32_t used; /* trampolines */
	int count, room;
	struct site *table; /* by address */
	uint8_t counters[COUNTERS];
};

struct sites *sites_of(struct space *space); /* made when there is none; NULL: no memory */
/* Where the fact that a call asks for is in struct facts; -1: it asks for none. */
int32_t fact_of(uint32_t number);
bool sites_remember(struct sites *sites, const struct site *site);
bool sites_overlap(const struct sites *sites, uint64_t addr, uint64_t len);
/* Change code of the guest's; the bits of `traps` say which bytes are an invalid opcode while that goes on. */
bool store_code(struct thread *thread, uint64_t addr, const uint8_t *bytes, size_t len, uint64_t traps);

#endif
