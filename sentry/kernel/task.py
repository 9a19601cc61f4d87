"""A task: one guest thread.

What must hold: `state` tells what the task does, in one word -

    running   guest code runs, or a handler runs on its behalf
    waiting   suspended in kernel.wait.suspend, or parked in C (core/park.c)
    stopped   in a group stop; its context is parked, its return to user mode is pending
    dead      exited; only its identity is left until it is reaped

Everything that touches several tasks lives in the module of its verb: clone, exec, exit, signals, ...
"""

from __future__ import annotations

from sentry import _core
from sentry.abi.personality import READ_IMPLIES_EXEC
from sentry.ipc.sem_undo import UndoList
from sentry.kernel.sched import SchedPolicy
from sentry.kernel.signals.signals import SignalState
from sentry.kernel.wait import INTERRUPTED, TIMED_OUT_OUTCOME, WOKEN
from sentry.keys.process import TaskKeyrings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from sentry.kernel.creds import Creds
    from sentry.kernel.fs_context import FsContext
    from sentry.kernel.kernel import Kernel
    from sentry.kernel.membarrier import Barrier
    from sentry.kernel.namespaces.namespaces import Namespaces
    from sentry.kernel.pidfd import PidIdentity
    from sentry.kernel.sessions import ProcessGroup
    from sentry.kernel.thread_group import ThreadGroup
    from sentry.kernel.tracing.dispatch import Dispatch
    from sentry.kernel.tracing.tracing import Tracee
    from sentry.mm.policy import Policy
    from sentry.mm.space import AddressSpace


class Task(_core.TaskBase):
    """One guest thread (clone(2)).

    `tid` is its number in the initial PID namespace, by which the sentry knows it everywhere; `find` and its
    family take what this task calls others, `number` gives it.
    """

    group: ThreadGroup
    creds: Creds
    mm: AddressSpace
    files: _core.FdTable
    ctx: _core.Context

    def __init__(self, kernel: Kernel, tid: int, group: ThreadGroup) -> None:
        super().__init__()
        self.kernel = kernel
        self.tid = self.local_tid = tid
        self.group = group
        self.dying = False  # exit_group, a fatal signal or an execve elsewhere has doomed it
        self.coroutine: Coroutine[None, None, Any] | None = None
        self.comm = b""
        self.fs: FsContext
        self.ns: Namespaces
        self.signal = SignalState()
        self.trace: Tracee | None = None  # how a tracer has it
        self.tracees: list[Task] = []  # whom it traces
        self.barriers: list[Barrier] = []  # membarrier(2) calls that wait for it
        self.mce_policy = 2  # PR_MCE_KILL_DEFAULT
        self.io_flusher = False
        self.dispatch: Dispatch | None = None  # who answers its calls (PR_SET_SYSCALL_USER_DISPATCH)
        self.exit_code: int | None = None  # wait status of a thread that ended itself
        self.vfork_parent: Task | None = None  # waits until we exec or exit
        self.parent_death_signal = 0
        self.personality = 0
        self.cpu_before = 0  # ns of CPU time that its group had used when it came to be a thread of it
        self.preempted = 0  # how often the host took the CPU from it, while it ran earlier programs
        self.sampled = 0  # its CPU time when it was last chosen to take a CPU timer's signal (cpu_clock)
        self.timer_slack = 50_000  # ns
        self.default_timer_slack = 50_000  # ns: its creator's slack when it was cloned; 0 asks for it
        self.sched = SchedPolicy()
        self.mempolicy: Policy | None = None  # None: the default one
        self.sem_undo = UndoList()
        self.keyrings = TaskKeyrings()
        self.identity: PidIdentity | None = None  # of a thread that isn't the process's first
        self.start_time = _core.monotonic()

    def set_personality(self, persona: int) -> None:
        """Change the execution domain (personality(2))."""
        self.personality = persona
        self.reads_execute = bool(persona & READ_IMPLIES_EXEC)

    def find(self, number: int) -> Task | None:
        """The thread that this one calls `number` (pid_namespaces(7))."""
        return self.kernel.tasks.get(self.group.pid_ns.pid(number))

    def find_group(self, number: int) -> ThreadGroup | None:
        """The process that this thread calls `number`."""
        return self.kernel.groups.get(self.group.pid_ns.pid(number))

    def find_process_group(self, number: int) -> ProcessGroup | None:
        """The process group that this thread calls `number`."""
        return self.kernel.process_groups.get(self.group.pid_ns.pid(number))

    def number(self, pid: int) -> int:
        """What this thread calls the task, process, process group or session `pid`; 0: it can't see it."""
        return self.group.pid_ns.number(pid)

    def wake(self) -> None:
        """End the task's wait as woken; nothing when it does not wait or its wait has ended."""
        self._end_wait(WOKEN)

    def interrupt(self) -> None:
        """End an interruptible wait because a signal is pending (or any wait when it must die); a task in
        guest code is stopped so that it takes notice."""
        if self.state == "waiting":
            if self.interruptible or self.dying:
                self._end_wait(INTERRUPTED)
        elif self.state == "running" and self.ctx is not None and self.ctx.running:
            self.ctx.interrupt()

    def unpark(self) -> None:
        """Let a stopped task go on to user mode at the next turn of the loop."""
        self.state = "running"
        self.work |= _core.WORK_OTHER  # the call that the stop interrupted must be restarted
        self.kernel.make_ready(self)

    def time_out(self) -> None:
        """End the task's wait because its deadline has passed (called by the timers)."""
        self._end_wait(TIMED_OUT_OUTCOME)

    def _end_wait(self, outcome: int) -> None:
        if self.end_wait(outcome):
            self.kernel.make_ready(self)

    def signal_pending(self) -> bool:
        """Whether an unblocked signal is pending, or the task must stop or die."""
        return (
            self.dying
            or bool(self.group.held)
            or bool(self.work & _core.WORK_STOP)
            or bool((self.pending | self.group.pending) & ~self.sigmask)
        )
