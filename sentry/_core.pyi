"""The C dispatcher: the event loop, the guest's memory and registers, and the hot state.

Hot state lives here once; Python uses these objects as the only truth.  Subclasses add the cold rest.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

NO_RESULT: Final[object]  # a handler's answer: leave the registers alone (rt_sigreturn, execve)

# FileBase.kind: which C answer serves read/write/lseek/... ; KIND_PYTHON: none, Python always.
KIND_PYTHON: Final = 0
KIND_INODE: Final = 1  # regular file whose bytes are those of inode.fd (tmpfs memfd or host file)
KIND_PIPE: Final = 2
KIND_EVENTFD: Final = 3
KIND_NULL: Final = 4
KIND_ZERO: Final = 5
KIND_FULL: Final = 6

# Bits of TaskBase.work: reasons to call Kernel.on_return before guest code goes on.
WORK_SIGNAL: Final = 1  # a signal may be deliverable
WORK_EXIT: Final = 2  # the task must die
WORK_STOP: Final = 4  # the thread group is stopping
WORK_OTHER: Final = 8

class WaitQueue:
    """Those who wait for something to change.  Members need `notify(events: int) -> bool`."""

    def __init__(self) -> None: ...
    def add(self, waiter: Any) -> None: ...
    def remove(self, waiter: Any) -> None:
        """Absent waiters are ignored."""
    def wake(self, events: int) -> None:
        """Call notify(events) of every member (of a snapshot: members may come and go meanwhile)."""
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Any]: ...

class InodeBase:
    """What stat(2) tells, and the host descriptor that holds a regular file's bytes."""

    ino: int
    dev: int
    mode: int
    nlink: int
    uid: int
    gid: int
    rdev: int
    size: int
    blksize: int
    atime: int  # nanoseconds since the epoch
    mtime: int
    ctime: int
    btime: int
    fd: int  # host descriptor of the contents, -1: none.  Owned: closed when replaced or when the inode dies
    volatile: bool  # attributes must be refreshed by Python (getattr()) before they are used
    writable: bool  # fd was opened for writing: the C write path may use it
    pool: PagePool | None  # what the contents are charged to; None: C must not grow the file
    charged: int  # pages charged to it
    def __init__(self) -> None: ...
    def stat_bytes(self) -> bytes:
        """struct stat (144 bytes, x86-64)."""
    def blocks(self) -> int:
        """st_blocks: 512-byte units held by fd, or from size when there is none."""

class PagePool:
    """The pages that a file system in memory may take."""

    limit: int
    used: int
    def __init__(self, limit: int) -> None: ...

class FileBase:
    """An open file description."""

    kind: int
    flags: int  # O_ACCMODE and the status flags (O_APPEND, O_NONBLOCK, ...)
    pos: int
    readable: bool
    writable: bool
    inode: Any  # InodeBase or None
    state: Any  # PipeBuffer for KIND_PIPE, Counter for KIND_EVENTFD, else anything
    queue: Any  # WaitQueue (made on first use unless set)
    def __init__(self) -> None: ...

class PipeBuffer:
    """The bytes of a pipe, FIFO or stream socket direction; a bounded ring."""

    capacity: int
    readers: int
    writers: int
    queue: WaitQueue  # shared by both ends: POLLIN after a write, POLLOUT after a read
    def __init__(self, capacity: int = 65536) -> None: ...
    def __len__(self) -> int: ...
    def put(self, data: bytes) -> int:
        """Append what fits; returns the count.  Wakes nobody."""
    def get(self, count: int) -> bytes:
        """Take up to `count` bytes.  Wakes nobody."""
    def peek(self, count: int) -> bytes: ...

class Counter:
    """An eventfd's counter (eventfd(2))."""

    value: int
    semaphore: bool
    queue: WaitQueue
    def __init__(self, value: int = 0, semaphore: bool = False) -> None: ...

class FdTable:
    """File descriptors to open file descriptions, with their close-on-exec flags."""

    limit: int  # RLIMIT_NOFILE's soft value, kept here by prlimit
    def __init__(self) -> None: ...
    def get(self, fd: int) -> Any:
        """The file; raises Errno(EBADF)."""
    def install(self, file: FileBase, cloexec: bool = False, minimum: int = 0) -> int:
        """The lowest free descriptor >= minimum; raises Errno(EMFILE)."""
    def lowest_free(self) -> int:
        """The descriptor that `install` would choose; raises Errno(EMFILE)."""
    def set(self, fd: int, file: FileBase, cloexec: bool = False) -> Any:
        """Put file at exactly fd; returns the file that was there, or None.  Errno(EBADF) beyond limit."""
    def remove(self, fd: int) -> Any:
        """Free fd and return its file; raises Errno(EBADF)."""
    def cloexec(self, fd: int) -> bool: ...
    def set_cloexec(self, fd: int, on: bool) -> None: ...
    def copy(self) -> FdTable: ...
    def close_on_exec(self) -> list[Any]:
        """Remove the close-on-exec descriptors and return their files."""
    def items(self) -> list[tuple[int, Any]]: ...
    def __len__(self) -> int: ...

class CredsBase:
    """Numeric identity; replaced whole when it changes."""

    uid: int
    euid: int
    suid: int
    fsuid: int
    gid: int
    egid: int
    sgid: int
    fsgid: int
    def __init__(self) -> None: ...

class GroupBase:
    """What the C answers need of a thread group."""

    tgid: int
    parent: Any  # GroupBase or None: getppid
    pending: int  # shared pending signals, bit n-1 for signal n
    pgid: int
    sid: int
    fsize_limit: int  # RLIMIT_FSIZE's soft value (2**64-1: infinity)
    def __init__(self) -> None: ...

class Context:
    """One guest thread's registers and the way into its address space (struct pf_context)."""

    r15: int; r14: int; r13: int; r12: int; rbp: int; rbx: int; r11: int; r10: int; r9: int; r8: int
    rax: int; rcx: int; rdx: int; rsi: int; rdi: int; orig_rax: int; rip: int; cs: int; eflags: int
    rsp: int; ss: int; fs_base: int; gs_base: int; ds: int; es: int; fs: int; gs: int
    running: bool  # read-only
    host_tid: int  # read-only
    compat: bool  # read-only: this call came by the 32-bit entry
    def get_regs(self) -> tuple[int, ...]:
        """All registers in the order of struct user_regs_struct."""
    def set_regs(self, regs: Sequence[int]) -> None: ...
    def clone_regs(self, other: Context) -> None: ...
    def fork(self) -> Context: ...
    def thread(self) -> Context: ...
    def end(self) -> None:
        """End it (it must be stopped); the last one of a space destroys the space."""
    def interrupt(self) -> None: ...
    # memory, no fault-in: see TaskBase for what handlers use
    def read(self, addr: int, count: int) -> bytes:
        """Up to count bytes; Errno(EFAULT) when none."""
    def write(self, addr: int, data: bytes | bytearray | memoryview) -> int: ...
    def cmpxchg(self, addr: int, expect: int, desired: int) -> int:
        """The 32-bit word seen (swapped when equal to expect); Errno(EFAULT)."""
    # address-space work; each raises Errno
    def map(self, addr: int, length: int, prot: int, flags: int, fd: int = -1, offset: int = 0) -> None: ...
    def unmap(self, addr: int, length: int) -> None: ...
    def protect(self, addr: int, length: int, prot: int) -> None: ...
    def remap(self, old: int, old_length: int, new_length: int, flags: int, target: int) -> None: ...
    def advise(self, addr: int, length: int, advice: int) -> None: ...
    def sync(self, addr: int, length: int, flags: int) -> None: ...
    def get_fpu(self) -> bytes: ...
    def set_fpu(self, state: bytes) -> None: ...
    def reset_fpu(self) -> None: ...

class TaskBase:
    """A guest thread as the dispatcher sees it."""

    tid: int
    group: Any  # GroupBase
    creds: Any  # CredsBase
    files: Any  # FdTable, None when dead
    mm: Any  # has fault_in(task, addr, write) -> bool
    ctx: Any  # Context, None when dead
    sigmask: int
    pending: int  # private pending signals
    work: int  # WORK_* bits
    def __init__(self) -> None: ...
    # Guest memory through the memory manager (stack growth is honoured).  All raise Errno(EFAULT).
    def copy_in(self, addr: int, count: int) -> bytes:
        """Exactly count bytes (at most 2**31)."""
    def copy_in_some(self, addr: int, count: int) -> bytes:
        """At least one byte, short where memory ends."""
    def copy_out(self, addr: int, data: bytes | bytearray | memoryview) -> None:
        """All of it."""
    def copy_out_some(self, addr: int, data: bytes | bytearray | memoryview) -> int:
        """At least one byte; the count."""
    def copy_in_str(self, addr: int, limit: int = 4096) -> bytes:
        """A C string without its NUL; Errno(ENAMETOOLONG) when no NUL within limit bytes (NUL included)."""
    def read_u32(self, addr: int) -> int: ...
    def read_u64(self, addr: int) -> int: ...
    def write_u32(self, addr: int, value: int) -> None: ...
    def write_u64(self, addr: int, value: int) -> None: ...
    def read_iovec(self, addr: int, count: int) -> list[tuple[int, int]]:
        """struct iovec[count]; Errno(EINVAL) for count outside 0..1024 or a length past SSIZE_MAX (the sum is
        cut to MAX_RW_COUNT as Linux does)."""
    def gather(self, iov: list[tuple[int, int]]) -> bytes:
        """The bytes the vector describes, short at the first inaccessible one (EFAULT when none)."""
    def scatter(self, iov: list[tuple[int, int]], data: bytes) -> int: ...

class Machine:
    """A platform back-end and the loop that drives it."""

    hot: bool  # answer hot calls in C
    hot_calls: int  # how many were
    cold_calls: int
    ready: bool  # set by Python when Kernel.run_ready has work
    stop: bool  # leave run()
    def __init__(self, ops_capsule: object) -> None: ...
    def init(self, stub_fd: int) -> None: ...
    def shutdown(self) -> None: ...
    def watch(self, epoll_fd: int) -> None:
        """Start the helper thread: whenever epoll_fd is readable, Kernel.on_watch is called from run()."""
    def new_space(self) -> Context: ...
    def vdso(self) -> tuple[int, int, int]:
        """(vvar start, vDSO start, vDSO end) in every new space; zeros: none."""
    def attach(self, task: TaskBase) -> None:
        """Bind task to task.ctx: its events call the kernel with task.  Again after ctx was replaced."""
    def start(self, task: TaskBase) -> None:
        """Let task (attached, stopped) run guest code with its registers as they are, after pending work."""
    def finish(self, task: TaskBase, result: object) -> None:
        """The answer of a call that had been suspended: an int or NO_RESULT; then as `start`."""
    kernel: Any  # whom the loop calls; set before start and run
    def run(self) -> None:
        """Drive everything until `stop`.  Calls, with K = kernel:
        K.on_syscall(task, nr, a, b, c, d, e, f) -> int | NO_RESULT | None (None: suspended or dead)
        K.on_return(task, result: int | NO_RESULT) -> bool (work is pending; True: let guest code go on)
        K.on_fault(task, signo, code, addr, trapno) -> bool (True: go on)
        K.on_gone(task); K.run_ready(); K.on_watch()"""
    def futex_enter(self, addr: int) -> None:
        """A waiter now waits at addr: a wake there is no longer answered in C."""
    def futex_leave(self, addr: int) -> None: ...

def monotonic() -> int:
    """CLOCK_MONOTONIC in nanoseconds."""
def realtime() -> int: ...
def timer_create() -> int:
    """A CLOCK_MONOTONIC timerfd, non-blocking, close-on-exec."""
def timer_arm(fd: int, when: int) -> None:
    """Have a timerfd expire at `when`, CLOCK_MONOTONIC ns."""
def host_open(dirfd: int, path: bytes, flags: int, mode: int = 0, resolve: int = 0) -> int:
    """openat2(2), O_CLOEXEC added; raises Errno."""
def host_fallocate(fd: int, mode: int, offset: int, length: int) -> None:
    """fallocate(2); raises Errno."""
def host_list(fd: int) -> list[tuple[bytes, int, int]]:
    """(name, inode number, DT_ type) of each entry of an open directory but . and ..; raises Errno."""
def host_stat(dirfd: int, path: bytes) -> tuple[int, ...]:
    """Metadata of dirfd/path without following links or leaving dirfd: (mode, ino, dev, nlink, uid, gid,
    rdev, size, atime, mtime, ctime, blksize, blocks), times in ns; with an empty path, of dirfd itself.

    Raises Errno.
    """
