"""--strace: one line for each system call, when it ends.

    [    1] 0.000213 openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC, 0) = 3
    [    1] 0.000004 read(3, "root:x:0:0:root:/root:/bin/bash\n"..., 4096) = 1612

Process, seconds that the call took, and the call.  The prototypes are python-ptrace's; what their parameters
mean is in strace_words and strace_memory.  All is loaded before the sandbox is sealed.
"""

from __future__ import annotations

import errno
import os

from sentry import _core
from sentry.abi.time import NSEC
from sentry.kernel.log import json_string
from sentry.strace_memory import AFTER, BEFORE, data, quote, shown, string
from sentry.strace_words import LOW, PROTOTYPES, SIGNAL, WORDS, octal
from sentry.syscalls.table import TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sentry.kernel.signals.siginfo import SigInfo
    from sentry.kernel.task import Task

# Calls that fill a buffer, and which argument it is: shown by the result's length.
_RESULT_BUFFERS = {"read": 1, "pread64": 1, "recvfrom": 1, "readlink": 1, "readlinkat": 2, "getcwd": 0}
_DATA = {"write": ("buf", 2), "pwrite64": ("buf", 2), "sendto": ("buf", 2)}
_DIRECTORIES = ("dirfd", "dfd", "olddfd", "newdfd", "olddirfd", "newdirfd")
_RESTARTS = {512: "ERESTARTSYS", 513: "ERESTARTNOINTR", 514: "ERESTARTNOHAND", 516: "ERESTART_RESTARTBLOCK"}
_WITHOUT_RETURN = ("exit", "exit_group")
_ADDRESSES = ("mmap", "mremap", "brk", "shmat")  # calls whose result is one


class _Call:
    """A call that has begun."""

    __slots__ = ("began", "name", "parameters", "texts", "values")

    def __init__(self, name: str, parameters: tuple[tuple[str, str], ...], values: tuple[int, ...]) -> None:
        self.name = name
        self.parameters = parameters
        self.values = values
        self.texts: list[str] = []
        self.began = 0


class Strace:
    """Prints calls to a host descriptor."""

    def __init__(self, fd: int, as_json: bool = False) -> None:
        """`fd` stays open as long as the sandbox lives; `as_json`: each line is a record as the log's are."""
        from ptrace.syscall.prototypes import SYSCALL_PROTOTYPES

        self._fd = fd
        self._json = as_json
        self._names = {entry.nr: entry.name for entry in TABLE}
        self._prototypes: dict[str, Any] = {name: kinds for name, (_, kinds) in SYSCALL_PROTOTYPES.items()}
        self._prototypes |= PROTOTYPES
        self._under_way: dict[Task, _Call] = {}
        quote(b"")  # its codec is imported on first use, which the sealed sandbox can't do

    def enter(self, task: Task, nr: int, values: tuple[int, ...]) -> None:
        """Note a call's arguments as they are before it runs."""
        name = self._names.get(nr, f"syscall_{nr}")
        parameters = self._prototypes.get(name)
        if parameters is None:
            parameters = tuple(("unsigned long", "") for _ in values)
        call = _Call(name, parameters, values)
        call.texts = [
            _argument(task, call, kind, label, value)
            for (kind, label), value in zip(parameters, values, strict=False)
        ]
        call.began = _core.monotonic()
        self._under_way[task] = call
        if name in _WITHOUT_RETURN:
            self._print(task, "?")

    def leave(self, task: Task, result: Any) -> None:
        """Print the call that `task` had under way, with its result."""
        if task not in self._under_way:
            return
        call = self._under_way[task]
        if type(result) is not int:  # the registers are what another program or a signal handler left
            self._print(task, "0" if call.name.startswith("execve") else "?")
            return
        if result >= 0:
            _show_results(task, call, result)
            text = hex(result) if call.name in _ADDRESSES else str(result)
        elif -result in _RESTARTS:
            text = f"? {_RESTARTS[-result]}"
        else:
            text = f"-1 {errno.errorcode.get(-result, str(-result))} ({os.strerror(-result)})"
        self._print(task, text)

    def signal(self, task: Task, info: SigInfo) -> None:
        """A signal is about to be acted upon."""
        sender = f" from {info.pid}" if info.pid else ""
        self._line(task, f"--- {SIGNAL(info.signo)}{sender} ---")

    def exited(self, task: Task, wait_status: int) -> None:
        """The task is gone, and with it what it had under way."""
        if task in self._under_way:
            self._print(task, "?")
        number = wait_status & 0x7F
        self._line(
            task, f"+++ {f'killed by {SIGNAL(number)}' if number else f'exited with {wait_status >> 8}'} +++"
        )

    def _print(self, task: Task, result: str) -> None:
        call = self._under_way.pop(task)
        seconds = (_core.monotonic() - call.began) / NSEC
        self._line(task, f"{seconds:.6f} {call.name}({', '.join(call.texts)}) = {result}")

    def _line(self, task: Task, text: str) -> None:
        if self._fd < 0:
            return
        line = f"[{task.tid:5}] {text}"
        if self._json:
            line = f'{{"level":"strace","msg":{json_string(line)}}}'
        try:
            os.write(self._fd, line.encode() + b"\n")
        except OSError:  # the reader has left, or the disk is full: the sandbox goes on
            self._fd = -1


def _argument(task: Task, call: _Call, kind: str, label: str, value: int) -> str:
    """One argument as it is before the call runs."""
    name = call.name
    words = WORDS.get((name, label)) or WORDS.get(("", label))
    if words is not None:
        return words(value)
    show = BEFORE.get((name, label))
    if show is not None:
        return shown(show, task, value)
    low = (value & LOW) - (1 << 32) if value & 0x80000000 else value & LOW
    if label in _DIRECTORIES:
        return "AT_FDCWD" if low == -100 else str(low)
    buffer = _DATA.get(name)
    if buffer is not None and buffer[0] == label:
        return shown(lambda task, address: data(task, address, call.values[buffer[1]]), task, value)
    if kind == "const char *":
        return shown(string, task, value)
    if "*" in kind or "[" in kind:
        return hex(value) if value else "NULL"
    if kind == "umode_t":
        return octal(value)
    if label == "fd" or kind in ("int", "pid_t", "uid_t", "gid_t", "unsigned int", "key_t", "clockid_t"):
        return str(low)
    signed = value - (1 << 64) if value >> 63 else value
    return str(signed) if -4096 < signed < 1 << 20 else hex(value)


def _show_results(task: Task, call: _Call, result: int) -> None:
    """Put what the call has written to guest memory in place of the pointers to it."""
    if task.ctx is None:
        return
    index = _RESULT_BUFFERS.get(call.name)
    if index is not None and result:
        call.texts[index] = shown(lambda task, address: data(task, address, result), task, call.values[index])
    for index, (_, label) in enumerate(call.parameters):
        show = AFTER.get((call.name, label))
        if show is not None and (call.name != "wait4" or result):
            call.texts[index] = shown(show, task, call.values[index])
