/* The host's [vvar] and [vdso] in stubs that are host processes. */
#ifndef VDSO_H
#define VDSO_H

#include <stdint.h>

/* A host call made by a stub; its result as the kernel returns it. */
typedef int64_t host_call(void *stub, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
			  uint64_t f);

/* Learn from our own process what belongs together; before /proc is out of reach. */
void vdso_locate(void);
/* Leave nothing in the first stub but [PF_STUB_BASE, stub_end) and, if it can be, the vDSO, whose ELF header is at
 * `ehdr`, right below PF_GUEST_END.  -EAGAIN: source and target overlap, which another exec will cure. */
int vdso_settle(host_call *call, void *stub, uint64_t stub_end, uint64_t ehdr);
/* Where the function of the vDSO at `base` is, 0: it has none of that name. */
uint64_t vdso_symbol(const char *name, uint64_t base);
/* The contract's `vdso`. */
void op_vdso(uint64_t *vvar_start, uint64_t *vdso_start, uint64_t *vdso_end);

#endif
