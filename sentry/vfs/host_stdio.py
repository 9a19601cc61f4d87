"""Standard input, output and error of the sandbox: the caller's own descriptors as the guest's files."""

from __future__ import annotations

import os
from fcntl import F_GETFL, fcntl

from sentry.abi.fcntl import AT_FDCWD, O_ACCMODE, O_APPEND
from sentry.abi.stat import S_IFCHR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK, major, minor
from sentry.errors import Errno
from sentry.fs.dev import MEMORY_MAJOR, open_device
from sentry.fs.devpts import DevPts, place
from sentry.tty import host_terminal
from sentry.vfs.host_file import HostFile, HostInode, HostStream, caller_fs
from sentry.vfs.host_watch import HostWatch
from sentry.vfs.namei import walk
from sentry.vfs.path import Dentry, Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.config import Config
    from sentry.kernel.kernel import Kernel
    from sentry.kernel.task import Task
    from sentry.tty.host_terminal import HostTerminal
    from sentry.vfs.file import File

_MEMORY_DEVICES = {3: b"/dev/null", 5: b"/dev/zero", 7: b"/dev/full", 8: b"/dev/random", 9: b"/dev/urandom"}


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
    path = Path(caller_fs.mount, Dentry(b"%b:[%d]" % (label, inode.ino), None, inode))
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
    return open_device(task, inode, Path(caller_fs.mount, Dentry(name, None, inode)), flags)


def _open_terminal(
    kernel: Kernel, task: Task, fd: int, flags: int, inode: HostInode, terminals: dict[int, HostTerminal]
) -> File:
    terminal = terminals.get(inode.rdev)
    if terminal is None:
        terminal = terminals[inode.rdev] = host_terminal.HostTerminal(kernel.reactor)
        terminal.number = inode.rdev
    watch = terminal.add(fd, flags)
    found = _named(task, terminal)
    if found is None:
        inode.terminal = terminal
        found = Path(caller_fs.mount, Dentry(b"host:[tty]", None, inode))
    if terminal.may_acquire(task):
        terminal.acquire(task.group)
    return terminal.file(found, watch, flags)


def _named(task: Task, terminal: HostTerminal) -> Path | None:
    """The terminal's place in the guest's devpts, for ttyname(3); None where there is no devpts."""
    for mount in task.ns.mnt.mounts:
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
