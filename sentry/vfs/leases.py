"""Leases (fcntl(2), F_SETLEASE): a signal to the holder, and time, before another opens the file.

What must hold: an inode with leases is `wary`, so that opens come here.
"""

from __future__ import annotations

from _weakref import ref
from errno import EACCES, EAGAIN, EINVAL

from sentry._core import WaitQueue, monotonic
from sentry.abi.capability import CAP_LEASE
from sentry.abi.fcntl import F_RDLCK, F_UNLCK, F_WRLCK, O_NONBLOCK
from sentry.abi.signal import POLL_MSG
from sentry.abi.stat import S_IFMT, S_IFREG
from sentry.errors import Errno
from sentry.kernel.wait import WOULD_BLOCK, block
from sentry.vfs.idmap import acting
from sentry.vfs.lock_state import Held
from sentry.vfs.owner import claim

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.kernel.wait import _Marker
    from sentry.vfs.file import File
    from sentry.vfs.inode import Inode

limits = {"leases-enable": 1, "lease-break-time": 45}  # /proc/sys/fs
_leases: dict[Inode, Leases] = {}


class Leases:
    """Those of one inode, by the id of the open file; `queue`: who waits for them to be broken."""

    __slots__ = ("by_file", "queue")

    def __init__(self) -> None:
        self.by_file: dict[int, Lease] = {}
        self.queue = WaitQueue()

    def are_ending(self, but: Lease | None) -> bool:
        """Whether one of another file is to end: an open asks for that of all of them at once, and no new one
        is given until they are gone."""
        other = next((lease for lease in self.by_file.values() if lease is not but), None)
        return other is not None and other.goal == F_UNLCK


class Lease:
    """The lease of one open file; `goal` is what it must become, `deadline` until when (ns)."""

    __slots__ = ("deadline", "fd", "file", "goal", "inode", "key", "kind", "pid")

    def __init__(self, file: File, fd: int, kind: int, pid: int) -> None:
        self.inode = file.inode
        self.key = id(file)
        self.file = ref(file, lambda _: self.end())
        self.fd = fd
        self.pid = pid
        self.kind = self.goal = kind
        self.deadline = 0

    def end(self) -> None:
        held = _leases.get(self.inode)
        if held is None or held.by_file.get(self.key) is not self:
            return
        del held.by_file[self.key]
        self.inode.wary -= 1
        if not held.by_file:
            del _leases[self.inode]
        held.queue.wake(0xFFFFFFFF)

    def settle(self, kind: int) -> None:
        """It has become what was asked for."""
        if kind == F_UNLCK:
            self.end()
        else:
            self.kind = self.goal = kind
            held = _leases.get(self.inode)
            if held is not None:
                held.queue.wake(0xFFFFFFFF)


def _find(file: File) -> Lease | None:
    held = _leases.get(file.inode)
    return held.by_file.get(id(file)) if held is not None else None


def get_lease(file: File) -> int:
    """F_GETLEASE: of a lease that is being broken, what it must become."""
    lease = _find(file)
    return lease.goal if lease is not None else F_UNLCK


def set_lease(task: Task, file: File, fd: int, kind: int) -> None:
    """F_SETLEASE: EINVAL, EACCES (not the owner, no CAP_LEASE), EAGAIN (others have it open or leased)."""
    inode = file.inode
    if inode is None or (kind == F_UNLCK and inode.mode & S_IFMT != S_IFREG):
        raise Errno(EINVAL)
    lease = _find(file)
    if kind == F_UNLCK:
        if lease is None:
            raise Errno(EAGAIN)
        lease.end()
        return
    if inode.mode & S_IFMT != S_IFREG or kind not in (F_RDLCK, F_WRLCK) or not limits["leases-enable"]:
        raise Errno(EINVAL)
    creds = acting(task, file.path.mount if file.path is not None else None)
    if creds.fsuid != inode.uid and not task.creds.has_cap(CAP_LEASE):
        raise Errno(EACCES)
    held = _leases.get(inode)
    others = len(held.by_file) - (lease is not None) if held is not None else 0
    if kind == F_RDLCK:
        # A lease for writing that is being downgraded is open for writing, if at all, by its holder.
        downgrades = lease is not None and lease.kind == F_WRLCK and lease.goal == F_RDLCK
        if inode.writers > (1 if downgrades and file.writable else 0):
            raise Errno(EAGAIN)
    elif others > 0 or inode.openers > 1:
        raise Errno(EAGAIN)
    if held is not None and held.are_ending(lease):
        raise Errno(EAGAIN)
    if lease is None:
        lease = Lease(file, fd, kind, task.group.tgid)
        _leases.setdefault(inode, Leases()).by_file[lease.key] = lease
        inode.wary += 1
    elif lease.goal == lease.kind or lease.goal == kind:
        lease.settle(kind)
    else:
        lease.kind = kind  # it must still become something else
    claim(task, file)


def every() -> list[Held]:
    """All leases."""
    found = []
    for inode, held in _leases.items():
        for lease in held.by_file.values():
            breaks = lease.goal != lease.kind
            what = b"LEASE  BREAKING " if breaks else b"LEASE  ACTIVE   "
            access = {F_RDLCK: b"READ", F_WRLCK: b"WRITE", F_UNLCK: b"UNLCK"}[lease.goal]
            found.append(Held(what, access, lease.pid, inode))
    return found


def _held(inode: Inode) -> list[Lease]:
    held = _leases.get(inode)
    return list(held.by_file.values()) if held is not None else []


def _breaking(inode: Inode, write: bool) -> list[Lease]:
    """The leases that an open (or truncation) conflicts with; those that have had their time are taken."""
    held = _held(inode)
    if not write and len(held) > 1:
        return []  # one for writing would be alone
    conflicting = []
    for lease in held:
        if lease.goal != lease.kind and monotonic() >= lease.deadline:
            lease.settle(lease.goal)
            if lease.goal == F_UNLCK:
                continue
        if write or lease.kind == F_WRLCK:
            conflicting.append(lease)
    return conflicting


def conflicts(inode: Inode, write: bool) -> bool:
    """Begin to break the leases that conflict with an open; whether the open must wait for them."""
    leases = _breaking(inode, write)
    for lease in leases:
        goal = F_UNLCK if write else F_RDLCK
        if lease.goal == F_UNLCK or lease.goal == goal:
            continue
        first = lease.goal == lease.kind
        lease.goal = goal
        if first:
            lease.deadline = monotonic() + limits["lease-break-time"] * 1_000_000_000
        file = lease.file()
        if file is not None and file.owner is not None:
            file.owner.send(lease.fd, POLL_MSG)
    return bool(leases)


async def broken(task: Task, inode: Inode, write: bool, flags: int = 0) -> None:
    """Wait until no lease conflicts any more; EAGAIN with O_NONBLOCK."""
    if flags & O_NONBLOCK:
        raise Errno(EAGAIN)

    while True:
        waiting = _breaking(inode, write)
        if not waiting:
            return
        held = _leases[inode]

        def attempt(held: Leases = held) -> bool | _Marker:
            # When all are gone, others that come later have another queue.
            return WOULD_BLOCK if _leases.get(inode) is held and _breaking(inode, write) else True

        await block(task, attempt, held.queue, deadline=max(lease.deadline for lease in waiting))
