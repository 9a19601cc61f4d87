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
#include "wait.h"

enum { KIND_PYTHON, KIND_INODE, KIND_PIPE, KIND_EVENTFD, KIND_NULL, KIND_ZERO, KIND_FULL, KIND_EPOLL };

/* Task.guard: who must see the task's calls before they are answered, and that its code is shown to a tracer. */
enum { GUARD_STRICT = 1, GUARD_FILTER = 2, GUARD_CALLS = 4, GUARD_TRACED = 8, GUARD_DISPATCH = 16 };
#define GUARD_LOOK (GUARD_STRICT | GUARD_FILTER | GUARD_CALLS | GUARD_DISPATCH)

enum { WORK_SIGNAL = 1, WORK_EXIT = 2, WORK_STOP = 4, WORK_OTHER = 8, WORK_HOLD = 16, WORK_BARRIER = 32 };

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
	long long held; /* blocks that the host told of; -1: not the host's file */
	int fd;
	char is_volatile, writable;
	char pinned; /* mapped by guests now or before: fd must stay, and pages come by other ways than writes */
	char locked; /* somebody has or awaits a POSIX or OFD lock on it: each close must look */
	int openers, writers; /* open files of it, those that may write */
	int wary;	      /* not 0: it runs or is leased, and who opens it must take care: Python's */
	char has_caps; /* the attribute security.capability, which a write takes away */
	char guarded; /* more than its permission bits says who may use it: Python decides */
	unsigned fs_flags, flags_kept; /* FS_*_FL that are set, and those that can be (ioctl_iflags(2)) */
	char watched; /* somebody wants to hear of it or of what is in it (sentry.vfs.notify) */
	PyObject *target; /* of a symbolic link whose target never changes (bytes); NULL: ask Python */
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
	PyObject *path, *inode, *state, *queue;
	PyObject *owner; /* who gets its signals (sentry.vfs.owner) */
	char counted;	 /* the inode's counts have it: 1 as open, 2 as open for writing */
	char registered;	 /* counts as open */
	int denied;	 /* Landlock's rights that it was opened without */
	PyObject *opener; /* the credentials of who opened it by name; NULL: it has none */
	char created;	 /* this open has made the file */
} File;

/* One name; see sentry.vfs.path. */
typedef struct {
	PyObject_HEAD
	PyObject *name, *parent, *inode, *children;
	int mounted;
	char deleted, is_volatile;
} Dentry;

typedef struct {
	PyObject_HEAD
	PyObject *fs, *root, *parent, *point, *mounts;
	unsigned int flags; /* MS_*, MOUNT_IDMAPPED and MOUNT_WATCHED */
	int id;
	char expiring; /* MNT_EXPIRE marked it, and no walk has ended in it since */
} Mount;

typedef struct {
	PyObject_HEAD
	PyObject *mount, *dentry; /* a Mount and a Dentry, never NULL once made */
} Path;

typedef struct {
	PyObject_HEAD
	PyObject *root, *cwd;
	unsigned int umask;
} FsContext;

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
	int users;		     /* tasks that have it: CLONE_FILES */
	long long limit;
} FdTable;

typedef struct {
	PyObject_HEAD
	unsigned int uid, euid, suid, fsuid, gid, egid, sgid, fsgid;
	PyObject *user_ns; /* UserNamespace, by which ids are shown; NULL: the initial one */
	char restricted;   /* it has a Landlock domain: Python opens files */
} Creds;

/* A user namespace's map of one kind of ids: `inner` ones seen inside are `outer` ones of the initial namespace. */
struct id_section {
	unsigned inner, outer, length;
};

struct id_map {
	struct id_section *sections;
	size_t count;
};

typedef struct {
	PyObject_HEAD
	char initial; /* every id is shown as it is */
	struct id_map uids, gids;
} UserNamespace;

/* What a signal does, laid out as the kernel's struct sigaction (sigaction(2)). */
struct signal_action {
	uint64_t handler, flags, restorer, mask;
};

#define NSIG_MAX 64
#define SIG_BIT(signo) (1ULL << ((signo) - 1))
#define SIG_UNBLOCKABLE (SIG_BIT(9) | SIG_BIT(19)) /* SIGKILL, SIGSTOP */

typedef struct {
	PyObject_HEAD
	struct signal_action actions[NSIG_MAX + 1]; /* by signal number; 0 is unused */
	PyObject *queue;
} SignalActions;

typedef struct {
	PyObject_HEAD
	int tgid, pgid, sid; /* as the initial PID namespace has them */
	int local_tgid;	     /* as its own PID namespace has it */
	char nested;	     /* that is another one */
	PyObject *pid_ns;
	PyObject *parent;
	PyObject *tasks;   /* list of the live ones */
	PyObject *sighand; /* SignalActions */
	PyObject *rlimits; /* list of (soft, hard) by resource */
	unsigned long long pending, fsize_limit;
} Group;

typedef struct {
	PyObject_HEAD
	struct pf_context *pf; /* NULL once ended */
} Context;

struct Task {
	PyObject_HEAD
	int tid, local_tid; /* in the initial PID namespace, and in its own */
	int state, outcome, syscall_nr;
	char interruptible;
	char reads_execute; /* what it may read it may execute: READ_IMPLIES_EXEC (personality(2)) */
	char shifted; /* its monotonic clocks are not the machine's (time_namespaces(7)) */
	unsigned int work, guard;
	unsigned int altstack_flags; /* as set; without a size there is no alternate stack */
	unsigned long long sigmask, pending;
	unsigned long long altstack_sp, altstack_size;
	unsigned long long clear_child_tid, robust_list;
	struct pf_rseq rseq;
	unsigned long long fault_error, fault_trapno, fault_addr; /* of the last fault: sigcontext's */
	unsigned long long rchar, wchar, syscr, syscw;		  /* of /proc/PID/io */
	unsigned long long waits;				  /* how often it has waited: voluntary switches */
	PyObject *group, *creds, *files, *mm, *ctx, *fs;
	PyObject *filter; /* SeccompFilter, the latest one */
	struct parked parked;
};

typedef struct {
	PyObject_HEAD
	char hot, ready, stop, patch;
	unsigned long long hot_calls, cold_calls;
	PyObject *capsule, *kernel;
	PyObject *futexes; /* FutexTable */
} Machine;

extern PyTypeObject WaitQueueType, InodeType, PagePoolType, FileType, PipeBufferType, CounterType,
	FdTableType, CredsType, GroupType, ActionType, SignalActionsType, ContextType, TaskType, MachineType;
extern PyTypeObject UserNamespaceType, DentryType, MountType, PathType, FsContextType;
extern const struct pf_ops *ops; /* the back-end in use; NULL before Machine() */
extern Machine *machine;	 /* the one that runs; NULL before Machine() */
extern PyObject *no_result;

/* module.c */
int no_arguments(PyObject *self, PyObject *args, PyObject *kwargs); /* tp_init that leaves them to subclasses */

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
/* A C string of at most `limit` bytes, NUL included: its length, -EFAULT or -ENAMETOOLONG. */
ssize_t task_read_str(Task *task, uint64_t addr, char *buf, size_t limit);
extern PyMethodDef usercopy_methods[]; /* all of TaskBase's */

/* file.c: what FileBase(flags, path, inode) does; references are borrowed, NULL for None */
void file_set_up(File *file, int flags, PyObject *path, PyObject *inode);
#define FILES_MAX 131072 /* fs.file-max: open files of a sandbox, whoever has them */
extern long open_files;

/* walk.c */
struct place {
	Mount *mount; /* borrowed */
	Dentry *dentry;
};
FsContext *fs_context(Task *task);		      /* borrowed, or NULL */
#define MOUNT_IDMAPPED (1U << 26) /* files have other owners there: all about them is Python's (sentry.vfs.mounts.mount) */
#define MOUNT_WATCHED (1U << 27)  /* somebody wants to hear of all that is done there */
bool place_of(PyObject *path, struct place *at);     /* false: it is no path */
Inode *dentry_inode(Dentry *dentry);		      /* borrowed; NULL: there is none */
/* Whether the owner, group and other bits alone grant `wanted` (4 read, 2 write, 1 search); else Python must
 * say. */
bool permits(PyObject *creds, Inode *inode, unsigned wanted);
/* The place that the name at `addr` in the task's memory means: 0, -ENOENT, -ENOTDIR, or HOT_MISS when the cache
 * doesn't tell. */
int64_t walk_to(Task *task, int dirfd, uint64_t addr, bool follow, struct place *at);
bool file_idmapped(File *file); /* it was opened on an idmapped mount */
extern PyMethodDef walk_methods[];

/* dentry.c */
PyObject *path_new(PyTypeObject *type, Mount *mount, Dentry *dentry);
int dentry_load(void);

/* inode.c */
void inode_stat(Inode *inode, Task *reader, void *stat144); /* with the ids as the reader sees them */

/* id_map.c: ids as a task sees them */
unsigned uid_shown(Task *reader, unsigned uid);
unsigned gid_shown(Task *reader, unsigned gid);

/* ids.c */
int group_parent(Group *group); /* getppid(2): 0 when the parent is outside of the PID namespace */
unsigned long long inode_blocks(Inode *inode); /* st_blocks */
struct timespec split_time(long long ns);      /* since the epoch, or before it */
/* A file was read through a mount (NULL: none): note when, as far as the mount wants it (mount(8), relatime). */
void inode_accessed(PyObject *mount, Inode *inode);
long long now_coarse(void); /* CLOCK_REALTIME_COARSE, ns: what file timestamps are made of */

/* notify.c */
#define FMODE_NONOTIFY 0x4000000 /* among an open file's flags: its use is no event (sentry.abi.fcntl) */
enum { WATCH_NONE, WATCH_SOME, WATCH_ALL }; /* nobody, inodes whose `watched` is set, mounts and ends too */
extern int watch_level;
bool place_watched(struct place *at); /* the file, the directory that it is in, or the mount */
bool file_watched(File *file);	     /* whether events must be told: then a call on it is Python's */
void notify_acting(Task *task);	     /* whose call it is; noted while everything is watched */
void notify_closed(File *file);	     /* its last reference goes */
void notify_ended(Dentry *dentry);   /* the same */
extern PyMethodDef notify_methods[];

/* fdtable.c: borrowed reference or NULL without an exception */
File *fdtable_peek(Task *task, uint64_t fd);
/* The descriptor that the next open gets; -1: none is left. */
int fdtable_lowest(FdTable *table);
/* Put file at a descriptor that is free, from fdtable_lowest(); 0, or -1 with an exception. */
int fdtable_install(FdTable *table, int fd, PyObject *file, bool cloexec);
/* Free fd; its file, whose reference is the caller's now, or NULL. */
PyObject *fdtable_take(FdTable *table, uint64_t fd);

/* sigframe.c: signal frames on the guest's stack.  `enter` makes the frame of a handler and enters it, with the
 * mask that rt_sigreturn(2) will restore; `leave` is rt_sigreturn.  0 or -EFAULT, and then nothing has changed but
 * memory below the stack pointer. */
int sigframe_enter(Task *task, int signo, const struct signal_action *action, const void *info128, uint64_t mask);
int sigframe_leave(Task *task);
/* The alternate stack as sigaltstack(2) tells it to a thread with this stack pointer; its replacement, 0 or -errno. */
int altstack_flags(Task *task, uint64_t sp);
int altstack_set(Task *task, uint64_t base, int flags, uint64_t size, uint64_t sp);

/* rseq.c: have a task that has stopped in a critical section go on at its abort handler.  false: what its struct
 * rseq says makes no sense. */
bool rseq_abort(Task *task, struct pf_context *pf);
/* TaskBase's methods */
PyObject *task_rseq(Task *task, PyObject *args);
PyObject *task_abort_rseq(Task *task, PyObject *unused);
PyObject *task_inherit_rseq(Task *task, PyObject *parent);
PyObject *task_end_rseq(Task *task, PyObject *shared);

/* pipe.c */
size_t pipe_room(PipeBuffer *pipe, unsigned char **at); /* first contiguous free part; *at NULL: no memory */
size_t pipe_part(PipeBuffer *pipe, unsigned char **at); /* first contiguous part of the data */
void pipe_commit(PipeBuffer *pipe, size_t count);
void pipe_consume(PipeBuffer *pipe, size_t count);

/* context.c: what a platform's call has made, as a new reference that owns it; Errno for a negative result */
PyObject *context_adopt(int result, struct pf_context *pf);
struct pf_context *context_pf(PyObject *context); /* NULL with Errno(ESRCH) when ended */

/* The registers of a task that is in a call. */
static inline struct pf_regs *task_regs(Task *task)
{
	return &((Context *)task->ctx)->pf->regs;
}

/* facts.c: for back-ends that answer calls by themselves or patch code; nothing with --no-hot */
void facts_publish(Task *task, struct pf_context *pf);
void site_offer(Task *task, struct pf_context *pf);

/* seccomp.c: whether the guards let a call go on without Python */
bool guard_passes(Task *task, struct pf_context *pf);
PyObject *task_filter_verdict(Task *task, PyObject *unused); /* TaskBase.filter_verdict */
extern PyTypeObject SeccompFilterType, SocketFilterType;

/* machine.c */
int machine_load(void);

/* watcher.c: a thread that kicks the platform when a host descriptor becomes readable */
int watcher_start(int fd); /* 0 or an errno */
bool watcher_fired(void);  /* test and clear; the thread rests until watcher_resume */
void watcher_resume(void);

/* hot_*.c: the C answers.  HOT_MISS means "not mine": the Python handler must answer. */
#define HOT_MISS INT64_MIN
#define HOT_DONE (INT64_MIN + 1) /* answered, and all registers are as they must be, rax included */
#define HOT_PARK (INT64_MIN + 2) /* it waits: `park` has been called */
#define HOT_COUNT 512

/* io_counts.c: a call under way ends with this result. */
void io_count(Task *task, int64_t result);
typedef int64_t (*hot_call)(Task *task, struct pf_regs *regs);
extern hot_call hot_calls[HOT_COUNT];
void hot_ids_init(void);
void hot_io_init(void);
int hot_mm_init(void); /* 0, or -1 with an exception */
void hot_signal_init(void);
void hot_process_init(void);
/* hot_process.c: have a call that Python has refused answered with -error from now on; false: no such number. */
bool hot_refuse(long nr, int error);
void hot_stat_init(void);
void hot_path_init(void);
int hot_path_load(void);
void hot_fd_init(void);
void hot_dirents_init(void);
void hot_rseq_init(void);
extern PyMethodDef dirents_methods[]; /* dirents.c */
/* hot_inode.c: the inode of a regular file that C may use as it is, else NULL; bytes moved, -EFAULT or
 * HOT_MISS.  `pos` is not negative; the file's own position stays. */
Inode *regular_inode(File *file);
int64_t inode_read(Task *task, File *file, uint64_t addr, uint64_t count, long long pos);
int64_t inode_write(Task *task, File *file, uint64_t addr, uint64_t count, long long pos);
/* hot_pipe.c */
int64_t read_pipe(Task *task, File *file, uint64_t addr, uint64_t count);
int64_t write_pipe(Task *task, File *file, uint64_t addr, uint64_t count);
int64_t read_counter(Task *task, File *file, uint64_t addr, uint64_t count);
int64_t write_counter(Task *task, File *file, uint64_t addr, uint64_t count);

/* host.c */
extern PyMethodDef host_methods[];

#endif
