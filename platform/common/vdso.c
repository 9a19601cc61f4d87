/* The host's [vvar] and [vdso] in the stubs.
 *
 * They are special mappings that only exec makes, and the code of [vdso] finds its data in [vvar] relative to
 * itself: the block is moved as a whole, each mapping in one piece, to end right below PF_GUEST_END.  How far
 * apart they are is the same in every process of this kernel, so we look at our own, at import: later /proc
 * may be out of reach.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "vdso.h"

#include "platform.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define MAX_PIECES 4
#define TASK_END 0x7ffffffff000ULL

static struct piece {
	int64_t from, to; /* relative to the ELF header of the vDSO */
} pieces[MAX_PIECES];
static int npieces;
static uint64_t vvar_at, vdso_at, vdso_end_at;

void vdso_locate(void)
{
	unsigned long long start, end, base = getauxval(AT_SYSINFO_EHDR);
	char line[512];
	FILE *maps = npieces || !base ? NULL : fopen("/proc/self/maps", "re");
	int found = 0;
	if (!maps)
		return;
	while (fgets(line, sizeof line, maps)) {
		if (!(strstr(line, "[vvar") || strstr(line, "[vdso]")) ||
		    sscanf(line, "%llx-%llx", &start, &end) != 2)
			continue;
		if (found == MAX_PIECES || (found && (int64_t)(start - base) != pieces[found - 1].to)) {
			found = 0; /* a layout that we don't know: do without */
			break;
		}
		pieces[found++] = (struct piece){(int64_t)(start - base), (int64_t)(end - base)};
	}
	fclose(maps);
	npieces = found;
}

/* Unmap all but the stub and [low, high). */
static int clear_around(host_call *call, void *stub, uint64_t stub_end, uint64_t low, uint64_t high)
{
	uint64_t gaps[][2] = {{0, low}, {high, PF_STUB_BASE}, {stub_end, TASK_END}};
	if (low >= PF_STUB_BASE) { /* a vDSO that could not be moved from there */
		gaps[0][1] = PF_STUB_BASE;
		gaps[1][0] = stub_end, gaps[1][1] = low;
		gaps[2][0] = high;
	}
	for (int i = 0; i < 3; i++) {
		uint64_t len = gaps[i][1] - gaps[i][0];
		int64_t failed = len ? call(stub, SYS_munmap, gaps[i][0], len, 0, 0, 0, 0) : 0;
		if (failed)
			return (int)failed;
	}
	return 0;
}

int vdso_settle(host_call *call, void *stub, uint64_t stub_end, uint64_t base)
{
	vvar_at = vdso_at = vdso_end_at = 0;
	if (!npieces || !base)
		return clear_around(call, stub, stub_end, PF_STUB_BASE, PF_STUB_BASE);
	int64_t first = pieces[0].from, last = pieces[npieces - 1].to;
	uint64_t target = PF_GUEST_END - (uint64_t)last;
	if (base + (uint64_t)last > target + (uint64_t)first && base + (uint64_t)first < PF_GUEST_END)
		return -EAGAIN;
	for (int i = 0; i < npieces; i++) {
		uint64_t len = (uint64_t)(pieces[i].to - pieces[i].from);
		int64_t moved =
			call(stub, SYS_mremap, base + (uint64_t)pieces[i].from, len, len,
				    MREMAP_MAYMOVE | MREMAP_FIXED, target + (uint64_t)pieces[i].from, 0);
		if (moved >= 0)
			continue;
		if (i)
			return (int)moved;
		target = base; /* sealed: stay */
		break;
	}
	if (target + (uint64_t)last <= PF_GUEST_END) {
		vvar_at = target + (uint64_t)first;
		vdso_at = target;
		vdso_end_at = target + (uint64_t)last;
	}
	return clear_around(call, stub, stub_end, target + (uint64_t)first, target + (uint64_t)last);
}

/* Symbols of a vDSO are few: the dynamic section of our own copy names them (vdso(7), elf(5)). */
uint64_t vdso_symbol(const char *name, uint64_t base)
{
	const char *image = (const char *)getauxval(AT_SYSINFO_EHDR), *strings = NULL;
	const Elf64_Ehdr *head = (const Elf64_Ehdr *)image;
	const Elf64_Sym *symbols = NULL;
	const Elf64_Dyn *entry = NULL;
	const uint32_t *hash = NULL;
	uint64_t count = 0;
	if (!image)
		return 0;
	const Elf64_Phdr *segment = (const Elf64_Phdr *)(image + head->e_phoff);
	for (int i = 0; i < head->e_phnum; i++)
		if (segment[i].p_type == PT_DYNAMIC)
			entry = (const Elf64_Dyn *)(image + segment[i].p_offset);
	for (; entry && entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag == DT_STRTAB)
			strings = image + entry->d_un.d_ptr;
		if (entry->d_tag == DT_SYMTAB)
			symbols = (const Elf64_Sym *)(image + entry->d_un.d_ptr);
		if (entry->d_tag == DT_HASH)
			hash = (const uint32_t *)(image + entry->d_un.d_ptr);
	}
	if (!strings || !symbols)
		return 0;
	/* Without a DT_HASH to count them: symbols lie right before their strings. */
	count = hash ? hash[1] : (uint64_t)(strings - (const char *)symbols) / sizeof *symbols;
	for (uint64_t i = 0; i < count && i < 64; i++)
		if (symbols[i].st_value && !strcmp(strings + symbols[i].st_name, name))
			return base + symbols[i].st_value;
	return 0;
}

void op_vdso(uint64_t *vvar_start, uint64_t *vdso_start, uint64_t *vdso_end)
{
	*vvar_start = vvar_at;
	*vdso_start = vdso_at;
	*vdso_end = vdso_end_at;
}
