/* The objects of sentry._core: hot kernel state that the C answers and Python share.
 *
 * Ownership: every PyObject * member is an owned reference or NULL (seen from Python as None).
 * The kernel is one thread that always holds the GIL; the only other thread is the watcher of
 * machine.c, which touches none of this.
 */
#ifndef RUNSC_CORE_H
#define RUNSC_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include "platform.h"

enum { KIND_PYTHON, KIND_INODE, KIND_PIPE, KIND_EVENTFD, KIND_NULL, KIND_ZERO, KIND_FULL };

enum { WORK_SIGNAL = 1, WORK_EXIT = 2, WORK_STOP = 4, WORK_OTHER = 8 };

/* The most that one read or write moves (MAX_RW_COUNT of the x86-64 kernel). */
#define MAX_RW_COUNT 0x7ffff000ULL

typedef struct {
	PyObject_HEAD
	PyObject *waiters; /* dict used as an ordered set; NULL until the first add */
} WaitQueue;

typedef struct {
	PyObject_HEAD
	unsigned long long ino, dev, rdev, nlink, size, blksize;
	unsigned int mode, uid, gid;
	long long atime, mtime, ctime, btime;
	int fd;
	char is_volatile, writable;
	PyObject *pool; /* PagePool that the contents are charged to; NULL: no such account, C must not grow it */
	long long charged; /* pages */
} Inode;

/* The pages that a file system in memory may take. */
typedef struct {
	PyObject_HEAD
	long long limit, used;
} PagePool;

typedef struct {
	PyObject_HEAD
	int kind, flags;
	long long pos;
	char readable, writable;
	PyObject *inode, *state, *queue;
} File;

typedef struct {
	PyObject_HEAD
	unsigned char *data;
	size_t capacity, allocated, head, length;
	int readers, writers;
	PyObject *queue;
} PipeBuffer;

typedef struct {
	PyObject_HEAD
	unsigned long long value;
	char semaphore;
	PyObject *queue;
} Counter;

struct fd_slot {
	PyObject *file;
	bool cloexec;
};

typedef struct {
	PyObject_HEAD
	struct fd_slot *slots;
	int allocated, used, lowest; /* no free slot below `lowest` */
	long long limit;
} FdTable;

typedef struct {
	PyObject_HEAD
	unsigned int uid, euid, suid, fsuid, gid, egid, sgid, fsgid;
} Creds;

typedef struct {
	PyObject_HEAD
	int tgid, pgid, sid;
	PyObject *parent;
	unsigned long long pending, fsize_limit;
} Group;

typedef struct {
	PyObject_HEAD
	struct pf_context *pf; /* NULL once ended */
} Context;

typedef struct {
	PyObject_HEAD
	int tid;
	unsigned int work;
	unsigned long long sigmask, pending;
	PyObject *group, *creds, *files, *mm, *ctx;
} Task;

typedef struct {
	PyObject_HEAD
	char hot, ready, stop;
	unsigned long long hot_calls, cold_calls;
	PyObject *capsule, *kernel;
} Machine;

extern PyTypeObject WaitQueueType, InodeType, PagePoolType, FileType, PipeBufferType, CounterType,
	FdTableType, CredsType, GroupType, ContextType, TaskType, MachineType;
extern const struct pf_ops *ops; /* the back-end in use; NULL before Machine() */
extern PyObject *no_result;

/* errors.c */
PyObject *raise_errno(int code); /* sets Errno(code), returns NULL */
int load_errors(void);

/* queue.c */
int queue_wake(PyObject *queue, unsigned events); /* 0, or -1 with an exception set; NULL queue is fine */
/* The same for a caller that can't fail: an exception is reported and dropped. */
void queue_wake_quietly(PyObject *queue, unsigned events);

/* usercopy.c: bytes copied, or -EFAULT when none.  Stacks grow.  An exception in the memory manager's hook is
 * reported and counts as a fault. */
ssize_t task_read(Task *task, uint64_t addr, void *buf, size_t len);
ssize_t task_write(Task *task, uint64_t addr, const void *buf, size_t len);
extern PyMethodDef usercopy_methods[];

/* inode.c */
void inode_stat(Inode *inode, void *stat144);
long long now_coarse(void); /* CLOCK_REALTIME_COARSE, ns: what file timestamps are made of */

/* fdtable.c: borrowed reference or NULL without an exception */
File *fdtable_peek(Task *task, uint64_t fd);

/* pipe.c */
size_t pipe_room(PipeBuffer *pipe, unsigned char **at); /* first contiguous free part; *at NULL: no memory */
size_t pipe_part(PipeBuffer *pipe, unsigned char **at); /* first contiguous part of the data */
void pipe_commit(PipeBuffer *pipe, size_t count);
void pipe_consume(PipeBuffer *pipe, size_t count);

/* context.c: what a platform's call has made, as a new reference that owns it; Errno for a negative result */
PyObject *context_adopt(int result, struct pf_context *pf);
struct pf_context *context_pf(PyObject *context); /* NULL with Errno(ESRCH) when ended */

/* machine.c */
int machine_load(void);

/* watcher.c: a thread that kicks the platform when a host descriptor becomes readable */
int watcher_start(int fd); /* 0 or an errno */
bool watcher_fired(void);  /* test and clear; the thread rests until watcher_resume */
void watcher_resume(void);

/* hot_*.c: the C answers.  HOT_MISS means "not mine": the Python handler must answer. */
#define HOT_MISS INT64_MIN
#define HOT_COUNT 512
typedef int64_t (*hot_call)(Task *task, struct pf_regs *regs);
extern hot_call hot_calls[HOT_COUNT];
void hot_ids_init(void);
void hot_io_init(void);
/* hot_inode.c: the inode of a regular file that C may use as it is, else NULL; bytes moved, -EFAULT or
 * HOT_MISS.  `pos` is not negative; the file's own position stays. */
Inode *regular_inode(File *file);
int64_t inode_read(Task *task, File *file, uint64_t addr, uint64_t count, long long pos);
int64_t inode_write(Task *task, File *file, uint64_t addr, uint64_t count, long long pos);
/* Waiters per futex bucket (an address's offset in its page): zero means no one waits there. */
extern unsigned futex_waiters[1024];

/* host.c */
extern PyMethodDef host_methods[];

#endif
