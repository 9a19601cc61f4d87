/* A filter's program as an object holds it. */
#ifndef RUNSC_BPF_PROGRAM_H
#define RUNSC_BPF_PROGRAM_H

#include "cbpf.h"
#include "core.h"

struct bpf_program {
	struct sock_filter *code; /* owned */
	unsigned length;	  /* instructions */
};

/* A copy of what the buffer holds; false: MemoryError, or Errno(EINVAL) where Linux would not take it. */
bool program_take(struct bpf_program *program, const Py_buffer *from, enum cbpf_kind kind);
/* Its text, as bytes. */
PyObject *program_text(const struct bpf_program *program);
void program_free(struct bpf_program *program);

#endif
