/* The program of a SeccompFilter or SocketFilter: taken from Python, and given back. */
#include "bpf_program.h"

#include <errno.h>

bool program_take(struct bpf_program *program, const Py_buffer *from, enum cbpf_kind kind)
{
	size_t size = (size_t)from->len, length = size / sizeof *program->code;
	if (!(program->code = PyMem_Malloc(size + 1))) {
		PyErr_NoMemory();
		return false;
	}
	memcpy(program->code, from->buf, size);
	if (length * sizeof *program->code != size || length > BPF_MAXINSNS ||
	    !cbpf_check(program->code, (unsigned)length, kind)) {
		raise_errno(EINVAL);
		return false;
	}
	program->length = (unsigned)length;
	return true;
}

PyObject *program_text(const struct bpf_program *program)
{
	Py_ssize_t size = (Py_ssize_t)(program->length * sizeof *program->code);
	return PyBytes_FromStringAndSize((const char *)program->code, size);
}

void program_free(struct bpf_program *program)
{
	PyMem_Free(program->code);
}
