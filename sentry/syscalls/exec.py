"""Executing programs: execve(2), execveat(2)."""

import errno

from sentry.abi.fcntl import AT_EMPTY_PATH, AT_EXECVE_CHECK, AT_FDCWD, AT_SYMLINK_NOFOLLOW
from sentry.abi.resource import RLIMIT_STACK
from sentry.abi.stat import S_IFLNK, S_IFMT
from sentry.errors import Errno
from sentry.kernel import exec as execs
from sentry.kernel.wait import INTERRUPTED, suspend
from sentry.mm import loader
from sentry.mm.stack import MAX_STRING, arguments_limit
from sentry.syscalls.args import Fd, Int, Path, Ptr
from sentry.vfs import namei

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sentry.kernel.task import Task
    from sentry.vfs.path import Path as Place

_PAGE = 4096
_POINTER = 8


def execve(task: "Task", name: Path, argv: Ptr, envp: Ptr) -> "Any":
    return _execute(task, namei.walk(task, AT_FDCWD, name), argv, envp, name)


def execveat(task: "Task", dirfd: Fd, name: Path, argv: Ptr, envp: Ptr, flags: Int) -> "Any":
    if flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_EXECVE_CHECK):
        raise Errno(errno.EINVAL if name else errno.ENOENT)
    place = namei.walk_at(task, dirfd, name, flags, not flags & AT_SYMLINK_NOFOLLOW)
    if place.inode.mode & S_IFMT == S_IFLNK:
        raise Errno(errno.ELOOP)
    if not name:
        shown = b"/dev/fd/%d" % dirfd
    elif name.startswith(b"/") or dirfd == AT_FDCWD:
        shown = name
    else:
        shown = b"/dev/fd/%d/%s" % (dirfd, name)
    if flags & AT_EXECVE_CHECK:
        return _check(task, place, argv, envp)
    hidden = shown is not name and dirfd != AT_FDCWD and task.files.cloexec(dirfd)
    return _execute(task, place, argv, envp, shown, hidden)


async def _execute(
    task: "Task", place: "Place", argv: int, envp: int, name: bytes, hidden: bool = False
) -> "Any":
    arguments, environment = await _read_vectors(task, argv, envp)
    return await execs.execve(task, place, arguments, environment, name, hidden)


async def _check(task: "Task", place: "Place", argv: int, envp: int) -> int:
    await _read_vectors(task, argv, envp)
    return await loader.check_program(task, place)


async def _read_vectors(task: "Task", argv: int, envp: int) -> tuple[list[bytes], list[bytes]]:
    """The argument and environment strings; E2BIG when they are too large, EFAULT."""
    room = arguments_limit(task.group.rlimit(RLIMIT_STACK))
    arguments, room = await _read_vector(task, argv, room)
    environment, _ = await _read_vector(task, envp, room)
    return arguments, environment


async def _read_vector(task: "Task", address: int, room: int) -> tuple[list[bytes], int]:
    """The strings, and the room left.  Others run between pages of pointers; a fatal signal: EINTR."""
    strings: list[bytes] = []
    if not address:
        return strings, room  # Linux takes NULL as an empty vector
    while True:
        # Never across a page: what lies behind the terminating NULL may not exist.
        block = task.copy_in_some(address, max(_POINTER, _PAGE - address % _PAGE & -_POINTER))
        if len(block) < _POINTER:
            raise Errno(errno.EFAULT)
        for at in range(0, len(block) - _POINTER + 1, _POINTER):
            pointer = int.from_bytes(block[at : at + _POINTER], "little")
            if not pointer:
                return strings, room
            text = _read_string(task, pointer)
            room -= len(text) + 1 + _POINTER
            if room < 0:
                raise Errno(errno.E2BIG)
            strings.append(text)
        address += len(block) & -_POINTER
        if await suspend(task, 0, interruptible=False) == INTERRUPTED:
            raise Errno(errno.EINTR)


def _read_string(task: "Task", pointer: int) -> bytes:
    try:
        return task.copy_in_str(pointer, MAX_STRING)
    except Errno as error:
        if error.code == errno.ENAMETOOLONG:
            raise Errno(errno.E2BIG) from None
        raise
