"""Files of the sandbox's caller, by host descriptors whose open file descriptions are shared with processes
outside.

So: a regular file's offset is the host's, and O_APPEND is the host's to honour; nothing is ever made
non-blocking; a stream is asked whether it is ready, and then moved in amounts that can't block.
"""

from __future__ import annotations

import os
from errno import EACCES, EAGAIN, EINVAL, EIO, ENODEV, ENOTTY, EOPNOTSUPP, EPIPE, ESPIPE
from fcntl import F_GETFL, fcntl, ioctl

from sentry.abi.fcntl import (
    O_ACCMODE,
    O_APPEND,
    O_RDWR,
    O_WRONLY,
    SEEK_CUR,
    SEEK_SET,
)
from sentry.abi.ioctl import FIONREAD
from sentry.abi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT
from sentry.abi.signal import SIGPIPE
from sentry.abi.stat import S_IFMT, S_IFREG
from sentry.errors import Errno
from sentry.kernel.signals.signals import send_self
from sentry.kernel.wait import WOULD_BLOCK
from sentry.vfs.anon import AnonymousFs
from sentry.vfs.file import File
from sentry.vfs.host_call import host
from sentry.vfs.host_watch import HostWatch
from sentry.vfs.inode import Inode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Unpack

    from sentry.kernel.kernel import Kernel
    from sentry.kernel.task import Task
    from sentry.kernel.wait import _Marker
    from sentry.tty.host_terminal import HostTerminal
    from sentry.vfs.file import MapSource
    from sentry.vfs.inode import Attributes
    from sentry.vfs.path import Path

_PIPE_BUF = 4096  # what a pipe that is ready for writing has room for
_READ_MAX = 1 << 16

caller_fs = AnonymousFs(b"host", 0)


class HostInode(Inode):
    """The file behind a host descriptor; its attributes are asked for each time."""

    __slots__ = ("host_fd", "kernel", "terminal")

    def __init__(self, kernel: Kernel, fd: int) -> None:
        status = os.fstat(fd)
        super().__init__(caller_fs, status.st_mode, status.st_uid, status.st_gid, status.st_ino)
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

    def cache_fd(self) -> int:
        return self.host_fd if self.mode & S_IFMT == S_IFREG else -1

    def setattr(self, **changes: Unpack[Attributes]) -> None:
        """Only the size can be changed: owner, mode and times are the caller's."""
        size = changes.get("size")
        if size is None:
            super().setattr(**changes)
            return
        host(os.ftruncate, self.host_fd, size)

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

    __slots__ = ("_offset", "shares_offset")

    whole = True
    seekable = True
    gives = True
    takes = True
    inode: HostInode

    def __init__(self, flags: int, path: Path, inode: HostInode, shares_offset: bool = True) -> None:
        """`shares_offset`: this is the caller's description; otherwise one with an offset of its own."""
        super().__init__(flags, path, inode)
        self.shares_offset = shares_offset
        self._offset = 0

    @property
    def pos(self) -> int:
        """The offset, wherever it is kept: sendfile(2) and its like move it by this name."""
        return host(os.lseek, self.inode.host_fd, 0, SEEK_CUR) if self.shares_offset else self._offset

    @pos.setter
    def pos(self, offset: int) -> None:
        if self.shares_offset:
            host(os.lseek, self.inode.host_fd, offset, SEEK_SET)
        else:
            self._offset = offset

    def read(self, task: Task, count: int, pos: int | None) -> bytes:
        fd = self.inode.host_fd
        if pos is not None:
            return host(os.pread, fd, count, pos)
        if self.shares_offset:
            return host(os.read, fd, count)
        data = host(os.pread, fd, count, self.pos)
        self.pos += len(data)
        return data

    def write(self, task: Task, data: bytes, pos: int | None) -> int:
        fd = self.inode.host_fd
        if pos is not None:
            return host(os.pwrite, fd, data, pos)
        if self.shares_offset:
            return host(os.write, fd, data)
        at = host(os.fstat, fd).st_size if self.flags & O_APPEND else self.pos
        written = host(os.pwrite, fd, data, at)
        self.pos = at + written
        return written

    def seek(self, task: Task, offset: int, whence: int) -> int:
        if self.shares_offset:
            return host(os.lseek, self.inode.host_fd, offset, whence)
        return self.move(offset, whence, os.fstat(self.inode.host_fd).st_size)

    def ioctl(self, task: Task, request: int, arg: int) -> int:
        if request == FIONREAD:
            left = self.stat_inode().size - self.seek(task, 0, SEEK_CUR)
            task.write_u32(arg, min(max(left, 0), 0x7FFFFFFF))
            return 0
        raise Errno(ENOTTY)

    def fsync(self) -> None:
        host(os.fsync, self.inode.host_fd)

    def truncate(self, length: int) -> None:
        if not self.writable:
            raise Errno(EINVAL)
        self.inode.setattr(size=length)

    def fallocate(self, mode: int, offset: int, length: int) -> None:
        if mode:
            raise Errno(EOPNOTSUPP)
        host(os.posix_fallocate, self.inode.host_fd, offset, length)

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

    gives = True
    takes = True
    inode: HostInode

    def __init__(self, flags: int, path: Path, inode: HostInode, watch: HostWatch) -> None:
        super().__init__(flags, path, inode)
        self._watch = watch
        self.queue = watch.queue
        self._nowait = True  # the host can do this transfer alone without waiting (preadv2(2), RWF_NOWAIT)

    def read(self, task: Task, count: int, pos: int | None) -> bytes | _Marker:
        watch = self._watch
        if not count:
            return b""
        if watch.ready() & (POLLIN | POLLHUP | POLLERR):
            count = min(count, _READ_MAX)
            if not self._nowait:
                return host(os.read, watch.fd, count)
            buffer = bytearray(count)
            taken = self._at_once(os.preadv, [buffer])
            if taken is not None:
                return bytes(buffer[:taken])
            if not self._nowait:
                return self.read(task, count, pos)
        watch.want(POLLIN)
        return WOULD_BLOCK

    def write(self, task: Task, data: bytes, pos: int | None) -> int | _Marker:
        watch = self._watch
        if not data:
            return 0
        if watch.ready() & (POLLOUT | POLLHUP | POLLERR):
            try:
                if not self._nowait:
                    return host(os.write, watch.fd, data[:_PIPE_BUF])
                written = self._at_once(os.pwritev, [data])
            except Errno as error:
                if error.code == EPIPE:
                    send_self(task, SIGPIPE)
                raise
            if written is not None:
                return written
            if not self._nowait:
                return self.write(task, data, pos)
        watch.want(POLLOUT)
        return WOULD_BLOCK

    def _at_once(self, transfer: Callable[..., int], buffers: list[Any]) -> int | None:
        """Move what can be moved without waiting; None: nothing, or the host can't be asked so."""
        try:
            return transfer(self._watch.fd, buffers, -1, os.RWF_NOWAIT)
        except OSError as error:
            if error.errno in (EOPNOTSUPP, ESPIPE, EINVAL):
                self._nowait = False
            elif error.errno != EAGAIN:  # EAGAIN: someone else was faster
                raise Errno(error.errno or EIO) from None
        return None

    def poll(self) -> int:
        return self._watch.poll((POLLIN if self.readable else 0) | (POLLOUT if self.writable else 0))

    def ioctl(self, task: Task, request: int, arg: int) -> int:
        if request == FIONREAD:
            task.copy_out(arg, host(ioctl, self._watch.fd, FIONREAD, bytes(4)))
            return 0
        raise Errno(ENOTTY)
