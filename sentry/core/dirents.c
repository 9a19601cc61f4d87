/* getdents64: a directory's listing, which Python has taken, as records (twin: sentry.syscalls.dirs). */
#include "core.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define BUFFER (64 << 10)

struct record {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
} __attribute__((packed));

static char buffer[BUFFER];

/* Write the record of listing[index] at `out`; its size, 0: there is no room, -1: it is no such listing. */
static ssize_t put(PyObject *listing, Py_ssize_t index, char *out, size_t room)
{
	PyObject *entry = PyList_GET_ITEM(listing, index);
	if (!PyTuple_Check(entry) || PyTuple_GET_SIZE(entry) != 3)
		return -1;
	PyObject *name = PyTuple_GET_ITEM(entry, 0);
	if (!PyBytes_Check(name))
		return -1;
	size_t length = (size_t)PyBytes_GET_SIZE(name);
	size_t size = (sizeof(struct record) + length + 1 + 7) & ~(size_t)7;
	if (size > room)
		return 0;
	if (length > NAME_MAX)
		return -1;
	struct record *record = (struct record *)out;
	memset(out, 0, size);
	record->ino = PyLong_AsUnsignedLongLongMask(PyTuple_GET_ITEM(entry, 1));
	record->off = index + 1;
	record->reclen = (uint16_t)size;
	record->type = (uint8_t)PyLong_AsUnsignedLongMask(PyTuple_GET_ITEM(entry, 2));
	memcpy(record->name, PyBytes_AS_STRING(name), length);
	if (PyErr_Occurred()) {
		PyErr_Clear();
		return -1;
	}
	return (ssize_t)size;
}

/* Fill `buffer` with the records from listing[*index] on, which moves behind the last; the bytes, or -1. */
static ssize_t fill(PyObject *listing, Py_ssize_t *index, size_t room)
{
	size_t done = 0;
	if (room > sizeof buffer)
		room = sizeof buffer;
	while (*index >= 0 && *index < PyList_GET_SIZE(listing)) {
		if (PyList_GET_ITEM(listing, *index) == Py_None) {
			++*index; /* gone since the listing was taken */
			continue;
		}
		ssize_t size = put(listing, *index, buffer + done, room - done);
		if (size < 0)
			return -1;
		if (!size)
			break;
		done += (size_t)size;
		++*index;
	}
	return (ssize_t)done;
}

/* The end of a listing.  All else is Python's: it knows what is in the directory, and what isn't any more. */
static int64_t hot_getdents64(Task *task, struct pf_regs *regs)
{
	File *file = fdtable_peek(task, regs->rdi);
	struct place at;
	if (!file || file->pos <= 0 || !file->state || !PyList_CheckExact(file->state) || file_watched(file))
		return HOT_MISS;
	if (!place_of(file->path, &at))
		return HOT_MISS;
	Inode *inode = dentry_inode(at.dentry);
	if (!inode || !S_ISDIR(inode->mode) || at.dentry->deleted)
		return HOT_MISS;
	return file->pos < PyList_GET_SIZE(file->state) ? HOT_MISS : 0;
}

static PyObject *directory_records(PyObject *module, PyObject *args)
{
	(void)module;
	PyObject *listing;
	Py_ssize_t index, room;
	if (!PyArg_ParseTuple(args, "O!nn", &PyList_Type, &listing, &index, &room))
		return NULL;
	ssize_t done = fill(listing, &index, room < 0 ? 0 : (size_t)room);
	if (done < 0)
		return PyErr_Format(PyExc_TypeError, "listing: tuples of name, number and type are wanted");
	return Py_BuildValue("y#n", buffer, (Py_ssize_t)done, index);
}

PyMethodDef dirents_methods[] = {
	{"directory_records", directory_records, METH_VARARGS, NULL},
	{0},
};

void hot_dirents_init(void)
{
	hot_calls[SYS_getdents64] = hot_getdents64;
}
