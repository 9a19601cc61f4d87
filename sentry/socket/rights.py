"""Open files on their way through a socket (SCM_RIGHTS, unix(7)).

A file in flight is an ordinary reference.  A socket may be in its own queue, or two in each other's; when
nobody else has them, Python's cycle collector finds them.  What must hold: however deep such sockets are
nested, closing the outermost one does not recurse (`bury`), and at most MAX_IN_FLIGHT files are on their way
at once.
"""

from __future__ import annotations

import errno
import gc

from sentry.abi.capability import CAP_SYS_ADMIN, CAP_SYS_RESOURCE
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.file import File

MAX_IN_FLIGHT = 16384

_in_flight = 0
_graves: list[File] = []
_burying = False


class Rights:
    """The files of one message."""

    __slots__ = ("files",)

    def __init__(self, task: Task, files: list[File]) -> None:
        """Raises Errno(ETOOMANYREFS)."""
        global _in_flight
        self.files: list[File] = []
        creds = task.creds
        privileged = creds.has_cap(CAP_SYS_RESOURCE) or creds.has_cap(CAP_SYS_ADMIN)
        limit = MAX_IN_FLIGHT if privileged else min(task.files.limit, MAX_IN_FLIGHT)
        if _in_flight + len(files) > limit:
            gc.collect()  # some may be in flight for ever, between sockets that nobody has
            if _in_flight + len(files) > limit:
                raise Errno(errno.ETOOMANYREFS)
        self.files = files
        _in_flight += len(files)

    def __del__(self) -> None:
        global _in_flight
        _in_flight -= len(self.files)
        bury(self.files)


def bury(files: list[File]) -> None:
    """Let go of `files` from a stack that does not grow with them: their own release may bury more."""
    global _burying
    _graves.extend(files)
    if _burying:
        return
    _burying = True
    try:
        while _graves:
            _graves.pop()
    finally:
        _burying = False
