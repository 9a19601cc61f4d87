"""A thread group: what POSIX calls a process.

What must hold: `tasks` are its live threads; `leader` is the first one, which stays (as a zombie) until the
group is reaped.  The group is `dead` once no thread is left, and gone from kernel.groups once its parent has
waited for it.
"""

from __future__ import annotations

from sentry import _core
from sentry.abi.resource import RLIMIT_FSIZE
from sentry.abi.signal import SIGCHLD
from sentry.kernel.acct import Account
from sentry.kernel.namespaces import pid_namespace
from sentry.kernel.namespaces.user_namespace import INITIAL
from sentry.kernel.signals.signals import PendingQueue
from sentry.kernel.timekeeping.cpu_alarm import CpuLimit
from sentry.kernel.timekeeping.itimers import IntervalTimers
from sentry.kernel.usage import Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.kernel import Kernel
    from sentry.kernel.namespaces.pid_namespace import PidNamespace
    from sentry.kernel.pidfd import PidIdentity
    from sentry.kernel.sessions import ProcessGroup, Session
    from sentry.kernel.task import Task
    from sentry.kernel.timekeeping.posix_timers import PosixTimer


class ThreadGroup(_core.GroupBase):
    """One process: its threads, its family, and what its threads share by CLONE_THREAD."""

    parent: ThreadGroup | None
    pid_ns: PidNamespace
    process_group: ProcessGroup
    leader: Task
    tasks: list[Task]

    def __init__(self, kernel: Kernel, tgid: int, rlimits: list[tuple[int, int]]) -> None:
        super().__init__()
        self.kernel = kernel
        self.tgid = self.local_tgid = tgid
        self.pid_ns = pid_namespace.INITIAL
        self.tasks = []
        # Family
        self.parent = None
        self.parent_task: Task | None = None  # the thread that made us: __WNOTHREAD, PR_SET_PDEATHSIG
        self.children: list[ThreadGroup] = []
        self.child_queue = _core.WaitQueue()  # woken when a child changes state
        self.exit_queue = _core.WaitQueue()  # woken when we are dead: pidfds
        self.exit_signal = SIGCHLD
        self.has_execed = False
        self.account = Account()
        self.is_subreaper = False
        # Death
        self.exiting = False  # a group exit is under way; exit_code is decided
        self.dead = False  # no live thread is left
        self.exit_code = 0  # a wait status
        self.execing: Task | None = None  # waits for the other threads to be gone
        # Signals
        self.sighand = _core.SignalActions()
        self.queue = PendingQueue()
        self.unkillable = False  # init: signals with their default action don't reach it
        # Job control (kernel.signals.job_control)
        self.stopping = 0  # the signal of a stop under way or done, 0: none
        self.stopped = False  # every thread is parked
        self.stop_report = 0  # a stop that wait4 has not seen: the signal
        self.continue_report = False  # a continuation that waitid has not seen
        # Resources
        self.rlimits = rlimits
        self.fsize_limit = rlimits[RLIMIT_FSIZE][0]
        self.usage = Usage(kernel.host_proc)
        self.itimers = IntervalTimers(self)
        self.cpu_limit = CpuLimit(self)
        self.posix_timers: dict[int, PosixTimer] = {}
        self.next_timer_id = 0
        self.cgroup = kernel.cgroups.root
        self.cgroup_base = 0  # CPU time in ns that it used elsewhere
        self.held = 0  # why its threads must not run (kernel.cgroups.freezer)
        self.dumpable = 1
        self.program_ns = INITIAL  # the user namespace in which its program was started
        self.thp_disabled = False
        self.merges_memory = False  # PR_SET_MEMORY_MERGE
        self.oom_score_adj = 0
        self.coredump_filter = 0x33  # the kinds of mappings a core would hold (core(5)): the default
        self.identity: PidIdentity | None = None  # None: no pidfd has been made
        self.start_time = _core.monotonic()

    def live_in(self, namespace: PidNamespace) -> None:
        """Have a new process live in `namespace`, where it has a number; the first one is init there."""
        self.pid_ns = namespace
        self.nested = namespace.level > 0
        self.local_tgid = namespace.number(self.tgid)
        if self.nested and namespace.init is None:
            namespace.init = self
            self.unkillable = True

    @property
    def session(self) -> Session:
        return self.process_group.session

    def begin_exit(self, code: int) -> None:
        """Doom every thread; `code` is the wait status (exit_group(2), a fatal signal).  The first one
        decides.
        """
        if self.exiting:
            return
        self.exiting = True
        self.exit_code = code
        self.stopping = 0
        self.stopped = False
        for task in self.tasks:
            doom(task)

    def rlimit(self, resource: int) -> int:
        """The soft limit (RLIM_INFINITY: none)."""
        return self.rlimits[resource][0]


def doom(task: Task) -> None:
    """Have a thread die as soon as it is on its way back to user mode, wherever it is now."""
    task.dying = True
    task.work |= _core.WORK_EXIT
    if task.state == "stopped":
        task.unpark()
    else:
        task.interrupt()
