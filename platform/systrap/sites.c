/* The call sites of a space whose code has been patched (patch.c): where they are, what was there. */
#include "sites.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define RIPE 4 /* traps at a site before it is patched: what that costs, a few traps cost, too */

/* Index of the first site at or behind addr. */
static int find(const struct sites *sites, uint64_t addr)
{
	int low = 0, high = sites->count;
	while (low < high) {
		int middle = (low + high) / 2;
		if (sites->table[middle].addr < addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct site *site_at(const struct sites *sites, uint64_t addr)
{
	int at = find(sites, addr);
	return at < sites->count && sites->table[at].addr == addr ? &sites->table[at] : NULL;
}

bool sites_any(const struct space *space)
{
	return space->sites && space->sites->count;
}

struct sites *sites_of(struct space *space)
{
	if (!space->sites)
		space->sites = calloc(1, sizeof *space->sites);
	return space->sites;
}

bool sites_ripe(struct thread *thread)
{
	struct sites *sites = sites_of(space_of(thread));
	uint64_t rip = thread->slot->regs.rip;
	if (!sites || sites->hopeless || sites->limit == PF_PATCH_NONE)
		return false;
	uint8_t *counter = &sites->counters[(rip ^ rip >> 9) % COUNTERS];
	if (++*counter < RIPE)
		return false;
	*counter = 0;
	return true;
}

uint64_t sites_landing(struct space *space, uint64_t rip)
{
	const struct site *site = sites_any(space) ? site_at(space->sites, rip - 2) : NULL;
	if (!site || site->back != 2)
		return rip;
	return STUB_TRAMPOLINES + (uint64_t)site->trampoline * TRAMPOLINE_SIZE + TRAMPOLINE_TAIL;
}

/* ... because the code was being put back when the guest ran into it?  Now it is there, to be run. */
static void was_restored(struct thread *thread, struct pf_event *event)
{
	const struct sites *sites = space_of(thread)->sites;
	uint64_t rip = thread->base.regs.rip;
	uint8_t code[8];
	for (unsigned i = 0; i < FORMER; i++) {
		const struct site *site = &sites->former[i];
		if (!site->length || (rip != site->addr && (rip != site->addr + 5 || site->back != 7)))
			continue;
		if (op_read(&thread->base, site->addr, code, site->length) != site->length ||
		    memcmp(code, site->original, site->length))
			continue;
		event->kind = PF_INTERRUPTED;
		return;
	}
}

/* A SIGILL that is ours: the context is as if it had trapped, or simply goes on. */
void sites_explain(struct thread *thread, struct pf_event *event)
{
	struct pf_regs *regs = &thread->base.regs;
	struct space *space = space_of(thread);
	if (!space->sites)
		return;
	if (site_at(space->sites, regs->rip)) {
		event->kind = PF_INTERRUPTED; /* it was about to be patched, and now is */
		return;
	}
	const struct site *site = site_at(space->sites, regs->rip - 5);
	if (!site || site->back != 7) {
		was_restored(thread, event);
		return;
	}
	event->kind = PF_SYSCALL;
	regs->orig_rax = regs->rax;
	regs->rax = (uint64_t)-ENOSYS;
	regs->rip += 2;
	regs->rcx = regs->rip;
	regs->r11 = regs->eflags;
}

bool store_code(struct thread *thread, uint64_t addr, const uint8_t *bytes, size_t len, uint64_t traps)
{
	memcpy((uint8_t *)thread->slot + SLOT_DATA, bytes, len);
	return order(thread, ORDER_STORE, 0, addr, len, traps, thread->base.space->nthreads == 1, 0, 0) == 0;
}

bool sites_remember(struct sites *sites, const struct site *site)
{
	if (sites->count == sites->room) {
		int room = sites->room ? 2 * sites->room : 32;
		struct site *larger = realloc(sites->table, (size_t)room * sizeof *larger);
		if (!larger)
			return false;
		sites->table = larger;
		sites->room = room;
	}
	int at = find(sites, site->addr);
	memmove(sites->table + at + 1, sites->table + at, (size_t)(sites->count - at) * sizeof *site);
	sites->table[at] = *site;
	sites->count++;
	return true;
}

static void drop(struct sites *sites, int first, int end)
{
	memmove(sites->table + first, sites->table + end, (size_t)(sites->count - end) * sizeof *sites->table);
	sites->count -= end - first;
}

/* Neither may begin inside the other. */
bool sites_overlap(const struct sites *sites, uint64_t addr, uint64_t len)
{
	int at = find(sites, addr >= 8 ? addr - 8 : 0);
	for (; at < sites->count && sites->table[at].addr < addr + len; at++)
		if (sites->table[at].addr + sites->table[at].length > addr)
			return true;
	return false;
}

/* The sites that [addr, addr + len) touches: indices [*first, *end). */
static bool touched(const struct space *space, uint64_t addr, uint64_t len, int *first, int *end)
{
	const struct sites *sites = space->sites;
	if (!sites_any(space) || !len)
		return false;
	*first = find(sites, addr >= 7 ? addr - 7 : 0);
	while (*first < sites->count && sites->table[*first].addr + sites->table[*first].length <= addr)
		++*first;
	*end = find(sites, addr + len);
	return *first < *end;
}

void sites_forget(struct space *space, uint64_t addr, uint64_t len)
{
	int first, end;
	if (touched(space, addr, len, &first, &end))
		drop(space->sites, first, end);
}

/* Put the original code back. */
void sites_restore(struct thread *thread, uint64_t addr, uint64_t len)
{
	struct space *space = space_of(thread);
	int first, end;
	if (!touched(space, addr, len, &first, &end))
		return;
	for (int i = first; i < end; i++) {
		const struct site *site = &space->sites->table[i];
		if (!store_code(thread, site->addr, site->original, site->length, site->back == 7 ? 1 | 1 << 5 : 1)) {
			kill_space(space); /* code that nobody knows about any more must not run */
			break;
		}
		space->sites->former[space->sites->restored++ % FORMER] = *site;
	}
	drop(space->sites, first, end);
}

void sites_give_up(struct thread *thread)
{
	struct space *space = space_of(thread);
	if (space->foreign_gs)
		return;
	space->foreign_gs = true;
	sites_restore(thread, 0, PF_GUEST_END);
}

/* Does its trampoline answer without asking? */
static bool answers(const struct site *site)
{
	uint32_t number;
	memcpy(&number, site->original + 1, sizeof number);
	return site->back == 7 && fact_of(number) >= 0;
}

void op_limit_patches(struct pf_context *ctx, enum pf_patches limit)
{
	struct thread *thread = thread_of(ctx);
	struct sites *sites = sites_of(space_of(thread));
	if (!sites || ctx->running)
		return;
	if (limit == PF_PATCH_ANY || limit <= sites->limit) {
		sites->limit = limit == PF_PATCH_ANY ? limit : sites->limit;
		return;
	}
	sites->limit = limit;
	for (int i = sites->count - 1; i >= 0; i--)
		if (limit == PF_PATCH_NONE || answers(&sites->table[i]))
			sites_restore(thread, sites->table[i].addr, 1);
}

int sites_copy(struct space *to, const struct space *from)
{
	if (!from->sites)
		return 0;
	to->sites = malloc(sizeof *to->sites);
	if (!to->sites)
		return -ENOMEM;
	*to->sites = *from->sites;
	to->sites->room = to->sites->count;
	to->sites->table = malloc((size_t)(to->sites->room + 1) * sizeof *to->sites->table);
	if (!to->sites->table) {
		free(to->sites);
		to->sites = NULL;
		return -ENOMEM;
	}
	if (to->sites->count)
		memcpy(to->sites->table, from->sites->table, (size_t)to->sites->count * sizeof *to->sites->table);
	return 0;
}

void sites_free(struct space *space)
{
	if (space->sites)
		free(space->sites->table);
	free(space->sites);
	space->sites = NULL;
}
