"""PID namespaces (pid_namespaces(7)).

A task, process group or session is known inside the sentry by its number in the initial PID namespace (its
pid); every other namespace keeps the numbers that it calls them.  Whoever takes a number from a guest, or
tells it one, translates it.
"""

from __future__ import annotations

from sentry.kernel.namespaces import user_namespace
from sentry.kernel.namespaces.namespaces import Namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.kernel.acct import Accounting
    from sentry.kernel.namespaces.user_namespace import UserNamespace
    from sentry.kernel.thread_group import ThreadGroup

NESTING_MAX = 32


class PidNamespace(Namespace):
    """One PID namespace; `init` is its process 1, None before it has one; in a `dead` one nothing starts any
    more.
    """

    def __init__(self, parent: PidNamespace | None, owner: UserNamespace) -> None:
        super().__init__(b"pid", owner, initial=parent is None)
        self.parent = parent
        self.level: int = parent.level + 1 if parent is not None else 0
        self.init: ThreadGroup | None = None
        self.dead = False
        self.accounting: Accounting | None = None
        self._memfd_noexec = 0
        self.on_empty: Callable[[], None] | None = None  # called once only init's number is left
        self.last = 0  # the number handed out last
        self.pids: dict[int, int] = {}  # pid by number here
        self.numbers: dict[int, int] = {}  # number here by pid

    @property
    def memfd_noexec(self) -> int:
        """vm.memfd_noexec (proc_sys_vm(5)): no less than above it."""
        above = self.parent.memfd_noexec if self.parent is not None else 0
        return max(self._memfd_noexec, above)

    @memfd_noexec.setter
    def memfd_noexec(self, scope: int) -> None:
        self._memfd_noexec = scope

    def number(self, pid: int) -> int:
        """What `pid` is called here; 0 when it can't be seen from here."""
        return self.numbers.get(pid, 0) if self.level else pid

    def pid(self, number: int) -> int:
        """Who is called `number` here; -1: nobody."""
        return self.pids.get(number, -1) if self.level else number

    def forget(self, pid: int) -> None:
        """`pid` names nothing any more."""
        del self.pids[self.numbers.pop(pid)]
        if self.on_empty is not None and len(self.pids) == 1:
            on_empty, self.on_empty = self.on_empty, None
            on_empty()

    def is_within(self, other: PidNamespace) -> bool:
        """Whether it is `other` or one of its descendants."""
        ns: PidNamespace | None = self
        while ns is not None and ns.level > other.level:
            ns = ns.parent
        return ns is other


INITIAL = PidNamespace(None, user_namespace.INITIAL)
