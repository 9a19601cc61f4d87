/* The stub's layout, shared by stub.S and the tracer.
 *
 * Two pages at PF_STUB_BASE in every guest address space: code (read and execute) and data (read and write,
 * scratch space of STUB_MAP alone).  Nothing in the data page is trusted: guest threads can write to it at
 * any moment.
 */
#ifndef STUB_H
#define STUB_H

#define STUB_BASE 0x7fff80000000 /* = PF_STUB_BASE, without C's suffix */
#define STUB_DATA 0x7fff80001000
#define STUB_END 0x7fff80002000
#define STUB_PAGE 0x1000

/* Entry points: offsets in the code page. */
#define STUB_CALL 0x00	  /* one system call, arguments as the kernel wants them */
#define STUB_TRAP 0x02	  /* int3: the end of every routine */
#define STUB_MAP 0x10	  /* receive a descriptor, mmap it, close it */
#define STUB_CMPXCHG 0xe0 /* lock cmpxchg %ecx, (%rdi) with %eax */

#define STUB_TRAPPED (STUB_TRAP + 1) /* offset of %rip in the stop behind int3 */

#define STUB_SOCKET 0	/* the only descriptor of a stub */
#define STUB_RECEIVED 1 /* so a received one always gets this number: it need not be read from memory */

#endif
