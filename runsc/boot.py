"""The set-up of a sandbox process, as a list of typed steps: made first, printable, carried out afterwards.

Each step says in one line what it does (`runsc-py run --dry-run`, `runsc-py doctor --plan`).  The order is a
security property; what must hold is said where a step depends on another.
"""

from __future__ import annotations

import os

from runsc import _boot, capabilities, masks, seccomp
from runsc.errors import failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runsc.description import Description

    Action = Callable[[], None]
    Keep = Callable[[int], None]

NAMESPACES = {
    "user": _boot.CLONE_NEWUSER,
    "mount": _boot.CLONE_NEWNS,
    "pid": _boot.CLONE_NEWPID,
    "ipc": _boot.CLONE_NEWIPC,
    "uts": _boot.CLONE_NEWUTS,
    "cgroup": _boot.CLONE_NEWCGROUP,
    "network": _boot.CLONE_NEWNET,
}
_EMPTY = _boot.MS_RDONLY | _boot.MS_NOSUID | _boot.MS_NODEV | _boot.MS_NOEXEC
_EMPTY_OPTIONS = "size=4k,nr_inodes=1,mode=555"


class Step:
    """One operation of the set-up, in the sandbox process."""

    __slots__ = ()

    def describe(self) -> str:
        raise NotImplementedError

    def run(self) -> None:
        """Raises OSError or RuntimeFailure; either ends the sandbox process before any guest code."""
        raise NotImplementedError


class NewSession(Step):
    """Signals of the terminal go to the command line alone, which forwards them."""

    __slots__ = ()

    def describe(self) -> str:
        return "new session, working directory /; killed when the command line dies"

    def run(self) -> None:
        os.setsid()
        os.umask(0)  # guests have their own
        os.chdir("/")  # or the stubs would keep the caller's
        _boot.die_with_parent()


class OpenFiles(Step):
    """The guest's files are host descriptors of the sentry's."""

    __slots__ = ()

    def describe(self) -> str:
        return "limit of open files: as high as it may be"

    def run(self) -> None:
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class PrivateMounts(Step):
    """Nothing mounted here shows on the host, and nothing mounted there later shows here."""

    __slots__ = ()

    def describe(self) -> str:
        return "all mounts private"

    def run(self) -> None:
        _boot.mount("", "/", "", _boot.MS_REC | _boot.MS_PRIVATE, "")


class Tree(Step):
    """A host path becomes a detached mount, known by a descriptor alone: no `..` leads out of it."""

    __slots__ = ("_keep", "_path", "_purpose", "_readonly")

    def __init__(self, path: str, purpose: str, readonly: bool, keep: Keep) -> None:
        self._path = path
        self._purpose = purpose
        self._readonly = readonly
        self._keep = keep

    def describe(self) -> str:
        mode = "read-only, " if self._readonly else ""
        return f"{self._path} as a detached mount ({mode}nosuid, nodev): the guest's {self._purpose}"

    def run(self) -> None:
        try:
            fd = _boot.open_tree(self._path)
            _boot.restrict_tree(fd, self._readonly)
        except OSError as error:
            raise failed(self._path, error) from None
        self._keep(fd)


class Mask(Step):
    """Empty directories over the host kernel's own file systems: the guest's root has none of them."""

    __slots__ = ("_points",)

    def __init__(self, points: list[str]) -> None:
        self._points = points

    def describe(self) -> str:
        return f"masked with empty directories: {' '.join(self._points)}"

    def run(self) -> None:
        for point in self._points:
            _boot.mount("mask", point, "tmpfs", _EMPTY, _EMPTY_OPTIONS)


class Unmask(Step):
    """They are needed where the sentry starts; its copy of the tree keeps the masks."""

    __slots__ = ("_points",)

    def __init__(self, points: list[str]) -> None:
        self._points = points

    def describe(self) -> str:
        return "masks taken off outside the guest's root"

    def run(self) -> None:
        for point in self._points:
            _boot.detach(point)


class EmptyRoot(Step):
    """The root is an empty, read-only directory; the host's tree is gone from the namespace."""

    __slots__ = ()

    def describe(self) -> str:
        return "root: an empty read-only tmpfs; the host's mounts detached"

    def run(self) -> None:
        _boot.mount("empty", "/proc", "tmpfs", _EMPTY, _EMPTY_OPTIONS)  # on /proc: a directory that exists
        os.chdir("/proc")
        _boot.pivot_root(".", ".")  # the old root now lies over the new one, at the same place
        _boot.detach(".")
        os.chdir("/")


class Inheritance(Step):
    """Before the platform starts: what the stubs inherit, and what a later exec could regain."""

    __slots__ = ("_keep",)

    def __init__(self, keep: int) -> None:
        self._keep = keep

    def describe(self) -> str:
        return f"no_new_privs; capability bounding set: {_listed(self._keep)}; exec gives none, locked"

    def run(self) -> None:
        _boot.no_new_privileges()
        _boot.limit_inheritance(self._keep)


class OwnProc(Step):
    """After the stubs' first: none of them inherits the descriptor."""

    __slots__ = ("_keep",)

    def __init__(self, keep: Keep) -> None:
        self._keep = keep

    def describe(self) -> str:
        return "a detached, read-only proc of this PID namespace, processes only: where the host allows it"

    def run(self) -> None:
        try:
            self._keep(_boot.open_proc())
        except OSError:
            pass  # what it would tell is estimated then


class Capabilities(Step):
    """Before any thread is started: capabilities belong to threads."""

    __slots__ = ("_keep", "_why")

    def __init__(self, keep: int, why: str) -> None:
        self._keep = keep
        self._why = why

    def describe(self) -> str:
        why = f", in its own user namespace only: {self._why}" if self._keep else ""
        return f"capabilities: {_listed(self._keep)}{why}"

    def run(self) -> None:
        _boot.limit_capabilities(self._keep)


class Undumpable(Step):
    __slots__ = ()

    def describe(self) -> str:
        return "not dumpable: no core file, not to be traced"

    def run(self) -> None:
        _boot.undumpable()


class Sentry(Step):
    """A part of the sentry's own start, at its place in the order."""

    __slots__ = ("_action", "_what")

    def __init__(self, what: str, action: Action) -> None:
        self._what = what
        self._action = action

    def describe(self) -> str:
        return self._what

    def run(self) -> None:
        self._action()


class Seal(Step):
    """The filter covers every thread of the process; a call that is not on the list kills them all."""

    __slots__ = ("_program",)

    def __init__(self, program: bytes) -> None:
        self._program = program

    def describe(self) -> str:
        allowed = sum(len(names) for names in seccomp.ALLOWED.values())
        some = (*seccomp.LIMITED, *seccomp.WITHOUT)
        return (
            f"seccomp: {allowed} calls allowed, {len(some)} for some arguments ({' '.join(some)}),"
            f" any other kills"
        )

    def run(self) -> None:
        _boot.seal(self._program)


def file_capabilities(description: Description) -> tuple[int, str]:
    """The capabilities that the sentry's file access needs (as root only), and why."""
    if os.geteuid() != 0:
        return 0, ""
    if description.writes_to_host():
        names = ("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID")
        return capabilities.mask(names), "the guest writes to host directories"
    if description.config.uid != 0 or description.root != "/":
        return capabilities.mask(("DAC_READ_SEARCH",)), "private files of its users are read"
    return 0, ""


def plan(description: Description, prepare: Action, watch: Action) -> list[Step]:
    """The steps for one sandbox, for a process that was just made in its NAMESPACES.

    `prepare` sets the sentry up and starts the platform's first stub, `watch` starts the helper thread.
    Raises RuntimeFailure when the installation lacks the seccomp program.
    """
    config = description.config
    keep, why = file_capabilities(description)
    readonly = config.overlay == "memory" or config.root_readonly

    def keep_root(fd: int) -> None:
        config.root_fd = fd

    def keep_proc(fd: int) -> None:
        config.proc_fd = fd

    masked = masks.find(description.root)
    steps: list[Step] = [NewSession(), OpenFiles(), PrivateMounts()]
    if masked:
        steps.append(Mask(masked))
    steps.append(Tree(description.root, "/", readonly, keep_root))
    if masked:
        steps.append(Unmask(masked))
    for mount, source in description.binds:
        steps.append(Tree(source, os.fsdecode(mount.dest), mount.readonly, mount.take))
    steps += [
        Inheritance(keep),
        Sentry(f"kernel: all modules in memory; first stub of platform {config.platform}", prepare),
        OwnProc(keep_proc),
        EmptyRoot(),
        Capabilities(keep, why),
        Undumpable(),
        Sentry("kernel: helper thread", watch),
        Seal(seccomp.load()),
    ]
    return steps


def describe(steps: list[Step]) -> list[str]:
    """The plan as numbered lines, the making of the process first."""
    first = f"new process in new namespaces: {' '.join(NAMESPACES)}"
    lines = [first, "map user and group ids", *(step.describe() for step in steps), "run the guest"]
    return [f"{number:2} {line}" for number, line in enumerate(lines, 1)]


def _listed(keep: int) -> str:
    return " ".join(capabilities.names(keep)) or "none"
