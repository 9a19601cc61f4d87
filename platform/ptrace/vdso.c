/* The host's [vvar] and [vdso] in the stubs.
 *
 * They are special mappings that only exec makes, and the code of [vdso] finds its data in [vvar] relative to
 * itself: the block is moved as a whole, each mapping in one piece, to end right below PF_GUEST_END.  How far
 * apart they are is the same in every process of this kernel, so we look at our own, at import: later /proc
 * may be out of reach.
 */
#include "ptrace.h"

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
static int clear_around(struct thread *thread, uint64_t low, uint64_t high)
{
	uint64_t gaps[][2] = {{0, low}, {high, STUB_BASE}, {STUB_END, TASK_END}};
	if (low >= STUB_BASE) { /* a vDSO that could not be moved from there */
		gaps[0][1] = STUB_BASE;
		gaps[1][0] = STUB_END, gaps[1][1] = low;
		gaps[2][0] = high;
	}
	for (int i = 0; i < 3; i++) {
		uint64_t len = gaps[i][1] - gaps[i][0];
		int64_t failed = len ? inject_call(thread, SYS_munmap, gaps[i][0], len, 0, 0, 0, 0) : 0;
		if (failed)
			return (int)failed;
	}
	return 0;
}

/* Leave nothing in the template but the stub and, if it can be, the vDSO right below PF_GUEST_END.
 * -EAGAIN: source and target overlap, which another exec will cure. */
int vdso_settle(struct thread *thread, uint64_t base)
{
	vvar_at = vdso_at = vdso_end_at = 0;
	if (!npieces || !base)
		return clear_around(thread, STUB_BASE, STUB_BASE);
	int64_t first = pieces[0].from, last = pieces[npieces - 1].to;
	uint64_t target = PF_GUEST_END - (uint64_t)last;
	if (base + (uint64_t)last > target + (uint64_t)first && base + (uint64_t)first < PF_GUEST_END)
		return -EAGAIN;
	for (int i = 0; i < npieces; i++) {
		uint64_t len = (uint64_t)(pieces[i].to - pieces[i].from);
		int64_t moved =
			inject_call(thread, SYS_mremap, base + (uint64_t)pieces[i].from, len, len,
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
	return clear_around(thread, target + (uint64_t)first, target + (uint64_t)last);
}

void op_vdso(uint64_t *vvar_start, uint64_t *vdso_start, uint64_t *vdso_end)
{
	*vvar_start = vvar_at;
	*vdso_start = vdso_at;
	*vdso_end = vdso_end_at;
}
