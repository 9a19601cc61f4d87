"""memory.max and memory.high: what a control group's processes have in memory, and what happens beyond.

Memory is the host's: a guest takes a page by touching it, and nobody asks the sentry.  So while a group has
a limit a timer looks at what the host counts, and kills as Linux's OOM killer would; what can be touched
between two looks is used beyond the limit.  Where the host doesn't tell (kernel.host_proc), no limit is
enforced.

Beyond memory.high Linux takes pages away and has the processes wait: here there is nowhere to put a page, so
that a group that goes on growing is held for every other interval, and nothing else happens to it.
"""

from __future__ import annotations

from sentry.abi.signal import SIGKILL
from sentry.kernel.cgroups import freezer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.cgroups.cgroup import Cgroup
    from sentry.kernel.kernel import Kernel
    from sentry.kernel.thread_group import ThreadGroup

_INTERVAL = 50_000_000  # ns between two looks
_PAGE = 4096
_LIMITS = frozenset((b"memory.max", b"memory.high"))
_NEVER = -1000  # oom_score_adj of what is not to be killed


def process_bytes(group: ThreadGroup) -> int:
    """A process's own memory; what it shares with its relatives since fork(2) counts for each of them."""
    seen = group.kernel.host_proc.statm(group.usage.host_pid) if not group.dead else None
    return (seen[0] - seen[1]) * _PAGE if seen is not None else 0


def fair_bytes(group: ThreadGroup) -> int:
    """The same with what is shared counted in parts, which takes the host longer to tell."""
    text = group.kernel.host_proc.read_at(b"%d/smaps_rollup" % group.usage.host_pid, 0, 1 << 13)
    total = 0
    for line in text.splitlines():
        if line.startswith((b"Pss_Anon:", b"Pss_Shmem:")):
            total += int(line.split()[1]) * 1024
    return total


def current(group: Cgroup) -> int:
    """memory.current: bytes that the processes in it and below have."""
    host_pids: dict[int, ThreadGroup] = {}
    for process in group.below():
        if not process.dead:
            host_pids[process.usage.host_pid] = process  # those of vfork(2) share one
    used = sum(process_bytes(process) for process in host_pids.values())
    limit = group.values.get(b"memory.max")
    if len(host_pids) > 1 and limit is not None and used > limit:
        used = sum(fair_bytes(process) for process in host_pids.values())
    group.peaks[b"memory"] = max(group.peaks.get(b"memory", 0), used)
    return used


class OomKiller:
    """Looks after all groups with a limit."""

    __slots__ = ("_armed", "_held", "_kernel", "_seen")

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._armed = False
        self._held: list[ThreadGroup] = []  # because of memory.high
        self._seen: dict[int, int] = {}  # bytes of the groups beyond memory.high, by the group's number

    def watch(self) -> None:
        """A group has a limit now: begin to look, unless that is under way or nothing can be seen."""
        if not self._armed and self._kernel.host_proc:
            self._armed = True
            self._kernel.timers.at(self._kernel.clock.monotonic() + _INTERVAL, self._look)

    def _look(self) -> None:
        self._armed = False
        had_pause = bool(self._held)
        for process in self._held:
            freezer.set_hold(process, freezer.RECLAIMING, False)
        self._held = []
        seen: dict[int, int] = {}
        groups = self._kernel.cgroups.root.subtree()
        limited = [group for group in groups if not _LIMITS.isdisjoint(group.values)]
        for group in limited:
            used = current(group)
            if used > group.values.get(b"memory.max", used):
                self._kill(group)
            elif used > group.values.get(b"memory.high", used):
                seen[group.number] = used
                if not had_pause and used > self._seen.get(group.number, 0):
                    self._slow_down(group)
        self._seen = seen
        if limited or self._held:
            self.watch()

    def _slow_down(self, group: Cgroup) -> None:
        """It grows beyond memory.high: let its processes wait until the next look."""
        group.count(b"memory.high")
        for process in group.below():
            if not process.dead:
                freezer.set_hold(process, freezer.RECLAIMING, True)
                self._held.append(process)

    def _kill(self, group: Cgroup) -> None:
        processes = [process for process in group.below() if not process.dead]
        if any(process.exiting for process in processes):
            return  # what is dying gives its memory back first
        group.count(b"memory.max")
        total = group.values[b"memory.max"]
        victims = [process for process in processes if process.oom_score_adj != _NEVER]
        if not victims:
            return
        worst = max(victims, key=lambda each: process_bytes(each) + each.oom_score_adj * total // 1000)
        group.count(b"memory.oom")
        if worst.cgroup.values.get(b"memory.oom.group"):
            victims = worst.cgroup.below()
            worst.cgroup.count(b"memory.oom_group_kill")
        else:
            victims = [worst]
        for victim in victims:
            if not victim.dead:
                for each in victim.cgroup.lineage():
                    each.count(b"memory.oom_kill")
                victim.begin_exit(SIGKILL)
