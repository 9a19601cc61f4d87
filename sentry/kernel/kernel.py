"""The kernel: what there is one of, and the border between the dispatcher and the handlers.

What must hold: handlers raise Errno or return an int, NO_RESULT, None or a coroutine; nothing else crosses
`on_syscall`.  An unexpected exception is a bug of the sentry: logged with its traceback, answered with EIO.
"""

from __future__ import annotations

import errno
import os
import sys
from _collections import deque

from sentry import _core
from sentry.errors import Errno
from sentry.kernel import membarrier, run
from sentry.kernel.cgroups.cgroup import Cgroups
from sentry.kernel.cgroups.oom import OomKiller
from sentry.kernel.futex import Futexes
from sentry.kernel.garbage import Garbage
from sentry.kernel.host_proc import HostProc
from sentry.kernel.kmsg import MessageBuffer
from sentry.kernel.pids import Pids
from sentry.kernel.timekeeping.clock import Clock
from sentry.kernel.tracing import guard
from sentry.kernel.user_count import UserCount
from sentry.kernel.wait import WOULD_BLOCK
from sentry.syscalls.args import decoder
from sentry.syscalls.table import TABLE, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from sentry.config import Config
    from sentry.kernel.log import Log
    from sentry.kernel.namespaces.namespaces import Namespaces
    from sentry.kernel.reactor import Reactor
    from sentry.kernel.sessions import ProcessGroup
    from sentry.kernel.signals.siginfo import SigInfo
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup
    from sentry.kernel.timekeeping.timers import Timer
    from sentry.strace import Strace
    from sentry.syscalls.args import Call
    from sentry.vfs.mounts.mount_namespace import MountNamespace


class Kernel:
    """All kernel state of one sandbox; it belongs to one thread."""

    def __init__(self, machine: _core.Machine, reactor: Reactor, log: Log, config: Config) -> None:
        self.machine = machine
        self.reactor = reactor
        self.timers = reactor.timers
        self.wall_timers = reactor.wall_timers
        self.timers.on_bug = self.wall_timers.on_bug = self._bug
        self.log = log
        self.config = config
        self.calls: list[Call | None] = [None] * (TABLE[-1].nr + 1)  # by number; made on first use
        self.entries = {entry.nr: entry for entry in TABLE}
        self.strace: Strace | None = None
        self.ready: deque[Task] = deque()
        self.tasks: dict[int, Task] = {}  # every task not yet reaped, by tid
        self.groups: dict[int, ThreadGroup] = {}  # every thread group not yet reaped, by tgid
        self.process_groups: dict[int, ProcessGroup] = {}  # by pgid; a group without members is gone
        self.pids = Pids(self)
        self.cgroups = Cgroups(self)
        self.host_proc = HostProc(config)
        self.oom_killer = OomKiller(self)
        self.messages = MessageBuffer()
        self.garbage = Garbage()
        self.futexes = Futexes(machine)
        self.clock = Clock()
        self.epoll_watches = UserCount()
        self.queued_signals = UserCount()  # with timers, which have a place reserved for theirs
        self.cpus = sum(1 << cpu for cpu in os.sched_getaffinity(0))  # that the sandbox may use: a mask
        self.init: ThreadGroup | None = None
        self.mounts: MountNamespace  # set when the root is built
        self.first_ns: Namespaces  # of the first process, set when it is started
        self.helpers = 0  # how many programs run that the kernel itself started (kernel.user_helper)
        self.dump_core: Callable[[Task, SigInfo], Coroutine[None, None, object]]  # set by boot
        self.exit_status = 0  # wait status of init once it is dead

    # Scheduling

    def make_ready(self, task: Task) -> None:
        """Let a suspended task's coroutine go on at the next turn of the loop."""
        self.ready.append(task)
        self.machine.ready = True

    def run_ready(self) -> None:
        """Go on with the tasks that were made ready (called by the loop)."""
        self.machine.ready = False
        for _ in range(len(self.ready)):
            task = self.ready.popleft()
            if task.coroutine is not None:
                self._step(task, task.coroutine)
            elif task.state == "running":  # unparked
                self.machine.start(task)
        self.garbage.tend()

    def _step(self, task: Task, coroutine: Coroutine[None, None, Any]) -> None:
        _core.act(task)
        result = self.drive(task, coroutine)
        if result is not None:
            if self.strace is not None:
                self.strace.leave(task, result)
            self.machine.finish(task, result)

    def drive(self, task: Task, coroutine: Coroutine[None, None, Any]) -> Any:
        """Run a handler's coroutine to its next suspension; its answer, or None while it is suspended."""
        task.coroutine = coroutine
        try:
            coroutine.send(None)
        except StopIteration as stop:
            result = stop.value
        except Errno as error:
            result = -error.code
        except Exception:  # noqa: BLE001  # the border: a bug must not take the sandbox down
            result = self._bug(task)
        else:
            return None
        task.coroutine = None
        return result

    def at(self, deadline: int, callback: Callable[[], None]) -> Timer:
        """Call `callback` once `deadline` (CLOCK_MONOTONIC ns, or a WallTime) has passed."""
        return (self.timers if type(deadline) is int else self.wall_timers).at(deadline, callback)

    # The dispatcher calls these

    def arm_deadline(self, when: int, wall: bool) -> None:
        """Calls that wait in C want to hear when `when` (ns of CLOCK_REALTIME if `wall`, else of
        CLOCK_MONOTONIC) has passed."""
        timers = self.wall_timers if wall else self.timers
        timers.at(when, lambda: self.machine.deadline_passed(wall))

    def on_syscall(self, task: Task, nr: int, a: int, b: int, c: int, d: int, e: int, f: int) -> Any:
        """One system call: the answer, or None when the task is suspended or dead."""
        strace = self.strace
        if strace is not None:
            strace.enter(task, nr, (a, b, c, d, e, f))
        try:
            call = self.calls[nr] if 0 <= nr < len(self.calls) and not task.ctx.compat else None
            if call is None:
                call = self._resolve(task, nr)
            result = call(task, a, b, c, d, e, f)
        except Errno as error:
            result = -error.code
        except Exception:  # noqa: BLE001  # the border: a bug must not take the sandbox down
            result = self._bug(task)
        if type(result) is not int and result is not None and result is not _core.NO_RESULT:
            result = -errno.EAGAIN if result is WOULD_BLOCK else self.drive(task, result)
        if strace is not None and result is not None:
            strace.leave(task, result)
        return result

    def on_guarded(self, task: Task, nr: int, a: int, b: int, c: int, d: int, e: int, f: int) -> Any:
        """As on_syscall, for a call that somebody must see first."""
        if self.strace is not None:
            self.strace.enter(task, nr, (a, b, c, d, e, f))
        result = self.drive(task, guard.call(task))
        if self.strace is not None and result is not None:
            self.strace.leave(task, result)
        return result

    def handler(self, task: Task, nr: int) -> Call:
        """What answers the call `nr` of the task's; raises the Errno of a missing one."""
        call = self.calls[nr] if 0 <= nr < len(self.calls) and not task.ctx.compat else None
        return call if call is not None else self._resolve(task, nr)

    def on_return(self, task: Task, result: object) -> bool:
        """Work is pending before guest code goes on; True: it may."""
        try:
            return run.on_return(task, result)
        except Exception:  # noqa: BLE001  # as in on_syscall
            self._bug(task)
            return run.abandon(task)

    def on_fault(self, task: Task, signo: int, code: int, addr: int, trapno: int, error: int) -> bool:
        """The CPU raised a fault in guest code; True: go on, with pending work."""
        try:
            return run.on_fault(task, signo, code, addr, trapno, error)
        except Exception:  # noqa: BLE001
            self._bug(task)
            return run.abandon(task)

    def on_gone(self, task: Task, signo: int) -> None:
        """The host killed the task's thread, by a signal where that is known."""
        try:
            run.on_gone(task, signo)
        except Exception:  # noqa: BLE001
            self._bug(task)

    def on_barrier(self, task: Task) -> None:
        """The task, which membarrier(2) calls wait for, has left guest code."""
        try:
            membarrier.passed(task)
        except Exception:  # noqa: BLE001  # as in on_syscall
            self._bug(task)

    def on_watch(self) -> None:
        """A host descriptor is ready or a deadline has passed."""
        self.reactor.poll()

    def _resolve(self, task: Task, nr: int) -> Call:
        """The handler of a call not seen before; raises the Errno of a missing one."""
        if task.ctx.compat:
            self.log.once("compat", "a 32-bit system call (int 0x80) was refused")
            raise Errno(errno.ENOSYS)
        entry = self.entries.get(nr)
        handler = None if entry is None else resolve(entry)
        if handler is None:
            name = entry.name if entry is not None else f"number {nr}"
            self.log.once(
                f"syscall {name}" if entry is not None else "unknown", f"missing system call: {name}"
            )
            if entry is not None:
                self.machine.refuse(nr, entry.errno)
            raise Errno(entry.errno if entry is not None else errno.ENOSYS)
        call = self.calls[nr] = decoder(handler)
        return call

    def preload(self) -> None:
        """Import every handler's module: the sealed sandbox can import nothing from files."""
        for entry in TABLE:
            resolve(entry)

    def _bug(self, task: Task | None = None) -> int:
        self.log.bug(task, sys.exc_info())
        return -errno.EIO
