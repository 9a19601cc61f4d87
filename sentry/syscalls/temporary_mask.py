"""Calls that wait under a signal mask of their own: ppoll, pselect6, epoll_pwait.

When a signal ends the wait, its handler still runs under the temporary mask, and the way back to user mode
restores the old one (sigsuspend(2)); in every other case the old mask is back before the call returns.
"""

import errno

from sentry.abi.restart import ERESTARTNOHAND
from sentry.abi.signal import SIGSET_SIZE
from sentry.errors import Errno
from sentry.kernel.signals.signals import set_mask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from sentry.kernel.task import Task


def read_mask(task: "Task", at: int, size: int) -> int | None:
    """The signal set at `at` (None: no set given).  Raises Errno: EINVAL, EFAULT."""
    if not at:
        return None
    if size != SIGSET_SIZE:
        raise Errno(errno.EINVAL)
    return task.read_u64(at)


def under_mask(
    task: "Task", mask: int | None, call: "Callable[[], Any]"
) -> "int | Coroutine[None, None, Any]":
    """Make `call`, which returns an int or a coroutine, under `mask` (None: as it is)."""
    if mask is None:
        answer: int | Coroutine[None, None, Any] = call()
        return answer
    task.signal.saved_mask = task.sigmask
    set_mask(task, mask)
    try:
        answer = call()
    except Errno:
        _restore(task)
        raise
    if isinstance(answer, int):
        _restore(task)
        return answer
    return _finish(task, answer)


async def _finish(task: "Task", call: "Coroutine[None, None, Any]") -> int:
    try:
        answer: int = await call
    except Errno as error:
        if error.code not in (errno.EINTR, ERESTARTNOHAND):
            _restore(task)
        raise
    _restore(task)
    return answer


def _restore(task: "Task") -> None:
    mask, task.signal.saved_mask = task.signal.saved_mask, None
    if mask is not None:
        set_mask(task, mask)
