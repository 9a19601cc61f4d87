"""Scheduling attributes (sched(7)).

All but affinity are only kept and told: the host's scheduler decides what runs.
"""

from __future__ import annotations

from sentry.abi.sched import SCHED_OTHER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task


class IoContext:
    """What threads made with CLONE_IO share: a priority, class and level (ioprio_set(2))."""

    __slots__ = ("priority",)

    def __init__(self, priority: int) -> None:
        self.priority = priority


class SchedPolicy:
    """One thread's policy, real-time priority, nice value and what else is asked of schedulers."""

    __slots__ = (
        "affinity",
        "deadline",
        "io",
        "nice",
        "policy",
        "priority",
        "reset_on_fork",
        "slice",
        "wanted",
    )

    def __init__(self) -> None:
        self.policy = SCHED_OTHER
        self.priority = 0
        self.nice = 0
        self.reset_on_fork = False
        self.affinity = 0  # a mask of CPUs, 0: all that the sandbox has
        self.wanted = 0  # the one that was asked for, before its control group had its say; 0: none
        self.io: IoContext | None = None  # until a priority is set
        self.slice = 0  # ns, 0: the usual one
        self.deadline: tuple[int, int, int, int] | None = None  # runtime, deadline, period in ns; flags

    def is_realtime(self) -> bool:
        """Whether it comes before all fair ones: its sleeps have no slack (PR_SET_TIMERSLACK(2const))."""
        return self.priority > 0 or self.deadline is not None

    @property
    def ioprio(self) -> int:
        """Class and level, 0: none set."""
        return self.io.priority if self.io is not None else 0

    @ioprio.setter
    def ioprio(self, priority: int) -> None:
        if self.io is None:
            self.io = IoContext(priority)
        self.io.priority = priority

    def copy(self, share_io: bool) -> SchedPolicy:
        """What a child gets; `share_io`: CLONE_IO."""
        new = SchedPolicy()
        new.affinity, new.wanted = self.affinity, self.wanted
        if self.io is not None and (share_io or self.io.priority):
            new.io = self.io if share_io else IoContext(self.io.priority)
        if self.reset_on_fork:
            new.nice = max(self.nice, 0) if self.policy == SCHED_OTHER else 0
            return new
        new.policy = self.policy
        new.priority = self.priority
        new.nice = self.nice
        return new


def confine(task: Task) -> None:
    """Have a thread, whose affinity or host thread has changed, run on the CPUs of its mask only."""
    mask = task.sched.affinity
    if task.ctx is not None:
        task.ctx.confine(mask.to_bytes((mask.bit_length() + 7) // 8, "little"))
