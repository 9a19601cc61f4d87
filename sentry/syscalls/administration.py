"""What administrators of a machine call: syslog(2), reboot(2), acct(2), swapon(2), ustat(2), sysfs(2)."""

from errno import EINVAL, EISDIR, EPERM
from struct import Struct

from sentry.abi.capability import CAP_SYS_ADMIN, CAP_SYS_BOOT, CAP_SYS_PACCT, CAP_SYSLOG
from sentry.abi.fcntl import AT_FDCWD, O_APPEND, O_LARGEFILE, O_WRONLY
from sentry.abi.signal import SIGHUP, SIGINT
from sentry.errors import Errno
from sentry.fs.proc_system import file_system_names
from sentry.kernel import acct as accounting
from sentry.kernel import exit as exits
from sentry.kernel.kmsg import BUFFER_SIZE
from sentry.kernel.wait import WOULD_BLOCK, block
from sentry.syscalls.args import Int, Ptr, UInt
from sentry.vfs.file import File
from sentry.vfs.namei import walk
from sentry.vfs.open import open_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sentry.kernel.task import Task
    from sentry.kernel.wait import _Marker

# syslog(2)
_CLOSE, _OPEN, _READ, _READ_ALL, _READ_CLEAR, _CLEAR, _CONSOLE_OFF, _CONSOLE_ON, _CONSOLE_LEVEL = range(9)
_SIZE_UNREAD, _SIZE_BUFFER = 9, 10

# reboot(2)
_MAGIC1 = 0xFEE1DEAD
_MAGICS2 = (672274793, 85072278, 369367448, 537993216)
_RESTART, _RESTART2, _HALT, _POWER_OFF = 0x01234567, 0xA1B2C3D4, 0xCDEF0123, 0x4321FEDC
# How the first process of a PID namespace ends, by the command (pid_namespaces(7)).
_ENDS = {_RESTART: SIGHUP, _RESTART2: SIGHUP, _HALT: SIGINT, _POWER_OFF: SIGINT}

_SWAP_FLAGS = 0x7FFFF
_USTAT = Struct("<i4xQ6s6s4x")  # free blocks, free inodes, two names that nobody fills


def syslog(task: "Task", kind: Int, address: Ptr, length: Int) -> "int | Coroutine[None, None, int]":
    if not task.creds.has_cap(CAP_SYSLOG):
        raise Errno(EPERM)  # as with kernel.dmesg_restrict set
    messages = task.kernel.messages
    if kind in (_READ, _READ_ALL, _READ_CLEAR):
        if not address or length < 0:
            raise Errno(EINVAL)
        if not length:
            return 0
        if kind == _READ:
            return _wait_for_messages(task, address, length)
        text = messages.tail(length)
        task.copy_out(address, text)
        if kind == _READ_CLEAR:
            messages.cleared = len(messages.text)
        return len(text)
    if kind == _CLEAR:
        messages.cleared = len(messages.text)
    elif kind == _CONSOLE_LEVEL:
        if not 1 <= length <= 8:
            raise Errno(EINVAL)
    elif kind == _SIZE_UNREAD:
        return len(messages.text) - messages.unread
    elif kind == _SIZE_BUFFER:
        return BUFFER_SIZE
    elif kind not in (_CLOSE, _OPEN, _CONSOLE_OFF, _CONSOLE_ON):
        raise Errno(EINVAL)
    return 0


async def _wait_for_messages(task: "Task", address: int, length: int) -> int:
    messages = task.kernel.messages

    def attempt() -> "bytes | _Marker":
        return messages.take(length) or WOULD_BLOCK

    text = await block(task, attempt, messages.queue)
    assert isinstance(text, bytes)
    task.copy_out(address, text)
    return len(text)


def reboot(task: "Task", magic1: UInt, magic2: UInt, command: UInt, argument: Ptr) -> int | None:
    namespace = task.group.pid_ns
    if not task.creds.has_cap(CAP_SYS_BOOT, namespace.owner):
        raise Errno(EPERM)
    if magic1 != _MAGIC1 or magic2 not in _MAGICS2 or command not in _ENDS:
        raise Errno(EINVAL)
    init = namespace.init if namespace.level else task.kernel.init
    if init is not None:
        init.begin_exit(_ENDS[command])
    exits.exit_group(task, 0)
    return None


def acct(task: "Task", name: Ptr) -> "int | Coroutine[None, None, int]":
    if not task.creds.has_cap(CAP_SYS_PACCT):
        raise Errno(EPERM)
    if not name:
        accounting.turn_off(task)
        return 0
    opened = open_at(task, AT_FDCWD, task.copy_in_str(name, 4096), O_WRONLY | O_APPEND | O_LARGEFILE, 0)
    if not isinstance(opened, File):  # a FIFO waits for its other end, and is refused then
        return _account_later(task, opened)
    accounting.turn_on(task, opened)
    return 0


async def _account_later(task: "Task", opening: "Coroutine[None, None, File]") -> int:
    accounting.turn_on(task, await opening)
    return 0


def swapon(task: "Task", name: Ptr, flags: UInt) -> int:
    if flags & ~_SWAP_FLAGS:
        raise Errno(EINVAL)
    swapoff(task, name)
    raise Errno(EINVAL)


def swapoff(task: "Task", name: Ptr) -> int:
    if not task.creds.has_cap(CAP_SYS_ADMIN):
        raise Errno(EPERM)
    if walk(task, AT_FDCWD, task.copy_in_str(name, 4096)).inode.is_dir():
        raise Errno(EISDIR)
    raise Errno(EINVAL)  # there is no swap space that it could name


def ustat(task: "Task", device: UInt, address: Ptr) -> int:
    for mount in task.ns.mnt.mounts:
        if mount.fs.dev == device:
            found = mount.fs.statfs()
            task.copy_out(address, _USTAT.pack(found.bfree & 0x7FFFFFFF, found.ffree, b"", b""))
            return 0
    raise Errno(EINVAL)


def sysfs(task: "Task", option: Int, first: Ptr, second: Ptr) -> int:
    names = file_system_names()
    if option == 1:
        name = task.copy_in_str(first, 4096)
        if name not in names:
            raise Errno(EINVAL)
        return names.index(name)
    if option == 2:
        index = first & 0xFFFFFFFF
        if index >= len(names):
            raise Errno(EINVAL)
        task.copy_out(second, names[index] + b"\0")
        return 0
    if option != 3:
        raise Errno(EINVAL)
    return len(names)
