"""The files of a control group: what each tells and takes (cgroups(7); Linux, admin-guide/cgroup-v2)."""

from __future__ import annotations

import os
from errno import EINVAL, ENOENT, EOPNOTSUPP, EPERM, ERANGE, ESRCH

from sentry.errors import Errno, StartError
from sentry.fs import cgroup_resources
from sentry.fs.pressure import CALM, check_trigger
from sentry.kernel.cgroups import cgroup as cgroups
from sentry.kernel.cgroups.cgroup import CONTROLLERS, MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.kernel.cgroups.cgroup import Cgroup
    from sentry.kernel.task import Task

    Show = Callable[[Cgroup, Task], bytes]
    Store = Callable[[Cgroup, Task, bytes], None]


class ControlFile:
    """One name; `controller`: whose file it is, empty: every group has it."""

    __slots__ = ("controller", "mode", "number", "root", "show", "store")

    last = 0

    def __init__(
        self, show: Show | None, store: Store | None = None, controller: bytes = b"", root: bool = True
    ) -> None:
        """`root`: the root has it, too."""
        self.show = show
        self.store = store
        self.controller = controller
        self.root = root
        self.mode = (0o444 if show is not None else 0) | (0o200 if store is not None else 0)
        ControlFile.last += 1
        self.number = ControlFile.last


def present(group: Cgroup) -> dict[bytes, ControlFile]:
    """The files that a group has now."""
    available, is_root = group.available(), group.parent is None
    hidden = (b"cpu.pressure", b"io.pressure", b"memory.pressure") if group.hides_pressure else ()
    return {
        name: file
        for name, file in FILES.items()
        if (not file.controller or file.controller in available)
        and (file.root or not is_root)
        and name not in hidden
    }


def write(group: Cgroup, file: ControlFile, task: Task, data: bytes) -> None:
    """write(2) to a file.  The root's limits are those of the sandbox itself: EPERM."""
    if file.store is None:
        raise Errno(EINVAL)
    if group.parent is None and file.controller:
        raise Errno(EPERM)
    file.store(group, task, data)


def configure(group: Cgroup, settings: dict[bytes, bytes], task: Task) -> None:
    """Set the limits of a sandbox on its root group; StartError."""
    for name, value in settings.items():
        file = FILES.get(name)
        try:
            if file is None or file.store is None:
                raise Errno(ENOENT)
            file.store(group, task, value)
        except Errno as error:
            raise StartError(f"resources: {name.decode()}: {os.strerror(error.code)}") from None


def refuse_read(task: Task) -> bytes:
    raise Errno(EINVAL)


def _number(data: bytes) -> int:
    """A decimal number or "max"; EINVAL."""
    return MAX if data.strip() == b"max" else cgroup_resources.integer(data)


# Members


def _procs(group: Cgroup, task: Task) -> bytes:
    return b"".join([b"%d\n" % task.number(process.tgid) for process in group.members() if not process.dead])


def _threads(group: Cgroup, task: Task) -> bytes:
    return b"".join(
        [b"%d\n" % task.number(thread.tid) for process in group.members() for thread in process.tasks]
    )


def find(task: Task, data: bytes) -> Task:
    """The task that a number written is of; EINVAL, ESRCH."""
    number = _number(data)
    if not 0 <= number < MAX:
        raise Errno(EINVAL)
    found = task.find(number) if number else task
    if found is None or found.group.dead:
        raise Errno(ESRCH)
    return found


def _move_process(group: Cgroup, task: Task, data: bytes) -> None:
    cgroups.move(find(task, data).group, group)


def _move_thread(group: Cgroup, task: Task, data: bytes) -> None:
    if find(task, data).group.cgroup is not group:
        raise Errno(EOPNOTSUPP)  # only within a threaded subtree, and there is none


def _events(group: Cgroup, task: Task) -> bytes:
    frozen = group.is_frozen() and group.has_settled()
    return b"populated %d\nfrozen %d\n" % (group.is_populated(), frozen)


# The tree


def _type(group: Cgroup, task: Task) -> bytes:
    return b"domain\n"


def _set_type(group: Cgroup, task: Task, data: bytes) -> None:
    raise Errno(EOPNOTSUPP if data.strip() == b"threaded" else EINVAL)


def _names(controllers: set[bytes]) -> bytes:
    text = b" ".join([name for name in CONTROLLERS if name in controllers])
    return text + b"\n" if text else b""


def _set_controls(group: Cgroup, task: Task, data: bytes) -> None:
    wanted: set[bytes] = set()
    unwanted: set[bytes] = set()
    for word in data.split():
        sign, name = word[:1], word[1:]
        if sign not in (b"+", b"-") or name not in CONTROLLERS:
            raise Errno(EINVAL)
        chosen, other = (wanted, unwanted) if sign == b"+" else (unwanted, wanted)
        chosen.add(name)
        other.discard(name)
    group.enable(wanted, unwanted)


def _show_limit(attribute: str) -> Show:
    def show(group: Cgroup, task: Task) -> bytes:
        value: int = getattr(group, attribute)
        return b"max\n" if value == MAX else b"%d\n" % value

    return show


def _set_limit(attribute: str) -> Store:
    def store(group: Cgroup, task: Task, data: bytes) -> None:
        value = _number(data)
        if value < 0:
            raise Errno(ERANGE)
        setattr(group, attribute, min(value, MAX))

    return store


def _stat(group: Cgroup, task: Task) -> bytes:
    below = len(group.subtree()) - 1
    return b"nr_descendants %d\nnr_dying_descendants 0\n" % below


# Freezing and killing


def _freeze(group: Cgroup, task: Task, data: bytes) -> None:
    value = _number(data)
    if value not in (0, 1):
        raise Errno(ERANGE)
    group.freeze(bool(value))


def _kill(group: Cgroup, task: Task, data: bytes) -> None:
    if _number(data) != 1:
        raise Errno(ERANGE)
    group.kill()


def _set_shown(group: Cgroup, task: Task, data: bytes) -> None:
    """cgroup.pressure: whether there are files about pressure."""
    value = _number(data)
    if value not in (0, 1):
        raise Errno(ERANGE)
    group.hides_pressure = not value


def _pressure(group: Cgroup, task: Task) -> bytes:
    return CALM


def _set_pressure(group: Cgroup, task: Task, data: bytes) -> None:
    check_trigger(task, data)


FILES: dict[bytes, ControlFile] = {
    b"cgroup.controllers": ControlFile(lambda group, task: _names(group.available())),
    b"cgroup.events": ControlFile(_events, root=False),
    b"cgroup.freeze": ControlFile(lambda group, task: b"%d\n" % group.frozen, _freeze, root=False),
    b"cgroup.kill": ControlFile(None, _kill, root=False),
    b"cgroup.max.depth": ControlFile(_show_limit("max_depth"), _set_limit("max_depth")),
    b"cgroup.max.descendants": ControlFile(_show_limit("max_descendants"), _set_limit("max_descendants")),
    b"cgroup.pressure": ControlFile(lambda group, task: b"%d\n" % (not group.hides_pressure), _set_shown),
    b"cgroup.procs": ControlFile(_procs, _move_process),
    b"cgroup.stat": ControlFile(_stat),
    b"cgroup.subtree_control": ControlFile(lambda group, task: _names(group.controls), _set_controls),
    b"cgroup.threads": ControlFile(_threads, _move_thread),
    b"cgroup.type": ControlFile(_type, _set_type, root=False),
    b"cpu.pressure": ControlFile(_pressure, _set_pressure),
    b"cpu.stat": ControlFile(cgroup_resources.cpu_stat),
    b"cpu.stat.local": ControlFile(cgroup_resources.cpu_stat_local),
    b"io.pressure": ControlFile(_pressure, _set_pressure),
    b"memory.pressure": ControlFile(_pressure, _set_pressure),
    **{
        name: ControlFile(show, store, name.partition(b".")[0])
        for name, (show, store) in cgroup_resources.FILES.items()
    },
}
