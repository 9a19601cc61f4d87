/* Call sites: code of the guest's that makes the same call again and again gets a jump in place of the trap.
 *
 * Two patterns are what programs contain:
 *   mov $number, %eax; syscall    7 bytes  b8 NN NN NN NN 0f 05
 *   syscall; cmp $-4095, %rax     8 bytes  0f 05 48 3d 01 f0 ff ff   (or $-4096: 00 f0 ff ff)
 * Both become `jmp *address` (ff 24 25, address) to a trampoline of the site, which makes up for what the jump
 * replaced.  The third byte of every address is 0x06, which is no opcode: of the first pattern that byte is where
 * `syscall` was, so a guest that jumps there, or was about to run it, gets SIGILL, and we make the call of that.
 * In the second pattern only the return from the call leads to the third byte, and all returns pass by here
 * (sites_landing), and none is under way when we patch; if some jump near by leads there, too, the site is left
 * alone.
 *
 * Trampolines are never used again for another site: a thread may be in one for as long as its call takes.
 */
#include "sites.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define NEARBY 4096 /* where a jump behind a `syscall` is looked for */
#define PAGE 4096ULL

static bool copy_in(struct thread *thread, void *to, uint64_t addr, size_t len)
{
	return op_read(&thread->base, addr, to, len) == (ssize_t)len;
}

/* To the stub's own part, which op_write refuses. */
static bool put(struct thread *thread, uint64_t addr, const void *from, size_t len)
{
	memcpy((uint8_t *)thread->slot + SLOT_DATA, from, len);
	return order(thread, ORDER_COPY_OUT, 0, addr, len, 0, 0, 0, 0) == 0;
}

static bool map_trampolines(struct thread *thread, struct sites *sites)
{
	if (sites->mapped)
		return true;
	uint64_t flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE;
	if (stub_call(thread, SYS_mmap, STUB_POINTERS, POINTERS_SIZE, PROT_READ | PROT_WRITE, flags, (uint64_t)-1,
		      0) != STUB_POINTERS ||
	    stub_call(thread, SYS_mmap, STUB_TRAMPOLINES, TRAMPOLINES_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
		      flags, (uint64_t)-1, 0) != STUB_TRAMPOLINES)
		return false;
	return sites->mapped = true;
}

int32_t fact_of(uint32_t number)
{
	switch (number) {
	case SYS_getpid:
		return FACT_PID;
	case SYS_gettid:
		return FACT_TID;
	case SYS_getppid:
		return FACT_PPID;
	case SYS_getuid:
		return FACT_UID;
	case SYS_geteuid:
		return FACT_EUID;
	case SYS_getgid:
		return FACT_GID;
	case SYS_getegid:
		return FACT_EGID;
	default:
		return -1;
	}
}

struct writer {
	uint8_t bytes[TRAMPOLINE_SIZE];
	uint64_t at; /* where they will be */
	size_t len;
};

static void emit(struct writer *writer, const char *code, size_t len, uint64_t operand, size_t size)
{
	memcpy(writer->bytes + writer->len, code, len);
	memcpy(writer->bytes + writer->len + len, &operand, size);
	writer->len += len + size;
}

static void emit_jump(struct writer *writer, uint64_t target)
{
	emit(writer, "\xe9", 1, target - (writer->at + writer->len + 5), 4);
}

/* The trampoline of a site whose `syscall` is followed by `rip`; number -1: it is in %rax.  `asking`: it must not
 * answer. */
static void write_trampoline(struct writer *writer, uint64_t rip, int32_t number, uint32_t compare, bool asking)
{
	int32_t fact = number < 0 || asking ? -1 : fact_of((uint32_t)number);
	memset(writer->bytes, 0xcc, sizeof writer->bytes);
	if (fact >= 0) {
		emit(writer, "\x65\x48\x8b\x0c\x25", 5, SLOT_FACTS_AT, 4);  /* mov %gs:SLOT_FACTS_AT, %rcx */
		emit(writer, "\x8b\x81", 2, (uint64_t)fact, 4);		     /* mov fact(%rcx), %eax */
		emit(writer, "\x48\xb9", 2, rip, 8);			     /* movabs $rip, %rcx */
		emit(writer, "\xff\xe1", 2, 0, 0);			     /* jmp *%rcx */
	} else {
		emit(writer, "\x65\x48\x89\x24\x25", 5, SLOT_RSP, 4); /* mov %rsp, %gs:SLOT_RSP */
		emit(writer, "\x48\xb9", 2, rip, 8);			      /* movabs $rip, %rcx */
		if (number >= 0) {
			emit(writer, "\x49\x89\xcb", 3, 0, 0); /* mov %rcx, %r11 */
			emit(writer, "\xb8", 1, (uint32_t)number, 4); /* mov $number, %eax */
		} else {			       /* lea tail(%rip), %r11 */
			emit(writer, "\x4c\x8d\x1d", 3, TRAMPOLINE_TAIL - (writer->len + 7), 4);
		}
		emit_jump(writer, STUB_BASE);
		if (number < 0) {
			writer->len = TRAMPOLINE_TAIL;
			emit(writer, "\x48\x3d", 2, compare, 4);	     /* cmp $compare, %rax */
			emit(writer, "\xff\x25\0\0\0", 6, rip + 6, 8); /* jmp *(next eight bytes) */
		}
	}
	memcpy(writer->bytes + TRAMPOLINE_RIP, &rip, 8);
	memcpy(writer->bytes + TRAMPOLINE_NUMBER, &number, 4);
	memcpy(writer->bytes + TRAMPOLINE_FACT, &fact, 4);
}

/* Does some direct jump nearby, however its bytes are read, lead to addr? */
static bool is_jumped_to(struct thread *thread, uint64_t addr)
{
	static uint8_t code[2 * NEARBY];
	uint64_t start = addr - NEARBY;
	size_t have = 0;
	while (have < sizeof code) { /* what lies on pages that can't be read jumps nowhere */
		size_t part = PAGE - ((start + have) & (PAGE - 1));
		part = part < sizeof code - have ? part : sizeof code - have;
		if (op_read(&thread->base, start + have, code + have, part) != (ssize_t)part)
			memset(code + have, 0, part);
		have += part;
	}
	for (size_t i = 0; i + 6 < sizeof code; i++) {
		uint64_t at = start + i;
		int32_t far;
		if (code[i] == 0xeb || (code[i] & 0xf0) == 0x70 || (code[i] & 0xfc) == 0xe0) { /* jmp, jcc, loop */
			if (at + 2 + (uint64_t)(int64_t)(int8_t)code[i + 1] == addr)
				return true;
		}
		memcpy(&far, code + i + 1, 4);
		if ((code[i] == 0xe9 || code[i] == 0xe8) && at + 5 + (uint64_t)(int64_t)far == addr)
			return true;
		memcpy(&far, code + i + 2, 4);
		if (code[i] == 0x0f && (code[i + 1] & 0xf0) == 0x80 && at + 6 + (uint64_t)(int64_t)far == addr)
			return true;
	}
	return false;
}

/* Which pattern, if any, the code behind whose `syscall` is rip has: false when none. */
static bool recognise(struct thread *thread, uint64_t rip, struct site *site, int32_t *number, uint32_t *compare)
{
	uint8_t code[14]; /* from rip - 8 */
	uint64_t called = thread->base.regs.orig_rax;
	if (rip < PAGE || !copy_in(thread, code, rip - 8, sizeof code) || code[6] != 0x0f || code[7] != 0x05)
		return false;
	memcpy(number, code + 2, sizeof *number);
	/* not the end of `mov $number, %r8d` and the like, which a prefix makes of it */
	if (code[1] == 0xb8 && (code[0] & 0xf0) != 0x40 && *number >= 0 && (uint64_t)*number == called) {
		*site = (struct site){.addr = rip - 7, .length = 7, .back = 7};
		memcpy(site->original, code + 1, 7);
		return true;
	}
	memcpy(compare, code + 10, sizeof *compare);
	if (code[8] != 0x48 || code[9] != 0x3d || (*compare != 0xfffff001 && *compare != 0xfffff000))
		return false;
	*site = (struct site){.addr = rip - 2, .length = 8, .back = 2};
	memcpy(site->original, code + 6, 8);
	*number = -1;
	return !is_jumped_to(thread, rip);
}

void op_patch(struct pf_context *ctx)
{
	struct thread *thread = thread_of(ctx);
	struct space *space = space_of(thread);
	struct sites *sites = sites_of(space);
	struct site site;
	int32_t number;
	uint32_t compare = 0;
	if (!sites || sites->hopeless || sites->limit == PF_PATCH_NONE || ctx->running)
		return;
	op_complete(ctx);
	if (space->foreign_gs || sites->used >= TRAMPOLINE_COUNT || !map_trampolines(thread, sites)) {
		sites->hopeless = true;
		return;
	}
	if (!recognise(thread, ctx->regs.rip, &site, &number, &compare) || sites_overlap(sites, site.addr, site.length))
		return;
	/* One that runs may be about to return from the very call, told so before there was a landing: another time. */
	if (site.back == 2 && space->nrunning)
		return;
	site.trampoline = sites->used++;
	uint64_t at = STUB_TRAMPOLINES + (uint64_t)site.trampoline * TRAMPOLINE_SIZE;
	uint64_t pointer = STUB_POINTERS + (uint64_t)site.trampoline * 8;
	struct writer writer = {.at = at};
	write_trampoline(&writer, ctx->regs.rip, number, compare, sites->limit != PF_PATCH_ANY);
	uint8_t jump[8] = {0xff, 0x24, 0x25, [7] = 0x90};
	memcpy(jump + 3, &pointer, 4);
	if (put(thread, at, writer.bytes, sizeof writer.bytes) && put(thread, pointer, &at, sizeof at) &&
	    sites_remember(sites, &site)) {
		uint64_t traps = site.back == 7 ? 1 | 1 << 5 : 1;
		if (!store_code(thread, site.addr, jump, site.length, traps)) {
			sites_forget(space, site.addr, 1);
		}
	}
}
