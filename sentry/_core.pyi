"""The C dispatcher: the event loop, the guest's memory and registers, and the hot state.

Hot state lives here once; Python uses these objects as the only truth.  Subclasses add the cold rest.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Self

NO_RESULT: Final[object]  # a handler's answer: leave the registers alone (rt_sigreturn, execve)

# FileBase.kind: which C answer serves read/write/lseek/... ; KIND_PYTHON: none, Python always.
KIND_PYTHON: Final = 0
KIND_INODE: Final = 1  # regular file whose bytes are those of inode.fd (tmpfs memfd or host file)
KIND_PIPE: Final = 2
KIND_EVENTFD: Final = 3
KIND_NULL: Final = 4
KIND_ZERO: Final = 5
KIND_FULL: Final = 6
KIND_EPOLL: Final = 7

# Bits of TaskBase.work: reasons to call Kernel.on_return before guest code goes on.
WORK_SIGNAL: Final = 1  # a signal may be deliverable
WORK_EXIT: Final = 2  # the task must die
WORK_STOP: Final = 4  # the thread group is stopping
WORK_BARRIER: Final = 32  # membarrier(2) calls wait for the thread to leave guest code
WORK_HOLD: Final = 16  # the process is frozen or throttled
WORK_OTHER: Final = 8

# Bits of TaskBase.guard.
GUARD_STRICT: Final = 1  # seccomp's strict mode
GUARD_FILTER: Final = 2  # it has a filter
GUARD_CALLS: Final = 4  # its tracer wants to see its calls
GUARD_TRACED: Final = 8  # its code must not look patched
GUARD_DISPATCH: Final = 16  # its process answers them by a signal

# Context.limit_patches: enum pf_patches.
PF_PATCH_ANY: Final = 0
PF_PATCH_ASKING: Final = 1
PF_PATCH_NONE: Final = 2

# Vma.flags.  The low bits are the protections that mprotect(2) may give.
VM_MAYREAD: Final = 1
VM_MAYWRITE: Final = 2
VM_MAYEXEC: Final = 4
VM_MAYALL: Final = 7
VM_SHARED: Final = 0x10
VM_GROWSDOWN: Final = 0x20
VM_LOCKED: Final = 0x40
VM_LOCKONFAULT: Final = 0x80
VM_NORESERVE: Final = 0x100
VM_DONTFORK: Final = 0x200
VM_WIPEONFORK: Final = 0x400
VM_DONTDUMP: Final = 0x800
VM_HUGEPAGE: Final = 0x1000
VM_NOHUGEPAGE: Final = 0x2000
VM_SEQUENTIAL: Final = 0x4000
VM_RANDOM: Final = 0x8000
VM_SPECIAL: Final = 0x10000  # [vvar], [vdso]: the host's own; their source says so
VM_SEALED: Final = 0x20000
VM_MERGEABLE: Final = 0x40000
VM_SECRET: Final = 0x80000
VM_HUGETLB: Final = 0x100000
VM_POLICY_SHIFT: Final = 21

# TaskBase.outcome: how a wait has ended (sentry.kernel.wait).
WAIT_PENDING: Final = 0
WAIT_WOKEN: Final = 1
WAIT_INTERRUPTED: Final = 2
WAIT_TIMED_OUT: Final = 3

class WaitQueue:
    """Those who wait for something to change: parked tasks and epoll interests, which C knows, and whatever
    has `notify(events: int) -> bool`."""

    def __init__(self) -> None: ...
    def add(self, waiter: Any) -> None: ...
    def remove(self, waiter: Any) -> None:
        """Absent waiters are ignored."""
    def wake(self, events: int) -> None:
        """Tell every member (of a snapshot: members may come and go meanwhile)."""
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
    pinned: bool  # guests have or had it mapped: fd must stay, and pages come by other ways than writes
    locked: bool  # somebody has or awaits a POSIX or OFD lock on it (vfs.locks): closes must look
    openers: int  # open files of it; read-only
    writers: int  # those that may write; read-only
    has_caps: bool  # it has security.capability in memory, which a write takes away
    wary: int  # how many reasons there are to look closer at an open (leases, text_busy)
    guarded: bool  # more than its permission bits says who may use it (vfs.permissions.guard)
    fs_flags: int  # FS_*_FL that are set (ioctl_iflags(2))
    flags_kept: int  # those that can be: 0 where the file system keeps none
    watched: bool  # somebody wants to hear of it or of what is in it (vfs.notify): C leaves it to Python
    target: bytes | None  # of a symbolic link whose target never changes, once it is known
    def __init__(self, mode: int = 0, uid: int = 0, gid: int = 0) -> None:
        """All times now; nlink 2 for a directory, else 1."""
    def fill(self, stat: tuple[int, ...], dev: int) -> None:
        """Take the fields from `host_stat`'s tuple, but for the device number."""
    def is_dir(self) -> bool: ...
    def modified(self) -> None:
        """Set mtime and ctime to now."""
    def stat_bytes(self, reader: TaskBase) -> bytes:
        """struct stat (144 bytes, x86-64), with the ids as the reader's user namespace shows them."""
    def blocks(self) -> int:
        """st_blocks: 512-byte units held by fd, as the host tells; 0 when there is none."""

class PagePool:
    """The pages that a file system in memory may take."""

    limit: int
    used: int
    def __init__(self, limit: int) -> None: ...

class FileBase:
    """An open file description."""

    path: Any  # PathBase or None
    owner: Any  # who gets its signals (vfs.owner.Owner), or None
    opener: Any  # the credentials of who opened it by name, or None
    created: bool  # this open has made the file
    denied: int  # Landlock's rights that it was opened without
    kind: int
    flags: int  # O_ACCMODE and the status flags (O_APPEND, O_NONBLOCK, ...)
    pos: int
    readable: bool
    writable: bool
    inode: Any  # InodeBase or None
    state: Any  # for KIND_PIPE a PipeBuffer, KIND_EVENTFD a Counter, KIND_EPOLL a ReadyListBase
    queue: Any  # WaitQueue (made on first use unless set)
    def __init__(self, flags: int = 0, path: Any = None, inode: Any = None) -> None:
        """`flags` of open(2), from which also readable and writable come; inode None: the path's."""

class DentryBase:
    """One name in the tree; see vfs.path."""

    name: bytes
    parent: Any  # DentryBase or None
    inode: Any  # InodeBase, None: nothing has this name
    children: Any  # a directory's names, else None
    mounted: int  # how many mounts hide it
    deleted: bool
    volatile: bool  # names in this directory change without our doing
    def __init__(self, name: bytes, parent: Any, inode: Any) -> None: ...

class MountBase:
    """A tree seen somewhere; see vfs.mounts.mount."""

    fs: Any
    root: Any  # DentryBase
    parent: Any  # MountBase or None
    point: Any  # DentryBase of `parent` that it is on, or None
    mounts: Any  # DentryBase -> MountBase: what is mounted on dentries of this mount
    id: int  # as in mountinfo
    flags: int  # MS_*
    expiring: bool  # marked by MNT_EXPIRE; each walk that ends in it clears it
    @property
    def readonly(self) -> bool:
        """MS_RDONLY is set."""

class PathBase:
    """A dentry seen through a mount; equal when both are the same."""

    mount: Any  # read-only, like the rest
    dentry: Any
    inode: Any  # AssertionError where there is none
    def __init__(self, mount: Any, dentry: Any) -> None: ...

class FsContextBase:
    """What paths start from."""

    root: Any  # PathBase
    cwd: Any  # PathBase
    umask: int

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

class InterestBase:
    """What an epoll instance watches of one file; a member of the file's queue."""

    ready: Any  # ReadyListBase; set once
    file: Callable[[], Any]  # the file, or None: a weak reference
    events: int  # as epoll_ctl(2) was told
    mask: int  # the events to report; 0: none (any more)
    data: int
    def check(self) -> None:
        """Put it into the list if its file is ready."""

class ReadyListBase:
    """The interests of one epoll instance that may have something to report, oldest first."""

    queue: WaitQueue  # woken when one comes in
    def __init__(self) -> None: ...
    def collect(self, limit: int) -> list[tuple[int, int]]:
        """Up to `limit` (events, data) of ready interests, oldest first."""
    def has_ready(self) -> bool:
        """Whether `collect` would find something; drops what is no longer ready."""
    def empty(self) -> None: ...

class FutexWaiter:
    """One thread that waits on one futex word in Python (a parked one needs no such object)."""

    task: Any  # read-only, as all of these
    address: int
    bitset: int
    pi: bool  # waits to own the lock: only kernel.futex_pi wakes it
    woken: bool
    key: Any  # (object, offset), None while it is in no queue
    def __init__(self, task: TaskBase, address: int, bitset: int, pi: bool = False) -> None: ...
    def wake(self) -> None:
        """Note that it was woken, and call task.wake()."""

class FutexTable:
    """Who waits on which futex, parked tasks included; keys are pairs of a hashable object and an offset."""

    def __init__(self) -> None: ...
    def add(self, waiter: FutexWaiter, key: tuple[Any, int]) -> None: ...
    def remove(self, waiter: FutexWaiter) -> None:
        """Waiters in no queue are ignored."""
    def wake(self, key: tuple[Any, int], count: int, bitset: int = 0xFFFFFFFF) -> int:
        """Wake at most count waiters whose bitset matches; Errno(EINVAL) when one waits for a PI lock."""
    def requeue(self, key: tuple[Any, int], target: tuple[Any, int], wake: int, move: int) -> tuple[int, int]:
        """Wake some, move others: how many of each; Errno(EINVAL) likewise."""
    def any_waits(self, key: tuple[Any, int]) -> bool: ...
    def pi_waiters(self, key: tuple[Any, int]) -> list[FutexWaiter]: ...
    def __len__(self) -> int: ...

class FdTable:
    """File descriptors to open file descriptions, with their close-on-exec flags."""

    limit: int  # RLIMIT_NOFILE's soft value, kept here by prlimit
    users: int  # tasks that have it (CLONE_FILES), counted by those who give and take it; 1 at first
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
    def unshare(self) -> FdTable:
        """The table for one of its users alone: itself, or a copy (this one then has a user less)."""
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
    user_ns: Any  # UserNamespaceBase: by which the ids are shown
    restricted: bool  # it has a Landlock domain: Python opens files
    def __init__(self) -> None: ...

class UserNamespaceBase:
    """The ids of a user namespace and what they are in the initial one; see
    sentry.kernel.namespaces.user_namespace."""

    def __init__(self, initial: bool) -> None: ...
    def kuid(self, uid: int) -> int: ...
    def kgid(self, gid: int) -> int: ...
    def uid(self, kuid: int) -> int: ...
    def gid(self, kgid: int) -> int: ...
    def show_uid(self, kuid: int) -> int: ...
    def show_gid(self, kgid: int) -> int: ...
    def set_uids(self, sections: list[tuple[int, int, int]]) -> None:
        """Replace the map: (first id inside, first id in the initial namespace, how many)."""
    def set_gids(self, sections: list[tuple[int, int, int]]) -> None: ...

class Action:
    """One signal's disposition (sigaction(2)); immutable.  SIGKILL and SIGSTOP are never in `mask`."""

    handler: int
    flags: int
    restorer: int
    mask: int
    def __init__(self, handler: int = 0, flags: int = 0, restorer: int = 0, mask: int = 0) -> None: ...

class SignalActions:
    """The dispositions of a process by signal number, each SIG_DFL at first."""

    queue: WaitQueue  # woken when a signal becomes pending: signalfd
    def __init__(self) -> None: ...
    def __getitem__(self, signo: int) -> Action: ...
    def __setitem__(self, signo: int, action: Action) -> None: ...
    def copy(self) -> SignalActions:
        """The same dispositions, with a queue of its own."""
    def reset_handlers(self) -> None:
        """What execve(2) leaves: handled signals get their default action, ignored ones stay ignored."""
    def ignored(self) -> int:
        """The set of signals whose action is SIG_IGN."""
    def caught(self) -> int:
        """The set of signals that have a handler."""

class GroupBase:
    """What the C answers need of a thread group."""

    tgid: int  # as the initial PID namespace has it
    local_tgid: int  # as its own PID namespace has it
    nested: bool  # that is not the initial one
    pid_ns: Any
    parent: Any  # GroupBase or None: getppid
    pending: int  # shared pending signals, bit n-1 for signal n
    pgid: int
    sid: int
    fsize_limit: int  # RLIMIT_FSIZE's soft value (2**64-1: infinity)
    tasks: list[Any]  # the live ones
    sighand: SignalActions  # shared under CLONE_SIGHAND
    rlimits: list[tuple[int, int]]  # (soft, hard) by resource
    def __init__(self) -> None: ...

class Context:
    """One guest thread's registers and the way into its address space (struct pf_context)."""

    r15: int
    r14: int
    r13: int
    r12: int
    rbp: int
    rbx: int
    r11: int
    r10: int
    r9: int
    r8: int
    rax: int
    rcx: int
    rdx: int
    rsi: int
    rdi: int
    orig_rax: int
    rip: int
    cs: int
    eflags: int
    rsp: int
    ss: int
    fs_base: int
    gs_base: int
    ds: int
    es: int
    fs: int
    gs: int
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
    def limit_patches(self, limit: int) -> None:
        """What the back-end may do to the code of this space: PF_PATCH_*."""
    def confine(self, mask: bytes) -> None:
        """The CPUs that it may run on, as a mask; none in it: any."""

class TaskBase:
    """A guest thread as the dispatcher sees it."""

    reads_execute: bool  # what it may read it may execute: READ_IMPLIES_EXEC (personality(2))
    shifted: bool  # its monotonic clocks are not the machine's (time_namespaces(7))
    tid: int  # as the initial PID namespace has it
    local_tid: int  # as its own PID namespace has it
    group: Any  # GroupBase
    creds: Any  # CredsBase
    files: Any  # FdTable, None when dead
    mm: Any  # has fault_in(task, addr, write) -> bool
    ctx: Any  # Context, None when dead
    fs: Any  # FsContextBase
    sigmask: int
    pending: int  # private pending signals
    work: int  # WORK_* bits
    state: str  # running, waiting, stopped or dead
    outcome: int  # WAIT_*, of a wait under way
    interruptible: bool  # whether signals end that wait
    syscall_nr: int  # the call under way, -1 outside
    altstack_sp: int
    altstack_size: int
    altstack_flags: int  # as set; without a size there is no alternate stack
    clear_child_tid: int
    robust_list: int
    rseq_address: int  # what rseq(2) has registered, 0: nothing.  Read-only, as the next two
    rseq_length: int
    rseq_signature: int
    guard: int  # GUARD_* bits: who sees its calls before they are answered
    filter: Any  # SeccompFilter or None: the latest
    fault_error: int  # error code, trap number and address of the last fault: sigcontext's
    fault_trapno: int
    fault_addr: int
    rchar: int  # bytes read and written by calls, and the calls (proc_pid_io(5))
    wchar: int
    syscr: int
    syscw: int
    waits: int  # how often it has waited for something
    def __init__(self) -> None: ...
    def register_rseq(self, addr: int, length: int, flags: int, signature: int) -> int:
        """rseq(2) of a task in a call: 0 or -errno."""
    def abort_rseq(self) -> bool:
        """Out of the critical section that it has stopped in.  False: what is registered makes no sense."""
    def inherit_rseq(self, parent: TaskBase) -> None:
        """A fork of the parent's has what it has registered."""
    def end_rseq(self, shared: bool) -> None:
        """Forget what is registered.  The address space is `shared`: the host must leave it alone."""
    def filter_verdict(self) -> tuple[int, Any, bytes]:
        """What the filters say of the call that the registers describe: the strictest value, the filter it is
        of (None: all allow it), struct seccomp_data."""
    def end_wait(self, outcome: int) -> bool:
        """End the wait under way, if it has not ended.  True: its coroutine must be made ready; a parked call
        goes on by itself."""
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

class SeccompFilter:
    """A filter of calls and, behind it, those before it (seccomp(2)).  Errno(EINVAL) for a program
    that Linux would refuse.
    """

    prev: SeccompFilter | None  # read-only
    total: int  # read-only: the instructions of all of them, as Linux counts
    program: bytes  # read-only
    def __new__(cls, program: bytes, prev: SeccompFilter | None) -> Self: ...

class SocketFilter:
    """A filter of what a socket is sent (SO_ATTACH_FILTER, socket(7)): a classic BPF program that was found
    good.  Errno(EINVAL) for a malformed one.  len(): how many instructions."""

    program: bytes  # read-only
    def __new__(cls, program: bytes) -> Self: ...
    def __len__(self) -> int: ...
    def run(self, data: bytes | memoryview) -> int:
        """How many bytes of the message are kept; 0: it is lost."""

class Vma:
    """A range [start, end) of page-aligned addresses that have everything in common.

    It never changes once made, so that lists may share it (fork copies a list of references); whoever wants
    another one makes it with `part` or `changed`.

    Args:
        file: the open file mapped, which the mapping keeps alive; None for anonymous memory.
        source: identity and name of what is mapped (sentry.mm.vma.Source); None for private anonymous memory.
        offset: of `start` in the source, in bytes.
        name: as set by PR_SET_VMA_ANON_NAME, None otherwise.
    """

    # all read-only
    start: int
    end: int
    prot: int
    flags: int  # VM_*
    file: Any
    source: Any
    offset: int
    name: bytes | None
    shared: bool
    length: int
    def __new__(
        cls,
        start: int,
        end: int,
        prot: int,
        flags: int,
        file: object = None,
        source: object = None,
        offset: int = 0,
        name: bytes | None = None,
    ) -> Self: ...
    def part(self, start: int, end: int) -> Vma:
        """The same over another range (within this one, or grown); the offset follows the start."""
    def changed(self, prot: int, flags: int) -> Vma:
        """The same range with another protection and other flags."""
    def renamed(self, name: bytes | None) -> Vma:
        """The same with the name of PR_SET_VMA_ANON_NAME."""
    def joins(self, after: Vma) -> bool:
        """Whether this and `after` are one mapping to Linux: adjacent, alike, and one piece of one source."""
    def is_data(self) -> bool:
        """Whether it counts for RLIMIT_DATA: private, writable and not a stack."""

class VmaList:
    """The mappings of one address space: sorted, never overlapping, no two neighbours that could be one.

    Args:
        lowest: no mapping is placed below this address.
        base: room is looked for below this address, or above it when `bottom_up` is set.
    """

    bottom_up: bool
    # all read-only
    lowest: int
    base: int
    total: int  # bytes mapped
    data: int  # bytes that count for RLIMIT_DATA
    gap_floor: int  # the search for a large gap starts here
    reserved_start: int
    reserved_end: int
    vmas: list[Vma]  # a copy
    def __new__(cls, lowest: int, base: int) -> Self: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Vma]: ...
    def __getitem__(self, index: int) -> Vma: ...
    def fork(self) -> VmaList:
        """The list for fork(2)'s child: without what is VM_DONTFORK, nothing locked."""
    def reserve(self, start: int, end: int) -> None:
        """Nothing is placed in [start, end), nor is it free; it is no mapping either."""
    def find(self, addr: int) -> Vma | None:
        """The mapping that holds `addr`."""
    def index(self, addr: int) -> int:
        """The position of the first mapping that ends after `addr`."""
    def overlapping(self, start: int, end: int) -> list[Vma]:
        """The mappings that have an address in [start, end)."""
    def covered(self, start: int, end: int) -> int:
        """How far the mappings reach from `start` without a hole, at most to `end`."""
    def is_free(self, start: int, end: int) -> bool:
        """Whether nothing is in [start, end), nor in the guard gap of a mapping above that grows down."""
    def is_reserved(self, start: int, end: int) -> bool:
        """Whether some of [start, end) is reserved."""
    def room(self, length: int) -> int | None:
        """Where a mapping of `length` bytes goes when it may go anywhere."""
    def room_below(self, length: int) -> int | None:
        """The start of the highest gap of `length` bytes below `base`: of its top end."""
    def room_above(self, length: int, low: int, high: int) -> int | None:
        """The lowest free range of `length` bytes within [low, high)."""
    def insert(self, vma: Vma) -> None:
        """Add a mapping where nothing is, joined with its neighbours."""
    def clear(self, start: int, end: int) -> None:
        """Take away everything in [start, end), splitting the mappings that straddle its ends."""
    def replace(self, start: int, end: int, pieces: list[Vma]) -> None:
        """Put `pieces` (sorted) in place of all in [start, end); there are none, or no new hole is left."""
    def update(self, start: int, end: int, change: Callable[[Vma], Vma]) -> None:
        """Replace the part of each mapping within [start, end) by change(part)."""

class SpaceBase:
    """An address space: what the C dispatcher needs of it, and what exec(2) has put where."""

    areas: VmaList  # read-only
    users: int  # the tasks that share it (CLONE_VM)
    brk_start: int
    brk_end: int
    code_start: int
    code_end: int
    data_start: int
    data_end: int
    arg_start: int
    arg_end: int
    env_start: int
    env_end: int
    stack_start: int
    auxv: bytes
    exe: Any  # Path or None
    lock_future: int  # VM_LOCKED | VM_LOCKONFAULT for mappings to come (mlockall(2))
    locked: bool  # whether some mapping has ever been locked
    sealed: bool  # whether some mapping is sealed (mseal(2)), or of huge pages: not all changes are allowed
    mdwe: int  # PR_MDWE_* bits: memory that was writable never becomes executable
    secret: bool  # whether memory of memfd_secret(2) has ever been mapped
    attached: bool  # whether shared memory has ever been attached (shmat(2))
    def __new__(cls, lowest: int, base: int) -> Self: ...
    def copy(self) -> Self:
        """What fork(2)'s child has."""
    def may_patch(self, addr: int, length: int) -> bool:
        """Whether [addr, addr + length) is guest code that may be changed: within one private mapping that is
        executable, not writable, and not the host's own."""

class Machine:
    """A platform back-end and the loop that drives it."""

    hot: bool  # answer hot calls in C
    hot_calls: int  # how many were
    cold_calls: int
    ready: bool  # set by Python when Kernel.run_ready has work
    stop: bool  # leave run()
    patch: bool  # let the back-end change code of the guest's; to be set before run()
    def __init__(self, ops_capsule: object) -> None: ...
    def init(self, stub_fd: int) -> None: ...
    def publish(self, task: TaskBase) -> None:
        """Tell the back-end at once of a new identity of a task that may be running (its parent has died)."""
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
    def refuse(self, nr: int, error: int) -> None:
        """From now on, answer the call `nr` with -error: it is missing."""
    def finish(self, task: TaskBase, result: object) -> None:
        """The answer of a call that had been suspended: an int or NO_RESULT; then as `start`."""
    kernel: Any  # whom the loop calls; set before start and run
    futexes: FutexTable  # that the C answers use
    def run(self) -> None:
        """Drive everything until `stop`.  Calls, with K = kernel:
        K.on_syscall(task, nr, a, b, c, d, e, f) -> int | NO_RESULT | None (None: suspended or dead)
        K.on_guarded(the same) (a guard of the task's must see it first)
        K.on_return(task, result: int | NO_RESULT) -> bool (work is pending; True: let guest code go on)
        K.on_fault(task, signo, code, addr, trapno) -> bool (True: go on)
        K.on_gone(task); K.run_ready(); K.on_watch(); K.on_barrier(task) (before what its event brings)
        K.arm_deadline(when, wall) (deadline_passed(wall) wants to be called at `when`, ns)"""
    def deadline_passed(self, wall: bool) -> None:
        """The time told to Kernel.arm_deadline has come: end the waits of parked calls that are due, on
        CLOCK_REALTIME (wall) or CLOCK_MONOTONIC."""

def accessed(mount: MountBase, inode: InodeBase) -> None:
    """A file was read: set its atime, as far as the mount's flags want it (mount(8), relatime)."""

def walk_ahead(task: Any, mount: Any, dentry: Any, name: bytes, follow: bool) -> Any:
    """As far as the dentry cache knows the way: (mount, dentry, rest of the name, links followed).

    The rest is None at the end of the way; otherwise its first part is what the cache doesn't know or where
    the walk fails.  `mount` and `dentry` are where to start.  None: nothing is known.
    """

def bits_permit(creds: CredsBase, inode: InodeBase, wanted: int) -> bool:
    """Whether the permission bits for owner, group and others alone grant the ACCESS_ bits `wanted`, whatever
    capabilities and supplementary groups would add.
    """

def directory_records(
    listing: list[tuple[bytes, int, int] | None], start: int, room: int
) -> tuple[bytes, int]:
    """getdents64(2)'s records of the entries (name, ino, DT_ type; None: skipped) from `start` on, as many
    as fit into `room` bytes, and where the next ones start.
    """

def watch(level: int) -> None:
    """Who is told of what happens to files: 0 nobody, 1 those who watch inodes that are `watched`, 2 they and
    those who watch everything."""

def act(task: TaskBase) -> None:
    """What happens now is the task's doing; noted at level 2 only, where calls note it by themselves."""

def acting() -> TaskBase | None:
    """Who was last noted."""

def watch_hooks(closed: Callable[[Any, bool], None], ended: Callable[[Any], None]) -> None:
    """Whom to call for watched files: closed(path, writable) at the end of an open file, ended(inode) when a
    file has lost its last name and nobody has that open."""

def count_files() -> tuple[int, int]:
    """How many files are open, and how many may be."""

def monotonic() -> int:
    """CLOCK_MONOTONIC in nanoseconds."""

def realtime() -> int: ...
def now() -> int:
    """CLOCK_REALTIME_COARSE in nanoseconds: what file timestamps are made of, as in Linux."""

def timer_create(wall: bool) -> int:
    """A timerfd on CLOCK_REALTIME (wall) or CLOCK_MONOTONIC, non-blocking, close-on-exec."""

def timer_arm(fd: int, when: int, notice_steps: bool = False) -> bool:
    """Have a timerfd expire at `when`, ns of its clock, or when that is set (notice_steps).  True: it was set
    while a previous notice_steps was in force, which no read has told."""

def host_open(dirfd: int, path: bytes, flags: int, mode: int = 0, resolve: int = 0) -> int:
    """openat2(2), O_CLOEXEC added; raises Errno."""

def host_fallocate(fd: int, mode: int, offset: int, length: int) -> None:
    """fallocate(2); raises Errno."""

def host_cachestat(fd: int, offset: int, length: int) -> tuple[int, int, int, int, int]:
    """cachestat(2): pages in memory, dirty, being written back, evicted, recently evicted; raises Errno."""

def host_mincore(fd: int, offset: int, pages: int) -> bytes:
    """mincore(2) for a part of a file: a byte for each page, 1 where it is in memory; raises Errno."""

def host_chmod(fd: int, mode: int) -> None:
    """fchmodat2(2) of the file that `fd` is, O_PATH or not; EPERM where the host lacks the call."""

def host_rename(olddirfd: int, old: bytes, newdirfd: int, new: bytes, flags: int) -> None:
    """renameat2(2); Errno."""

def host_list(fd: int) -> list[tuple[bytes, int, int]]:
    """(name, inode number, DT_ type) of each entry of an open directory but . and ..; raises Errno."""

def host_stat(dirfd: int, path: bytes) -> tuple[int, ...]:
    """Metadata of dirfd/path without following links or leaving dirfd: (mode, ino, dev, nlink, uid, gid,
    rdev, size, atime, mtime, ctime, blksize, blocks), times in ns; with an empty path, of dirfd itself.

    Raises Errno.
    """
