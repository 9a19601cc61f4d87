/* VmaList: the mappings of an address space - what exists, where, and where there is room.
 *
 * What must hold: the mappings are sorted, never overlap, and no two neighbours could be one (vma_joins);
 * `total` and `data` are the sums of their lengths.  Nothing here knows the host, tasks or limits.  Dropping
 * the last reference to a mapping's file runs Python, which may come back here: the list is right by then.
 *
 * Room is looked for from `base` downwards, as Linux places mappings (personality(2), ADDR_COMPAT_LAYOUT:
 * upwards).  So that this doesn't look at thousands
 * of mappings each time, the list remembers that every gap between `gap_floor` and `base` is shorter than
 * `gap_size`; unmapping raises the floor to the end of the gap it makes.
 */
#include "platform.h"
#include "vma.h"

#define FEW 12

VmaList *vma_list_new(uint64_t lowest, uint64_t base)
{
	VmaList *list = vma_must(PyObject_New(VmaList, &VmaListType));
	memset((char *)list + offsetof(VmaList, vmas), 0, sizeof *list - offsetof(VmaList, vmas));
	list->lowest = lowest;
	list->base = list->gap_floor = base;
	list->gap_size = PAGE_SIZE;
	return list;
}

static void reserve(VmaList *list, size_t count)
{
	if (count <= list->allocated)
		return;
	size_t size = count + count / 4 + 16;
	list->vmas = vma_must(PyMem_Realloc(list->vmas, size * sizeof *list->vmas));
	list->allocated = size;
}

static void account(VmaList *list, Vma *vma, bool added)
{
	uint64_t length = added ? vma->end - vma->start : vma->start - vma->end;
	list->total += length;
	if (vma_is_data(vma))
		list->data += length;
}

/* Looking */

size_t vma_list_before(VmaList *list, uint64_t addr)
{
	size_t low = 0, high = list->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (list->vmas[middle]->start < addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t vma_list_index(VmaList *list, uint64_t addr)
{
	size_t low = 0, high = list->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (list->vmas[middle]->end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

Vma *vma_list_find(VmaList *list, uint64_t addr)
{
	size_t index = vma_list_index(list, addr);
	return index < list->count && list->vmas[index]->start <= addr ? list->vmas[index] : NULL;
}

bool vma_list_is_reserved(VmaList *list, uint64_t start, uint64_t end)
{
	return start < list->reserved_end && end > list->reserved_start;
}

/* Where a gap below this mapping ends. */
static uint64_t gap_end(Vma *vma)
{
	if (!(vma->flags & VM_GROWSDOWN))
		return vma->start;
	return vma->start > GUARD_GAP ? vma->start - GUARD_GAP : 0;
}

bool vma_list_is_free(VmaList *list, uint64_t start, uint64_t end)
{
	size_t index = vma_list_index(list, start);
	if (vma_list_is_reserved(list, start, end))
		return false;
	return index == list->count || (list->vmas[index]->start >= end && gap_end(list->vmas[index]) >= end);
}

uint64_t vma_list_room_below(VmaList *list, uint64_t length)
{
	bool known = length >= list->gap_size; /* nothing above the floor will do */
	uint64_t top = known ? list->gap_floor : list->base, size = known ? list->gap_size : PAGE_SIZE;
	uint64_t longest = 0;
	size_t index = vma_list_before(list, top);
	if (index < list->count && gap_end(list->vmas[index]) < top)
		top = gap_end(list->vmas[index]);
	for (;;) {
		uint64_t end = index ? list->vmas[index - 1]->end : list->lowest, low = end;
		bool cut = top > low && vma_list_is_reserved(list, low, top);
		if (cut && list->reserved_end > low)
			low = list->reserved_end;
		uint64_t gap = top > low ? top - low : 0;
		if (gap && gap >= length)
			break;
		if (gap > longest)
			longest = gap;
		if (cut && list->reserved_start > end) {
			top = list->reserved_start; /* the part of this gap below what is reserved */
			continue;
		}
		if (!index)
			return NO_ROOM;
		index--;
		if (gap_end(list->vmas[index]) < top)
			top = gap_end(list->vmas[index]);
	}
	/* Whoever asked may not map there after all: the gap found stays above what is remembered. */
	list->gap_floor = top;
	list->gap_size = longest >= size ? longest + PAGE_SIZE : size;
	return top - length;
}

uint64_t vma_list_room_above(VmaList *list, uint64_t length, uint64_t low, uint64_t high)
{
	uint64_t start = low;
	for (size_t index = vma_list_index(list, low); start < high; index++) {
		uint64_t top = index < list->count ? gap_end(list->vmas[index]) : high;
		top = top < high ? top : high;
		if (top > start && vma_list_is_reserved(list, start, top)) {
			if (list->reserved_start > start && list->reserved_start - start >= length)
				return start;
			start = list->reserved_end;
		}
		if (top > start && top - start >= length)
			return start;
		if (index >= list->count)
			break;
		if (list->vmas[index]->end > start)
			start = list->vmas[index]->end;
	}
	return NO_ROOM;
}

uint64_t vma_list_room(VmaList *list, uint64_t length)
{
	if (list->bottom_up)
		return vma_list_room_above(list, length, list->base, PF_GUEST_END);
	return vma_list_room_below(list, length);
}

/* Changing */

/* Put count references in place of [low, high). */
static void splice(VmaList *list, size_t low, size_t high, Vma **new, size_t count)
{
	Vma *few[FEW], **old = few;
	size_t removed = high - low;
	if (removed > FEW)
		old = vma_must(PyMem_Malloc(removed * sizeof *old));
	for (size_t i = 0; i < removed; i++) {
		old[i] = list->vmas[low + i];
		account(list, old[i], false);
	}
	reserve(list, list->count - removed + count);
	if (removed != count && high < list->count)
		memmove(list->vmas + low + count, list->vmas + high, (list->count - high) * sizeof *new);
	for (size_t i = 0; i < count; i++) {
		list->vmas[low + i] = new[i];
		account(list, new[i], true);
	}
	list->count += count - removed;
	for (size_t i = 0; i < removed; i++)
		Py_DECREF(old[i]);
	if (old != few)
		PyMem_Free(old);
}

/* Make what can be one mapping one; how many are left. */
static size_t join(Vma **vmas, size_t count)
{
	size_t last = 0;
	for (size_t i = 1; i < count; i++) {
		if (vma_joins(vmas[last], vmas[i])) {
			Vma *both = vma_part(vmas[last], vmas[last]->start, vmas[i]->end);
			Py_DECREF(vmas[last]);
			Py_DECREF(vmas[i]); /* not the last reference to its file: `both` has one */
			vmas[last] = both;
		} else {
			vmas[++last] = vmas[i];
		}
	}
	return last + 1;
}

static void raise_floor(VmaList *list, uint64_t end)
{
	size_t index = vma_list_before(list, end);
	uint64_t top = index < list->count ? list->vmas[index]->start : list->base;
	top = top < list->base ? top : list->base;
	if (top > list->gap_floor)
		list->gap_floor = top;
}

void vma_list_replace(VmaList *list, uint64_t start, uint64_t end, Vma **pieces, size_t count)
{
	Vma *few[FEW], **new = few;
	size_t low = vma_list_index(list, start), high = vma_list_before(list, end), n = 0;
	if (high < low)
		high = low;
	if (count + 4 > FEW)
		new = vma_must(PyMem_Malloc((count + 4) * sizeof *new));
	Vma *first = low < high ? list->vmas[low] : NULL, *last = low < high ? list->vmas[high - 1] : NULL;
	/* The neighbours may join what is new. */
	if (count && low && list->vmas[low - 1]->end == start)
		new[n++] = (Vma *)Py_NewRef(list->vmas[--low]);
	if (first && first->start < start)
		new[n++] = vma_part(first, first->start, start);
	for (size_t i = 0; i < count; i++)
		new[n++] = pieces[i];
	if (last && last->end > end)
		new[n++] = vma_part(last, end, last->end);
	if (count && high < list->count && list->vmas[high]->start == end)
		new[n++] = (Vma *)Py_NewRef(list->vmas[high++]);
	if (count)
		n = join(new, n);
	splice(list, low, high, new, n);
	if (!count)
		raise_floor(list, end);
	if (new != few)
		PyMem_Free(new);
}

VmaList *vma_list_fork(VmaList *list)
{
	VmaList *child = vma_list_new(list->lowest, list->base);
	child->bottom_up = list->bottom_up;
	bool changed = false;
	reserve(child, list->count);
	for (size_t i = 0; i < list->count; i++) {
		Vma *vma = list->vmas[i];
		if (vma->flags & (VM_DONTFORK | VM_LOCKED)) {
			changed = true;
			if (vma->flags & VM_DONTFORK)
				continue;
			vma = vma_changed(vma, vma->prot, vma->flags & ~(VM_LOCKED | VM_LOCKONFAULT));
		} else {
			Py_INCREF(vma);
		}
		child->vmas[child->count++] = vma;
	}
	child->reserved_start = list->reserved_start;
	child->reserved_end = list->reserved_end;
	child->total = list->total;
	child->data = list->data;
	if (!changed) {
		child->gap_floor = list->gap_floor;
		child->gap_size = list->gap_size;
		return child;
	}
	if (child->count)
		child->count = join(child->vmas, child->count);
	child->total = child->data = 0;
	for (size_t i = 0; i < child->count; i++)
		account(child, child->vmas[i], true);
	return child;
}
