"""Programs that the kernel starts itself: here to construct keys (request-key(8)).

Such a program is nobody's child, has no open files, and runs where the sandbox's first process was started:
the same root, namespaces, credentials and limits.  There are never more than HELPERS_MAX of them.
"""

from __future__ import annotations

import errno

from sentry import _core
from sentry.abi.fcntl import AT_FDCWD
from sentry.abi.resource import RLIMIT_NOFILE
from sentry.errors import Errno
from sentry.kernel import creds as credentials
from sentry.kernel import rlimits, sessions
from sentry.kernel.cgroups.cgroup import charge_fork
from sentry.kernel.exec import NewProgram
from sentry.kernel.exec_creds import after_exec
from sentry.kernel.fs_context import FsContext
from sentry.kernel.task import Task
from sentry.kernel.thread_group import ThreadGroup
from sentry.mm import loader
from sentry.vfs import namei
from sentry.vfs.path import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.kernel.kernel import Kernel
    from sentry.keys.key import Keyring

HELPERS_MAX = 64
_ENVIRONMENT = [b"HOME=/", b"PATH=/sbin:/bin:/usr/sbin:/usr/bin"]


class _Watch:
    """Calls back once, when a helper has ended."""

    __slots__ = ("_call", "_group")

    def __init__(self, group: ThreadGroup, call: Callable[[], None]) -> None:
        self._group = group
        self._call = call
        group.exit_queue.add(self)

    def notify(self, events: int) -> bool:
        if self._group.dead:
            self._group.exit_queue.remove(self)
            self._group.kernel.helpers -= 1
            self._call()
        return False


def start(kernel: Kernel, argv: list[bytes], session: Keyring, ended: Callable[[], None]) -> None:
    """Start the program argv[0], and have `ended` called when it has ended.

    Raises EAGAIN, ENOMEM and what mm.loader.prepare does.
    """
    if kernel.helpers >= HELPERS_MAX:
        raise Errno(errno.ENOMEM)
    charge_fork(kernel.cgroups.root)
    tid = kernel.pids.allocate()
    try:
        task, program = _prepare(kernel, tid, argv)
    except BaseException:
        kernel.pids.release(tid)
        raise
    group = task.group
    task.keyrings.session = session
    group.leader = task
    group.tasks.append(task)
    rlimits.apply(group, RLIMIT_NOFILE)
    kernel.tasks[tid] = task
    kernel.groups[tid] = group
    sessions.found_session(kernel, group)
    program.enter(task)
    group.has_execed = True
    kernel.helpers += 1
    _Watch(group, ended)
    kernel.machine.start(task)


def _prepare(kernel: Kernel, tid: int, argv: list[bytes]) -> tuple[Task, NewProgram]:
    init, config = kernel.init, kernel.config
    if init is None or init.dead:
        raise Errno(errno.ENOMEM)  # the sandbox is about to end
    group = ThreadGroup(kernel, tid, rlimits.initial(config.rlimits))
    task = Task(kernel, tid, group)
    root = Path(kernel.mounts.root, kernel.mounts.root.root)
    task.fs = FsContext(root, root, 0o22)
    task.creds = credentials.from_config(config)
    task.ns = kernel.first_ns
    task.files = _core.FdTable()
    path = namei.walk(task, AT_FDCWD, argv[0])
    image = loader.prepare(task, path, argv, list(_ENVIRONMENT), argv[0])
    return task, NewProgram(task, image, after_exec(task, image.path), kernel.machine.new_space())
