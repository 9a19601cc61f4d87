/* C answers for address spaces: mmap, munmap, mprotect, brk, madvise in their common cases (twins: mapping,
 * protect, brk and advise of sentry.mm).
 *
 * As there: the host is told first and the list changed when it has agreed.  A refusal, by a limit or by the
 * host, is a miss: Python tries again (each of these orders may be given twice) and finds the error.  So is
 * whatever is locked or sealed, and whatever touches the range that is reserved.
 */
#include "vma.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define MAP_HOT (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_NORESERVE | MAP_STACK | \
		 MAP_DENYWRITE | MAP_EXECUTABLE)
#define PROT_ACCESS (PROT_READ | PROT_WRITE | PROT_EXEC)
#define PROT_SEM 8
#define MAX_MAP_COUNT 65530 /* vm.max_map_count */
#define MS_NOEXEC 8
#define FEW 16

static PyObject *name_rlimits, *name_path, *name_mount, *name_flags, *name_mapped;

static Space *space_of(Task *task)
{
	return task->mm && PyObject_TypeCheck(task->mm, &SpaceType) ? (Space *)task->mm : NULL;
}

static struct pf_context *context_of(Task *task)
{
	return ((Context *)task->ctx)->pf; /* that which made the call */
}

/* The soft limit that ThreadGroup.rlimits has, a list of (soft, hard). */
static uint64_t soft_limit(Task *task, Py_ssize_t resource)
{
	uint64_t soft = 0; /* what isn't understood permits nothing: Python must see to it */
	PyObject *rlimits = PyObject_GetAttr(task->group, name_rlimits);
	if (rlimits && PyList_Check(rlimits) && resource < PyList_GET_SIZE(rlimits)) {
		PyObject *pair = PyList_GET_ITEM(rlimits, resource);
		if (PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2)
			soft = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(pair, 0));
	}
	Py_XDECREF(rlimits);
	if (soft != ~0ULL || !PyErr_Occurred())
		return soft;
	PyErr_Clear();
	return 0;
}

static bool data_fits(Task *task, Space *mm, uint64_t data)
{
	return !data || mm->areas->data + data <= soft_limit(task, RLIMIT_DATA);
}

/* Whether `growth` more bytes keep within RLIMIT_AS, and `data` private writable ones within RLIMIT_DATA. */
static bool fits(Task *task, Space *mm, uint64_t growth, uint64_t data)
{
	return mm->areas->total + growth <= soft_limit(task, RLIMIT_AS) && data_fits(task, mm, data);
}

/* How much of [start, end) the mappings [low, high) of the list fill. */
static uint64_t filled(VmaList *list, size_t low, size_t high, uint64_t start, uint64_t end)
{
	uint64_t sum = 0;
	for (; low < high; low++) {
		Vma *vma = list->vmas[low];
		sum += (vma->end < end ? vma->end : end) - (vma->start > start ? vma->start : start);
	}
	return sum;
}

/* mmap */

/* The place for a mapping: at the hint if it is free, else where the layout has room; or NO_ROOM. */
static uint64_t find_room(VmaList *list, uint64_t hint, uint64_t length)
{
	hint &= PAGE_MASK;
	if (hint && hint < PF_GUEST_END) {
		if (hint < PF_GUEST_START)
			hint = PF_GUEST_START;
		if (hint <= PF_GUEST_END - length && vma_list_is_free(list, hint, hint + length))
			return hint;
	}
	return vma_list_room(list, length);
}

static bool is_noexec(File *file)
{
	bool noexec = true;
	PyObject *path = PyObject_GetAttr((PyObject *)file, name_path);
	PyObject *mount = path ? PyObject_GetAttr(path, name_mount) : NULL; /* AttributeError: it has no path */
	PyObject *flags = mount ? PyObject_GetAttr(mount, name_flags) : NULL;
	if (flags && PyLong_Check(flags))
		noexec = PyLong_AsUnsignedLongMask(flags) & MS_NOEXEC;
	PyErr_Clear();
	Py_XDECREF(flags);
	Py_XDECREF(mount);
	Py_XDECREF(path);
	return noexec;
}

/* A file whose bytes are to be mapped privately by its inode's descriptor; the inode has been told. */
static File *plain_file(Task *task, uint64_t fd)
{
	File *file = fdtable_peek(task, fd);
	Inode *inode = file && !(file->flags & O_PATH) && file->readable ? regular_inode(file) : NULL;
	if (!inode || inode->fd < 0 || is_noexec(file))
		return NULL;
	PyObject *told = PyObject_CallMethodNoArgs((PyObject *)inode, name_mapped); /* RegularInode.mapped */
	if (!told)
		PyErr_Clear();
	Py_XDECREF(told);
	return told ? file : NULL;
}

static int64_t hot_mmap(Task *task, struct pf_regs *regs)
{
	uint64_t addr = regs->rdi, length = regs->rsi, offset = 0;
	int prot = (int)regs->rdx & PROT_ACCESS, flags = (int)regs->r10, fd = -1;
	Space *mm = space_of(task);
	File *file = NULL;
	if (!mm || task->reads_execute || mm->mdwe || flags & ~MAP_HOT || !(flags & MAP_PRIVATE) || mm->lock_future || regs->r9 & ~PAGE_MASK)
		return HOT_MISS;
	VmaList *list = mm->areas;
	if (!length || length > PF_GUEST_END || list->count >= MAX_MAP_COUNT)
		return HOT_MISS;
	length = (length + PAGE_SIZE - 1) & PAGE_MASK;
	if (length > PF_GUEST_END)
		return HOT_MISS;
	if (!(flags & MAP_ANONYMOUS)) {
		offset = regs->r9;
		file = plain_file(task, regs->r8);
		if (!file || offset > (uint64_t)INT64_MAX - length)
			return HOT_MISS;
		fd = ((Inode *)file->inode)->fd;
	}
	bool occupied = false;
	size_t low = 0, high = 0;
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		if (addr & ~PAGE_MASK || addr < PF_GUEST_START || addr > PF_GUEST_END - length)
			return HOT_MISS;
		low = vma_list_index(list, addr);
		high = vma_list_before(list, addr + length);
		occupied = low < high;
		if (occupied && (flags & MAP_FIXED_NOREPLACE || mm->sealed))
			return HOT_MISS;
	} else {
		addr = find_room(list, addr, length);
		if (addr == NO_ROOM)
			return HOT_MISS;
	}
	uint64_t end = addr + length, growth = length;
	if (vma_list_is_reserved(list, addr, end))
		return HOT_MISS;
	if (occupied)
		growth -= filled(list, low, high, addr, end);
	if (!fits(task, mm, growth, prot & PROT_WRITE ? growth : 0))
		return HOT_MISS;
	int host_flags = MAP_FIXED | MAP_PRIVATE | (flags & MAP_NORESERVE) | (file ? 0 : MAP_ANONYMOUS);
	if (ops->map(context_of(task), addr, length, prot, host_flags, fd, (off_t)offset) < 0)
		return HOT_MISS;
	PyObject *source = file ? file_source_new(file->inode) : NULL;
	Vma *vma = vma_new(addr, end, prot, VM_MAYALL | (flags & MAP_NORESERVE ? VM_NORESERVE : 0),
			   (PyObject *)file, source, offset, NULL);
	Py_XDECREF(source);
	vma_list_replace(list, addr, end, &vma, 1);
	return (int64_t)addr;
}

/* munmap and brk */

/* Unmap [start, end), page-aligned, below PF_GUEST_END: 0 or HOT_MISS. */
static int64_t unmap(Task *task, Space *mm, uint64_t start, uint64_t end)
{
	VmaList *list = mm->areas;
	size_t low = vma_list_index(list, start), high = vma_list_before(list, end);
	if (low >= high)
		return 0;
	Vma *first = list->vmas[low], *last = list->vmas[high - 1];
	if (first == last && first->start < start && last->end > end && list->count >= MAX_MAP_COUNT)
		return HOT_MISS;
	uint64_t from = first->start > start ? first->start : start, to = last->end < end ? last->end : end;
	if (mm->sealed || vma_list_is_reserved(list, from, to))
		return HOT_MISS;
	if (ops->unmap(context_of(task), from, to - from) < 0)
		return HOT_MISS;
	vma_list_replace(list, start, end, NULL, 0);
	return 0;
}

static int64_t hot_munmap(Task *task, struct pf_regs *regs)
{
	uint64_t addr = regs->rdi, length = regs->rsi;
	Space *mm = space_of(task);
	if (!mm || addr & ~PAGE_MASK || !length || addr >= PF_GUEST_END || length > PF_GUEST_END - addr)
		return HOT_MISS;
	return unmap(task, mm, addr, (addr + length + PAGE_SIZE - 1) & PAGE_MASK);
}

static bool grow_heap(Task *task, Space *mm, uint64_t start, uint64_t end)
{
	VmaList *list = mm->areas;
	/* One page stays free above the heap, and the guard gap of a stack. */
	if (mm->lock_future || list->count >= MAX_MAP_COUNT || !vma_list_is_free(list, start, end + PAGE_SIZE) ||
	    !fits(task, mm, end - start, end - start))
		return false;
	if (ops->map(context_of(task), start, end - start, PROT_READ | PROT_WRITE,
		     MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) < 0)
		return false;
	Vma *vma = vma_new(start, end, PROT_READ | PROT_WRITE, VM_MAYALL, NULL, NULL, 0, NULL);
	vma_list_replace(list, start, end, &vma, 1);
	return true;
}

static int64_t hot_brk(Task *task, struct pf_regs *regs)
{
	uint64_t addr = regs->rdi;
	Space *mm = space_of(task);
	if (!mm || task->reads_execute)
		return HOT_MISS;
	if (addr < mm->brk_start || addr >= PF_GUEST_END - PAGE_SIZE)
		return (int64_t)mm->brk_end;
	uint64_t old = (mm->brk_end + PAGE_SIZE - 1) & PAGE_MASK, new = (addr + PAGE_SIZE - 1) & PAGE_MASK;
	if (addr - mm->brk_start + mm->data_end - mm->data_start > soft_limit(task, RLIMIT_DATA))
		return HOT_MISS;
	if ((new < old && unmap(task, mm, new, old) == HOT_MISS) ||
	    (new > old && !grow_heap(task, mm, old, new)))
		return HOT_MISS;
	mm->brk_end = addr;
	return (int64_t)addr;
}

/* mprotect and madvise */

/* The end of a range that mappings fill without a hole; 0: there is one, or the range is none. */
static uint64_t filled_end(VmaList *list, uint64_t addr, uint64_t length, size_t *low, size_t *high)
{
	if (addr & ~PAGE_MASK || !length || addr >= PF_GUEST_END || length > PF_GUEST_END - addr)
		return 0;
	uint64_t end = (addr + length + PAGE_SIZE - 1) & PAGE_MASK, reach = addr;
	*low = vma_list_index(list, addr);
	*high = vma_list_before(list, end);
	for (size_t i = *low; i < *high; i++) {
		if (list->vmas[i]->start > reach)
			return 0;
		reach = list->vmas[i]->end;
	}
	return reach >= end ? end : 0;
}

static int64_t hot_mprotect(Task *task, struct pf_regs *regs)
{
	uint64_t start = regs->rdi, growth = 0;
	Space *mm = space_of(task);
	size_t low, high;
	bool differs = false;
	if (!mm || task->reads_execute || mm->mdwe || mm->sealed || regs->rdx & ~(uint64_t)(PROT_ACCESS | PROT_SEM))
		return HOT_MISS;
	int prot = (int)regs->rdx & PROT_ACCESS;
	VmaList *list = mm->areas;
	uint64_t end = filled_end(list, start, regs->rsi, &low, &high);
	if (!end || high - low > FEW)
		return HOT_MISS;
	for (size_t i = low; i < high; i++) {
		Vma *vma = list->vmas[i];
		if (prot & ~(int)(vma->flags & VM_MAYALL))
			return HOT_MISS;
		differs = differs || vma->prot != prot;
		if (prot & ~vma->prot & PROT_WRITE && !(vma->flags & (VM_SHARED | VM_GROWSDOWN)))
			growth += filled(list, i, i + 1, start, end);
	}
	if (!differs)
		return 0;
	size_t splits = (list->vmas[low]->start < start) + (list->vmas[high - 1]->end > end);
	if (splits && list->count + splits > MAX_MAP_COUNT)
		return HOT_MISS;
	if (!data_fits(task, mm, growth))
		return HOT_MISS;
	if (ops->protect(context_of(task), start, end - start, prot) < 0)
		return HOT_MISS;
	Vma *pieces[FEW];
	for (size_t i = low; i < high; i++) {
		Vma *vma = list->vmas[i];
		uint64_t from = vma->start > start ? vma->start : start, to = vma->end < end ? vma->end : end;
		uint64_t offset = vma->source ? vma->offset + from - vma->start : 0;
		pieces[i - low] = vma_new(from, to, prot, vma->flags, vma->file, vma->source, offset, vma->name);
	}
	vma_list_replace(list, start, end, pieces, high - low);
	return 0;
}

static int64_t hot_madvise(Task *task, struct pf_regs *regs)
{
	uint64_t start = regs->rdi;
	int advice = (int)regs->rdx;
	Space *mm = space_of(task);
	size_t low, high;
	if (!mm || mm->sealed)
		return HOT_MISS;
	if (advice != MADV_DONTNEED && advice != MADV_FREE && advice != MADV_WILLNEED)
		return HOT_MISS;
	uint64_t end = filled_end(mm->areas, start, regs->rsi, &low, &high);
	if (!end)
		return HOT_MISS;
	for (size_t i = low; i < high; i++) {
		Vma *vma = mm->areas->vmas[i];
		if (vma->flags & (VM_SPECIAL | VM_LOCKED) || (advice == MADV_FREE && vma->source))
			return HOT_MISS;
	}
	return ops->advise(context_of(task), start, end - start, advice) < 0 ? HOT_MISS : 0;
}

int hot_mm_init(void)
{
	hot_calls[SYS_mmap] = hot_mmap;
	hot_calls[SYS_munmap] = hot_munmap;
	hot_calls[SYS_mprotect] = hot_mprotect;
	hot_calls[SYS_brk] = hot_brk;
	hot_calls[SYS_madvise] = hot_madvise;
	name_rlimits = PyUnicode_InternFromString("rlimits");
	name_path = PyUnicode_InternFromString("path");
	name_mount = PyUnicode_InternFromString("mount");
	name_flags = PyUnicode_InternFromString("flags");
	name_mapped = PyUnicode_InternFromString("mapped");
	return name_rlimits && name_path && name_mount && name_flags && name_mapped ? 0 : -1;
}
