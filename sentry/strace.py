"""--strace: one line for each system call, when it ends.

    [    1] 0.000213 openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3
    [    1] 0.000004 read(3, "root:x:0:0:..."..., 4096) = 1612

The prototypes and the flag formats are python-ptrace's; they are loaded before the sandbox is sealed.
"""

from __future__ import annotations

import errno
import os

from sentry import _core
from sentry.errors import Errno
from sentry.syscalls.table import TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sentry.kernel.task import Task

STRING_MAX = 32  # bytes of a buffer that are shown
PATH_SHOWN = 256

# Calls that fill a buffer, and which argument it is: shown by the result's length.
_RESULT_BUFFERS = {"read": 1, "pread64": 1, "recvfrom": 1, "readlink": 1, "readlinkat": 2, "getcwd": 0}
_DATA = {"write": ("buf", 2), "pwrite64": ("buf", 2), "sendto": ("buff", 2)}
_RESTARTS = {512: "ERESTARTSYS", 513: "ERESTARTNOINTR", 514: "ERESTARTNOHAND", 516: "ERESTART_RESTARTBLOCK"}


class Strace:
    """Prints calls to a host descriptor."""

    def __init__(self, fd: int) -> None:
        """`fd` stays open as long as the sandbox lives."""
        from ptrace.syscall import posix_arg, prototypes

        self._fd = fd
        self._names = {entry.nr: entry.name for entry in TABLE}
        self._prototypes: dict[str, Any] = prototypes.SYSCALL_PROTOTYPES
        self._under_way: dict[Task, tuple[int, str, list[str], tuple[int, ...]]] = {}
        self._formats: dict[tuple[str, str], Callable[[int], str]] = {
            ("open", "flags"): _of_value(posix_arg.formatOpenFlags),
            ("openat", "flags"): _of_value(posix_arg.formatOpenFlags),
            ("mmap", "prot"): _of_value(posix_arg.formatMmapProt),
            ("mprotect", "prot"): _of_value(posix_arg.formatMmapProt),
            ("clone", "flags"): _of_value(posix_arg.formatCloneFlags),
            ("access", "mode"): _of_value(posix_arg.formatAccessMode),
        }
        self._signal_name: Callable[[int], str] = posix_arg.signalName
        _quote(b"")  # its codec is imported on first use, which the sealed sandbox can't do

    def enter(self, task: Task, nr: int, values: tuple[int, ...]) -> None:
        """Note a call's arguments as they are before it runs."""
        name = self._names.get(nr, f"syscall_{nr}")
        prototype = self._prototypes.get(name)
        arguments = prototype[1] if prototype else tuple(("unsigned long", "") for _ in values)
        texts = [
            self._argument(task, name, kind, label, value, values)
            for (kind, label), value in zip(arguments, values, strict=False)
        ]
        self._under_way[task] = (_core.monotonic(), name, texts, values)
        if name in ("exit", "exit_group"):
            self._print(task, "?")

    def leave(self, task: Task, result: Any) -> None:
        """Print the call that `task` had under way, with its result."""
        if task not in self._under_way:
            return
        _, name, texts, values = self._under_way[task]
        if type(result) is not int:
            self._print(task, "?")
            return
        index = _RESULT_BUFFERS.get(name)
        if index is not None and result > 0 and task.ctx is not None:
            texts[index] = self._data(task, values[index], result)
        if result >= 0:
            text = hex(result) if name in ("mmap", "mremap", "brk") else str(result)
        elif -result in _RESTARTS:
            text = f"? {_RESTARTS[-result]}"
        else:
            text = f"-1 {errno.errorcode.get(-result, str(-result))} ({os.strerror(-result)})"
        self._print(task, text)

    def event(self, task: Task, text: str) -> None:
        """A line of its own: a signal, an exit."""
        os.write(self._fd, f"[{task.tid:5}] --- {text} ---\n".encode("ascii", "replace"))

    def _print(self, task: Task, result: str) -> None:
        started, name, texts, _ = self._under_way.pop(task)
        seconds = (_core.monotonic() - started) / 1e9
        os.write(self._fd, f"[{task.tid:5}] {seconds:.6f} {name}({', '.join(texts)}) = {result}\n".encode())

    def _argument(
        self, task: Task, name: str, kind: str, label: str, value: int, values: tuple[int, ...]
    ) -> str:
        formatter = self._formats.get((name, label))
        if formatter is not None:
            return formatter(value)
        signed = value - (1 << 64) if value >> 63 else value
        low = (value & 0xFFFFFFFF) - (1 << 32) if value & 0x80000000 else value & 0xFFFFFFFF
        if label in ("dirfd", "dfd", "olddfd", "newdfd", "olddirfd", "newdirfd"):
            return "AT_FDCWD" if low == -100 else str(low)
        if label == "sig" and 0 < low < 65:
            return self._signal_name(low)
        data = _DATA.get(name)
        if data is not None and data[0] == label:
            return self._data(task, value, values[data[1]])
        if "char *" in kind and name not in _RESULT_BUFFERS and value:
            return self._string(task, value)
        if "*" in kind:
            return "NULL" if value == 0 else hex(value)
        if kind in ("int", "pid_t", "uid_t", "gid_t", "unsigned int", "key_t", "clockid_t"):
            return str(low)
        return str(signed) if -4096 < signed < 1 << 20 else hex(value)

    def _string(self, task: Task, address: int) -> str:
        try:
            text = task.copy_in_str(address, PATH_SHOWN)
        except Errno:
            return hex(address)
        return _quote(text)

    def _data(self, task: Task, address: int, count: int) -> str:
        try:
            data = task.copy_in_some(address, min(count, STRING_MAX))
        except Errno:
            return hex(address)
        return _quote(data) + ("..." if count > len(data) else "")


class _Value:
    """What python-ptrace's formatters take: an argument with a value."""

    __slots__ = ("value",)

    def __init__(self, value: int) -> None:
        self.value = value


def _of_value(formatter: Callable[[Any], str]) -> Callable[[int], str]:
    return lambda value: formatter(_Value(value))


def _quote(data: bytes) -> str:
    return '"' + data.decode("latin-1").encode("unicode_escape").decode("ascii").replace('"', '\\"') + '"'
