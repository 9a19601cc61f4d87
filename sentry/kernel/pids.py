"""Process ids (pid_namespaces(7)): every namespace that sees a task gives it a number of its own."""

from __future__ import annotations

import errno

from sentry.abi.capability import CAP_CHECKPOINT_RESTORE, CAP_SYS_ADMIN
from sentry.errors import Errno
from sentry.kernel.settings import TASKS_MAX, values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sentry.kernel.creds import Creds
    from sentry.kernel.kernel import Kernel
    from sentry.kernel.namespaces.pid_namespace import PidNamespace

RESERVED = 300  # ids below are not reused once the counter has wrapped


class Pids:
    """Hands out ids in rising order; one that names a task, process group or session isn't free.

    `last` is the number handed out last in the initial namespace (/proc/loadavg); it may be set.
    """

    __slots__ = ("_kernel", "_nested", "last")

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.last = 0
        self._nested: dict[int, PidNamespace] = {}  # the innermost namespace of a pid that is not the initial

    def allocate(self, namespace: PidNamespace | None = None, wanted: Sequence[int] = ()) -> int:
        """A free pid for a task of `namespace` (None: the initial one), with a number in each one around it.

        Args:
            wanted: the numbers to get, from the innermost namespace outwards, as far as they are asked for.

        Raises EAGAIN when there are too many tasks, EEXIST and EINVAL for a number that can't be had.
        """
        if len(self._kernel.tasks) >= min(TASKS_MAX, values["threads-max"]):
            raise Errno(errno.EAGAIN)
        chosen: list[tuple[PidNamespace, int]] = []
        ns, depth = namespace, 0
        while ns is not None and ns.level:
            number = wanted[depth] if depth < len(wanted) else 0
            if number:
                _check_free(number, ns.pids.__contains__)
            else:
                number = _next(ns.last, ns.pids.__contains__)
                ns.last = number
            chosen.append((ns, number))
            ns, depth = ns.parent, depth + 1
        if depth < len(wanted):
            pid = wanted[depth]
            _check_free(pid, self.taken)
        else:
            pid = _next(self.last, self.taken)
            self.last = pid
        for ns, number in chosen:
            ns.pids[number] = pid
            ns.numbers[pid] = number
        if chosen:
            self._nested[pid] = chosen[0][0]
        return pid

    def taken(self, pid: int) -> bool:
        kernel = self._kernel
        if pid in kernel.tasks or pid in kernel.groups or pid in kernel.process_groups:
            return True
        return any(process_group.session.sid == pid for process_group in kernel.process_groups.values())

    def release(self, pid: int) -> None:
        """Free the numbers of `pid` in all namespaces if nothing has it any more."""
        ns: PidNamespace | None = self._nested.get(pid)
        if ns is None or self.taken(pid):
            return
        del self._nested[pid]
        while ns is not None and ns.level:
            ns.forget(pid)
            ns = ns.parent


def check_wanted(creds: Creds, namespace: PidNamespace, wanted: Sequence[int]) -> None:
    """EINVAL for numbers that clone3(2) can't give, EPERM without the right over a namespace."""
    if len(wanted) > namespace.level + 1:
        raise Errno(errno.EINVAL)
    ns: PidNamespace | None = namespace
    for number in wanted:
        assert ns is not None
        if not 0 < number < values["pid_max"] or (number != 1 and ns.level and ns.init is None):
            raise Errno(errno.EINVAL)
        if not creds.has_cap(CAP_CHECKPOINT_RESTORE, ns.owner) and not creds.has_cap(CAP_SYS_ADMIN, ns.owner):
            raise Errno(errno.EPERM)
        ns = ns.parent


def _check_free(number: int, taken: Callable[[int], bool]) -> None:
    if not 0 < number < values["pid_max"]:
        raise Errno(errno.EINVAL)
    if taken(number):
        raise Errno(errno.EEXIST)


def _next(last: int, taken: Callable[[int], bool]) -> int:
    """The first free number after `last`; EAGAIN: there is none below kernel.pid_max."""
    number, most = last, values["pid_max"] - 1
    for _ in range(most):
        number = number + 1 if number < most else RESERVED
        if not taken(number):
            return number
    raise Errno(errno.EAGAIN)
