/* Address spaces: a mapping, the list of mappings, and what else there is to an address space.
 *
 * A Vma never changes once made, so that lists share them and fork copies pointers.  What can't be noted for
 * want of memory would leave the list untrue: that ends the sentry (Py_FatalError), so nothing here fails.
 */
#ifndef RUNSC_VMA_H
#define RUNSC_VMA_H

#include "core.h"

#define PAGE_SIZE 4096ULL
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define GUARD_GAP (256 * PAGE_SIZE) /* kept free below a mapping that grows down */
#define NO_ROOM UINT64_MAX

/* Vma.flags.  The low bits are the protections that mprotect(2) may give. */
enum {
	VM_MAYREAD = 1,
	VM_MAYWRITE = 2,
	VM_MAYEXEC = 4,
	VM_MAYALL = VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC,
	VM_SHARED = 0x10,
	VM_GROWSDOWN = 0x20,
	VM_LOCKED = 0x40,
	VM_LOCKONFAULT = 0x80,
	VM_NORESERVE = 0x100,
	VM_DONTFORK = 0x200,
	VM_WIPEONFORK = 0x400,
	VM_DONTDUMP = 0x800,
	VM_HUGEPAGE = 0x1000,
	VM_NOHUGEPAGE = 0x2000,
	VM_SEQUENTIAL = 0x4000,
	VM_RANDOM = 0x8000,
	VM_SPECIAL = 0x10000, /* [vvar], [vdso]: the host's own; their source says so */
	VM_SEALED = 0x20000,
	VM_MERGEABLE = 0x40000,
	VM_SECRET = 0x80000, /* memfd_secret(2) */
	VM_HUGETLB = 0x100000,
	VM_POLICY_SHIFT = 21, /* the bits from here on are the number of the memory policy (mm/policy.py) */
};

typedef struct {
	PyObject_HEAD
	uint64_t start, end, offset;
	int prot;
	unsigned flags;
	PyObject *file, *source, *name;
} Vma;

typedef struct {
	PyObject_HEAD
	Vma **vmas; /* by address */
	size_t count, allocated;
	uint64_t lowest, base, reserved_start, reserved_end;
	uint64_t total, data;
	uint64_t gap_floor, gap_size; /* every gap between gap_floor and base is shorter than gap_size */
	char bottom_up;		      /* the legacy layout: room is looked for from base upwards */
} VmaList;

typedef struct {
	PyObject_HEAD
	VmaList *areas;
	uint64_t brk_start, brk_end, code_start, code_end, data_start, data_end, stack_start;
	uint64_t arg_start, arg_end, env_start, env_end;
	unsigned lock_future;
	int users;
	char locked, sealed, attached, secret;
	unsigned char mdwe; /* PR_MDWE_* bits (PR_SET_MDWE in prctl(2)) */
	PyObject *exe, *auxv;
} Space;

extern PyTypeObject VmaType, VmaListType, SpaceType, FileSourceType;

/* vma.c: new references; arguments are borrowed and may be NULL where an object has none */
Vma *vma_new(uint64_t start, uint64_t end, int prot, unsigned flags, PyObject *file, PyObject *source,
	     uint64_t offset, PyObject *name);
Vma *vma_part(Vma *vma, uint64_t start, uint64_t end); /* another range of it; the offset follows the start */
Vma *vma_changed(Vma *vma, int prot, unsigned flags);
bool vma_joins(Vma *vma, Vma *after);
/* What is mapped of a file that has a path, as Vma.source: its inode is all there is to know. */
PyObject *file_source_new(PyObject *inode);

static inline bool vma_is_data(Vma *vma) /* counts for RLIMIT_DATA */
{
	return vma->prot & 2 /* PROT_WRITE */ && !(vma->flags & (VM_SHARED | VM_GROWSDOWN));
}

/* vma_list.c */
VmaList *vma_list_new(uint64_t lowest, uint64_t base);
size_t vma_list_index(VmaList *list, uint64_t addr);  /* of the first mapping that ends after addr */
size_t vma_list_before(VmaList *list, uint64_t addr); /* how many mappings start below addr */
Vma *vma_list_find(VmaList *list, uint64_t addr);     /* borrowed, or NULL */
bool vma_list_is_free(VmaList *list, uint64_t start, uint64_t end);
bool vma_list_is_reserved(VmaList *list, uint64_t start, uint64_t end);
/* Where a mapping of `length` bytes goes when it may go anywhere; NO_ROOM. */
uint64_t vma_list_room(VmaList *list, uint64_t length);
/* The start of the highest gap of `length` bytes below `base`: of its top end; NO_ROOM. */
uint64_t vma_list_room_below(VmaList *list, uint64_t length);
/* The lowest free range of `length` bytes within [low, high); NO_ROOM. */
uint64_t vma_list_room_above(VmaList *list, uint64_t length, uint64_t low, uint64_t high);
/* The list for fork's child: without what is VM_DONTFORK, nothing locked. */
VmaList *vma_list_fork(VmaList *list);
/* Put `pieces` (sorted, references taken over) in place of all in [start, end); neighbours join. */
void vma_list_replace(VmaList *list, uint64_t start, uint64_t end, Vma **pieces, size_t count);
void *vma_must(void *memory); /* what an allocation gave, or the end of the sentry */

/* space.c */
/* Whether [addr, addr + length) is guest code that may be changed: within one private mapping that is
 * executable, not writable, and not the host's own. */
bool space_may_patch(PyObject *mm, uint64_t addr, uint64_t length);
/* Whether memory of memfd_secret(2) has ever been mapped there. */
bool space_has_secrets(PyObject *mm);

#endif
