"""The character devices of /dev (null(4), zero(4), full(4), random(4), tty(4), console(4), ptmx(4))."""

from __future__ import annotations

import os
from errno import EINVAL, EIO, ENODEV, ENOSPC, ENXIO, EPERM

from sentry import _core
from sentry.abi.ioctl import RNDGETENTCNT
from sentry.abi.stat import S_IFCHR, S_IFDIR, UNIX98_SLAVE_MAJOR, major, makedev, minor
from sentry.errors import Errno
from sentry.fs.devpts import find_devpts, open_master
from sentry.fs.tmpfs import MemoryDirectory, Tmpfs
from sentry.kernel.creds import Creds
from sentry.vfs.file import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.kernel.kernel import Kernel
    from sentry.kernel.task import Task
    from sentry.tty.terminal import Terminal
    from sentry.vfs.file import MapSource
    from sentry.vfs.inode import Inode
    from sentry.vfs.mounts.mount import FileSystem
    from sentry.vfs.path import Path

MEMORY_MAJOR = 1
TTY_MAJOR = 5
ENTROPY_BITS = 256  # what random(4) holds once it is initialised
_CHUNK = 1 << 20  # bytes made at once for a large read

# name, mode, device
NODES = (
    (b"null", 0o666, makedev(MEMORY_MAJOR, 3)),
    (b"zero", 0o666, makedev(MEMORY_MAJOR, 5)),
    (b"full", 0o666, makedev(MEMORY_MAJOR, 7)),
    (b"random", 0o666, makedev(MEMORY_MAJOR, 8)),
    (b"urandom", 0o666, makedev(MEMORY_MAJOR, 9)),
    (b"tty", 0o666, makedev(TTY_MAJOR, 0)),
    (b"console", 0o620, makedev(TTY_MAJOR, 1)),
)
LINKS = (
    (b"ptmx", b"pts/ptmx"),
    (b"fd", b"/proc/self/fd"),
    (b"stdin", b"/proc/self/fd/0"),
    (b"stdout", b"/proc/self/fd/1"),
    (b"stderr", b"/proc/self/fd/2"),
)
DIRECTORIES = (b"pts", b"shm", b"mqueue")


class NullFile(File):
    """/dev/null; the C dispatcher reads and writes these the same way (KIND_NULL, KIND_ZERO, KIND_FULL)."""

    __slots__ = ()
    seekable = True  # to any offset, which stays 0
    takes = True
    device_kind = _core.KIND_NULL

    def __init__(self, flags: int, path: Path) -> None:
        super().__init__(flags, path)
        self.kind = self.device_kind

    def read(self, task: Task, count: int, pos: int | None) -> bytes:
        return b""

    def write(self, task: Task, data: bytes, pos: int | None) -> int:
        return len(data)

    def seek(self, task: Task, offset: int, whence: int) -> int:
        self.pos = 0
        return 0


class ZeroFile(NullFile):
    """/dev/zero; mapping it is a way to get anonymous memory."""

    __slots__ = ()
    gives = True
    device_kind = _core.KIND_ZERO

    def read(self, task: Task, count: int, pos: int | None) -> bytes:
        return bytes(min(count, _CHUNK))

    def mmap(self, task: Task, prot: int, flags: int, offset: int, length: int) -> MapSource:
        return _Zeros(offset + length)


class FullFile(ZeroFile):
    """/dev/full: reads as zeros and has no space."""

    __slots__ = ()
    takes = writes_iter = can_nowait = False
    device_kind = _core.KIND_FULL

    def mmap(self, task: Task, prot: int, flags: int, offset: int, length: int) -> MapSource:
        raise Errno(ENODEV)

    def write(self, task: Task, data: bytes, pos: int | None) -> int:
        raise Errno(ENOSPC)


class RandomFile(File):
    """/dev/random and /dev/urandom, which have been the same since Linux 5.6 but for the wait at boot."""

    __slots__ = ()
    seekable = True
    gives = True
    takes = True

    def read(self, task: Task, count: int, pos: int | None) -> bytes:
        count = min(count, _CHUNK)
        data = os.getrandom(count)  # short when the host has a signal for us
        while len(data) < count:
            data += os.getrandom(count - len(data))
        return data

    def write(self, task: Task, data: bytes, pos: int | None) -> int:
        return len(data)  # the host's pool isn't the guest's to feed

    def ioctl(self, task: Task, request: int, arg: int) -> int:
        if request == RNDGETENTCNT:
            task.write_u32(arg, ENTROPY_BITS)
            return 0
        if request >> 8 & 0xFF == 0x52:  # the other RND requests add entropy or clear the pool
            raise Errno(EPERM)
        raise Errno(EINVAL)

    def seek(self, task: Task, offset: int, whence: int) -> int:
        return self.pos


class _Zeros:
    """Memory behind a mapping of /dev/zero (vfs.file.MapSource)."""

    __slots__ = ("fd", "inode", "key", "name")

    def __init__(self, length: int) -> None:
        self.key = self
        self.name = b"/dev/zero (deleted)"  # as Linux shows such shared memory
        self.inode: Inode | None = None
        self.fd = -1
        try:
            self.fd = os.memfd_create("zero", os.MFD_CLOEXEC)
            os.ftruncate(self.fd, length)
        except OSError as error:
            raise Errno(error.errno or EIO) from None

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)


_MEMORY: dict[int, Callable[[int, Path], File]] = {
    3: NullFile, 5: ZeroFile, 7: FullFile, 8: RandomFile, 9: RandomFile,
}  # fmt: skip


def open_device(task: Task, inode: Inode, path: Path, flags: int) -> File:
    """Open a character device by its number, wherever its node is; ENXIO when there is none."""
    number, index = major(inode.rdev), minor(inode.rdev)
    if number == MEMORY_MAJOR and index in _MEMORY:
        return _MEMORY[index](flags, path)
    if number == TTY_MAJOR:
        if index == 2:
            return open_master(task, inode, path, flags)
        terminal = task.group.session.tty if index == 0 else _console(task) if index == 1 else None
        if terminal is not None:
            opened: File = terminal.open(task, inode, path, flags)
            return opened
    elif UNIX98_SLAVE_MAJOR <= number < UNIX98_SLAVE_MAJOR + 8:
        devpts = find_devpts(task, path)
        slave = (
            devpts.terminals.get((number - UNIX98_SLAVE_MAJOR << 8) + index) if devpts is not None else None
        )
        if slave is not None:
            return slave.open(task, inode, path, flags)
    raise Errno(ENXIO)


def _console(task: Task) -> Terminal | None:
    """The console is the terminal that the first program was started on."""
    init = task.kernel.init
    return init.session.tty if init is not None else None


def populate(directory: MemoryDirectory, creds: Creds) -> None:
    """Add the devices and links that every container has (OCI runtime-spec, "Default Devices")."""
    for name in DIRECTORIES:
        if directory.find(name) is None:
            directory.mkdir(name, S_IFDIR | 0o755, creds)
    for name, mode, device in NODES:
        if directory.find(name) is None:
            directory.mknod(name, S_IFCHR | mode, device, creds)
    for name, target in LINKS:
        if directory.find(name) is None:
            directory.symlink(name, target, creds)


def mount(kernel: Kernel, options: list[str]) -> FileSystem:
    """A devtmpfs: a tmpfs with the default devices in it."""
    fs = Tmpfs(0o755)
    fs.can_idmap = False
    fs.name = b"devtmpfs"
    root = fs.root.inode
    assert isinstance(root, MemoryDirectory)
    populate(root, Creds())
    return fs
