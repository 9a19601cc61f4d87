"""Doubles for tests of files that wait: tasks with some memory, a clock that moves when it is told to."""

from __future__ import annotations

from errno import EFAULT
from types import SimpleNamespace
from typing import Any

import pytest

from sentry import _core
from sentry.abi.resource import RLIM_INFINITY, RLIM_NLIMITS
from sentry.errors import Errno
from sentry.kernel.creds import Creds
from sentry.kernel.kernel import Kernel
from sentry.kernel.namespaces.namespaces import Namespaces
from sentry.kernel.signals.signals import SignalState
from sentry.kernel.task import Task
from sentry.kernel.thread_group import ThreadGroup
from sentry.kernel.timekeeping.timers import Timers
from sentry.kernel.timekeeping.wall_timers import WallTimers

SUSPENDED = "suspended"
MEMORY = 1 << 19
BASE = 0x10000


class FakeMachine:
    """Takes the answers of calls that had been suspended."""

    def __init__(self) -> None:
        self.ready = False

    def finish(self, task: FakeTask, result: Any) -> None:
        task.result = result


class FakeReactor:
    def __init__(self, timers: Timers) -> None:
        self.timers = timers
        self.wall_timers = WallTimers(-1, lambda fd, when, notice_steps: False)


class World:
    """A kernel with nothing below it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000_000_000_000
        monkeypatch.setattr(_core, "monotonic", lambda: self.now)
        monkeypatch.setattr(_core, "realtime", lambda: self.now + 1_700_000_000_000_000_000)
        self.timers = Timers(lambda: self.now, lambda when: None)
        self.machine = FakeMachine()
        machine: Any = self.machine
        reactor: Any = FakeReactor(self.timers)
        log: Any = RaisingLog()
        config: Any = SimpleNamespace(hostname="sandbox", domainname="(none)")
        self.kernel = Kernel(machine, reactor, log, config)
        self._last_tid = 0

    namespaces: Namespaces | None = None

    def task(self, uid: int = 0, group: ThreadGroup | None = None) -> FakeTask:
        """A task of a new process, or one more thread of `group`."""
        self._last_tid += 1
        if group is None:
            limits = [(RLIM_INFINITY, RLIM_INFINITY)] * RLIM_NLIMITS
            group = ThreadGroup(self.kernel, self._last_tid, limits)
            self.kernel.groups[group.tgid] = group
        task = FakeTask(self.kernel, self._last_tid, group)
        task.creds = Creds(uid, uid)
        if self.namespaces is None:
            nothing: Any = None  # there are no files, so no mounts
            self.namespaces = Namespaces(task.creds.user_ns, group.pid_ns, nothing)
        task.ns = self.namespaces
        group.tasks.append(task)
        return task

    def settle(self) -> None:
        """Let every task that was woken go on, until all of them wait."""
        while self.machine.ready:
            self.kernel.run_ready()

    def sleep(self, seconds: float) -> None:
        """Move the clock and run what is due."""
        self.now += int(seconds * 1_000_000_000)
        self.timers.run()
        self.kernel.wall_timers.run()
        self.settle()


class RaisingLog:
    """A bug in a handler fails the test."""

    def bug(self, task: Task, error: Any) -> None:
        raise error[1]


class FakeTask(Task):
    """A task whose memory is MEMORY bytes at BASE; `result` is what the call under way answered."""

    def __init__(self, kernel: Kernel, tid: int, group: ThreadGroup) -> None:
        super().__init__(kernel, tid, group)
        self.files = _core.FdTable()
        self.files.limit = 256
        self.signal = SignalState()
        self.memory = bytearray(MEMORY)
        self.result: Any = None

    def run(self, call: Any) -> Any:
        """Make a system call: `call()` is its handler's answer.  The result, negative errno, or SUSPENDED."""
        try:
            result = call()
        except Errno as error:
            return -error.code
        if isinstance(result, int):
            return result
        self.result = SUSPENDED
        answer = self.kernel.drive(self, result)
        if answer is not None:
            self.result = answer
        return self.result

    def read(self, fd: int, count: int) -> Any:
        """As read(2) does it without waiting; bytes, WOULD_BLOCK or negative errno."""
        return self._try(lambda: self.files.get(fd).read(self, count, None))

    def write(self, fd: int, data: bytes) -> Any:
        return self._try(lambda: self.files.get(fd).write(self, data, None))

    def _try(self, call: Any) -> Any:
        try:
            return call()
        except Errno as error:
            return -error.code

    # Guest memory

    def _at(self, addr: int, count: int) -> slice:
        if addr < BASE or addr + count > BASE + MEMORY:
            raise Errno(EFAULT)
        return slice(addr - BASE, addr - BASE + count)

    def copy_in(self, addr: int, count: int) -> bytes:
        return bytes(self.memory[self._at(addr, count)])

    def copy_out(self, addr: int, data: Any) -> None:
        self.memory[self._at(addr, len(data))] = data

    def read_u32(self, addr: int) -> int:
        return int.from_bytes(self.copy_in(addr, 4), "little")

    def read_u64(self, addr: int) -> int:
        return int.from_bytes(self.copy_in(addr, 8), "little")

    def write_u32(self, addr: int, value: int) -> None:
        self.copy_out(addr, value.to_bytes(4, "little"))

    def write_u64(self, addr: int, value: int) -> None:
        self.copy_out(addr, value.to_bytes(8, "little"))

    def copy_in_str(self, addr: int, limit: int = 4096) -> bytes:
        return self.copy_in(addr, min(limit, BASE + MEMORY - addr)).split(b"\0")[0]

    def read_iovec(self, addr: int, count: int) -> list[tuple[int, int]]:
        return [(self.read_u64(addr + 16 * i), self.read_u64(addr + 16 * i + 8)) for i in range(count)]

    def gather(self, iov: list[tuple[int, int]]) -> bytes:
        return b"".join(self.copy_in(addr, length) for addr, length in iov)

    def scatter(self, iov: list[tuple[int, int]], data: bytes) -> int:
        done = 0
        for addr, length in iov:
            part = data[done : done + length]
            self.copy_out(addr, part)
            done += len(part)
        return done

    def i32(self, addr: int) -> int:
        value = self.read_u32(addr)
        return value - (1 << 32) if value >> 31 else value


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)
