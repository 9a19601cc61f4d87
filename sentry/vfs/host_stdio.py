"""Standard input, output and error of the sandbox: the caller's own descriptors as the guest's files.

Their open file descriptions are shared with processes outside.  So: a regular file's offset is the host's, and
O_APPEND is the host's to honour; nothing is ever made non-blocking; a stream is asked whether it is ready, and then
moved in amounts that can't block.
"""

from __future__ import annotations

import os
from errno import EACCES, EAGAIN, EINVAL, EIO, ENODEV, EOPNOTSUPP, ESPIPE
from fcntl import F_GETFL, fcntl, ioctl

from sentry.abi.fcntl import AT_FDCWD, MAX_FILE_SIZE, O_ACCMODE, O_APPEND, O_RDWR, O_WRONLY, SEEK_CUR, SEEK_END, SEEK_SET
from sentry.abi.ioctl import FIONREAD
from sentry.abi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT
from sentry.abi.signal import SIGPIPE
from sentry.abi.stat import S_IFCHR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK, major, minor
from sentry.errors import Errno
from sentry.fs.dev import MEMORY_MAJOR, open_device
from sentry.fs.devpts import DevPts, place
from sentry.kernel.signals import send_task
from sentry.kernel.wait import WOULD_BLOCK
from sentry.tty.host_terminal import HostTerminal
from sentry.vfs.anon import AnonymousFs
from sentry.vfs.file import File
from sentry.vfs.host_watch import HostWatch
from sentry.vfs.inode import Inode
from sentry.vfs.namei import walk
from sentry.vfs.path import Dentry, Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.config import Config
    from sentry.kernel.kernel import Kernel
    from sentry.kernel.task import Task
    from sentry.kernel.wait import _Marker
    from sentry.vfs.file import MapSource

_PIPE_BUF = 4096  # what a pipe that is ready for writing has room for
_READ_MAX = 1 << 16
_MEMORY_DEVICES = {3: b"/dev/null", 5: b"/dev/zero", 7: b"/dev/full", 8: b"/dev/random", 9: b"/dev/urandom"}

_hostfs = AnonymousFs(b"host", 0)


class HostInode(Inode):
    """The file behind a host descriptor; its attributes are asked for each time."""

    __slots__ = ("host_fd", "kernel", "terminal")

    def __init__(self, kernel: Kernel, fd: int) -> None:
        status = os.fstat(fd)
        super().__init__(_hostfs, status.st_mode, status.st_uid, status.st_gid, status.st_ino)
        self.kernel = kernel
        self.host_fd = fd
        self.terminal: HostTerminal | None = None
        self.rdev = status.st_rdev
        self.volatile = True
        self.getattr()

    def getattr(self) -> None:
        status = os.fstat(self.host_fd)
        self.nlink = status.st_nlink
        self.size = status.st_size
        self.blksize = status.st_blksize
        self.atime, self.mtime, self.ctime = status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns

    def setattr(
        self,
        *,
        mode: int | None = None,
        uid: int | None = None,
        gid: int | None = None,
        size: int | None = None,
        atime: int | None = None,
        mtime: int | None = None,
    ) -> None:
        """Only the size can be changed: owner, mode and times are the caller's."""
        if size is None:
            super().setattr(mode=mode, uid=uid, gid=gid, atime=atime, mtime=mtime)
            return
        try:
            os.ftruncate(self.host_fd, size)
        except OSError as error:
            raise Errno(error.errno or EIO) from None

    def open(self, task: Task, path: Path, flags: int) -> File:
        """Open once more, by /dev/stdout or /proc/self/fd/1; only with the access that the caller gave."""
        if self.terminal is not None:
            return self.terminal.open(task, self, path, flags)
        given = fcntl(self.host_fd, F_GETFL) & O_ACCMODE
        if given not in (O_RDWR, flags & O_ACCMODE):
            raise Errno(EACCES)
        if self.mode & S_IFMT == S_IFREG:
            return HostFile(flags, path, self, shares_offset=False)
        return HostStream(flags, path, self, HostWatch(self.kernel.reactor, self.host_fd))


class HostFile(File):
    """A regular file of the caller's."""

    __slots__ = ("shares_offset",)

    whole = True
    seekable = True
    inode: HostInode

    def __init__(self, flags: int, path: Path, inode: HostInode, shares_offset: bool = True) -> None:
        """`shares_offset`: this is the caller's description; otherwise one with an offset of its own."""
        super().__init__(flags, path, inode)
        self.shares_offset = shares_offset

    def read(self, task: Task, count: int, pos: int | None) -> bytes:
        fd = self.inode.host_fd
        try:
            if pos is not None:
                return os.pread(fd, count, pos)
            if self.shares_offset:
                return os.read(fd, count)
            data = os.pread(fd, count, self.pos)
        except OSError as error:
            raise Errno(error.errno or EIO) from None
        self.pos += len(data)
        return data

    def write(self, task: Task, data: bytes, pos: int | None) -> int:
        fd = self.inode.host_fd
        try:
            if pos is not None:
                return os.pwrite(fd, data, pos)
            if self.shares_offset:
                return os.write(fd, data)
            at = os.fstat(fd).st_size if self.flags & O_APPEND else self.pos
            written = os.pwrite(fd, data, at)
        except OSError as error:
            raise Errno(error.errno or EIO) from None
        self.pos = at + written
        return written

    def seek(self, task: Task, offset: int, whence: int) -> int:
        if self.shares_offset:
            try:
                return os.lseek(self.inode.host_fd, offset, whence)
            except (OSError, OverflowError) as error:
                raise Errno(getattr(error, "errno", EINVAL)) from None
        if whence == SEEK_CUR:
            offset += self.pos
        elif whence == SEEK_END:
            offset += os.fstat(self.inode.host_fd).st_size
        elif whence != SEEK_SET:
            raise Errno(EINVAL)
        if not 0 <= offset <= MAX_FILE_SIZE:
            raise Errno(EINVAL)
        self.pos = offset
        return offset

    def ioctl(self, task: Task, request: int, arg: int) -> int:
        if request == FIONREAD:
            left = self.stat_inode().size - self.seek(task, 0, SEEK_CUR)
            task.write_u32(arg, min(max(left, 0), 0x7FFFFFFF))
            return 0
        return super().ioctl(task, request, arg)  # type: ignore[return-value]  # always raises

    def fsync(self) -> None:
        try:
            os.fsync(self.inode.host_fd)
        except OSError as error:
            raise Errno(error.errno or EIO) from None

    def truncate(self, length: int) -> None:
        if not self.writable:
            raise Errno(EINVAL)
        self.inode.setattr(size=length)

    def fallocate(self, mode: int, offset: int, length: int) -> None:
        if mode:
            raise Errno(EOPNOTSUPP)
        try:
            os.posix_fallocate(self.inode.host_fd, offset, length)
        except OSError as error:
            raise Errno(error.errno or EIO) from None

    def mmap(self, task: Task, prot: int, flags: int, offset: int, length: int) -> MapSource:
        if fcntl(self.inode.host_fd, F_GETFL) & O_ACCMODE == O_WRONLY:
            raise Errno(ENODEV)
        return _Mapped(self.inode)


class _Mapped:
    """The host file as something to map (vfs.file.MapSource)."""

    __slots__ = ("fd", "inode", "key", "name")

    def __init__(self, inode: HostInode) -> None:
        self.fd = inode.host_fd
        self.inode: Inode | None = inode
        self.key = inode
        self.name = b"host:[%d]" % inode.ino


class HostStream(File):
    """A pipe, socket or device of the caller's."""

    __slots__ = ("_nowait", "_watch")

    inode: HostInode

    def __init__(self, flags: int, path: Path, inode: HostInode, watch: HostWatch) -> None:
        super().__init__(flags, path, inode)
        self._watch = watch
        self.queue = watch.queue
        self._nowait = True  # the host can be asked not to wait, for this transfer alone (preadv2(2), RWF_NOWAIT)

    def read(self, task: Task, count: int, pos: int | None) -> bytes | _Marker:
        watch = self._watch
        if not count:
            return b""
        if not watch.ready() & (POLLIN | POLLHUP | POLLERR):
            watch.want(POLLIN)
            return WOULD_BLOCK
        count = min(count, _READ_MAX)
        try:
            if self._nowait:
                buffer = bytearray(count)
                try:
                    return bytes(buffer[: os.preadv(watch.fd, [buffer], -1, os.RWF_NOWAIT)])
                except OSError as error:
                    if error.errno == EAGAIN:  # someone else was faster
                        watch.want(POLLIN)
                        return WOULD_BLOCK
                    if error.errno not in (EOPNOTSUPP, ESPIPE, EINVAL):
                        raise
                    self._nowait = False
            return os.read(watch.fd, count)
        except OSError as error:
            raise Errno(error.errno or EIO) from None

    def write(self, task: Task, data: bytes, pos: int | None) -> int | _Marker:
        watch = self._watch
        if not data:
            return 0
        if not watch.ready() & (POLLOUT | POLLHUP | POLLERR):
            watch.want(POLLOUT)
            return WOULD_BLOCK
        try:
            if self._nowait:
                try:
                    return os.pwritev(watch.fd, [data], -1, os.RWF_NOWAIT)
                except OSError as error:
                    if error.errno == EAGAIN:
                        watch.want(POLLOUT)
                        return WOULD_BLOCK
                    if error.errno not in (EOPNOTSUPP, ESPIPE, EINVAL):
                        raise
                    self._nowait = False
            return os.write(watch.fd, data[:_PIPE_BUF])
        except BrokenPipeError as error:
            send_task(task, SIGPIPE)
            raise Errno(error.errno or EIO) from None
        except OSError as error:
            raise Errno(error.errno or EIO) from None

    def poll(self) -> int:
        return self._watch.poll((POLLIN if self.readable else 0) | (POLLOUT if self.writable else 0))

    def ioctl(self, task: Task, request: int, arg: int) -> int:
        if request == FIONREAD:
            try:
                task.copy_out(arg, ioctl(self._watch.fd, FIONREAD, bytes(4)))
            except OSError as error:
                raise Errno(error.errno or EIO) from None
            return 0
        return super().ioctl(task, request, arg)  # type: ignore[return-value]  # always raises


def open_stdio(kernel: Kernel, config: Config, task: Task) -> list[File | None]:
    """The first program's descriptors 0, 1 and 2; None where the caller had none.

    A terminal among them becomes the controlling terminal of the task's session.
    """
    terminals: dict[int, HostTerminal] = {}
    return [_open(kernel, task, fd, terminals) if fd >= 0 else None for fd in config.stdio]


def _open(kernel: Kernel, task: Task, fd: int, terminals: dict[int, HostTerminal]) -> File:
    flags = fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND)
    inode = HostInode(kernel, fd)
    kind = inode.mode & S_IFMT
    if kind == S_IFCHR:
        if major(inode.rdev) == MEMORY_MAJOR and minor(inode.rdev) in _MEMORY_DEVICES:
            return _open_memory_device(task, inode, flags)
        if os.isatty(fd):
            return _open_terminal(kernel, task, fd, flags, inode, terminals)
    label = {S_IFIFO: b"pipe", S_IFSOCK: b"socket"}.get(kind, b"host")
    path = Path(_hostfs.mount, Dentry(b"%b:[%d]" % (label, inode.ino), None, inode))
    if kind == S_IFREG:
        return HostFile(flags, path, inode)
    return HostStream(flags, path, inode, HostWatch(kernel.reactor, fd))


def _open_memory_device(task: Task, inode: HostInode, flags: int) -> File:
    """/dev/null and its like are our own: the guest's node where it has one."""
    name = _MEMORY_DEVICES[minor(inode.rdev)]
    try:
        path = walk(task, AT_FDCWD, name)
        if path.inode.rdev == inode.rdev:
            return open_device(task, path.inode, path, flags)
    except Errno:
        pass
    return open_device(task, inode, Path(_hostfs.mount, Dentry(name, None, inode)), flags)


def _open_terminal(
    kernel: Kernel, task: Task, fd: int, flags: int, inode: HostInode, terminals: dict[int, HostTerminal]
) -> File:
    terminal = terminals.get(inode.rdev)
    if terminal is None:
        terminal = terminals[inode.rdev] = HostTerminal(kernel.reactor)
        terminal.number = inode.rdev
    watch = terminal.add(fd, flags)
    found = _named(task, terminal)
    if found is None:
        inode.terminal = terminal
        found = Path(_hostfs.mount, Dentry(b"host:[tty]", None, inode))
    if terminal.may_acquire(task):
        terminal.acquire(task.group)
    return terminal.file(found, watch, flags)


def _named(task: Task, terminal: HostTerminal) -> Path | None:
    """The terminal's place in the guest's devpts, so that ttyname(3) finds it; None where there is no devpts."""
    for mount in task.fs.namespace.mounts:
        fs = mount.fs
        if isinstance(fs, DevPts):
            for index, known in fs.terminals.items():
                if known is terminal:
                    return place(task, fs, index)
            index = fs.free_index()
            terminal.name_as_slave(index)
            fs.add(terminal, index, task.creds.fsuid, task.creds.fsgid)
            return place(task, fs, index)
    return None


