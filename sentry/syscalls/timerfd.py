"""timerfd_create, timerfd_settime, timerfd_gettime."""

import errno

from sentry.abi.capability import CAP_WAKE_ALARM
from sentry.abi.fcntl import O_CLOEXEC, O_NONBLOCK
from sentry.abi.poll import TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET
from sentry.abi.time import (
    CLOCK_BOOTTIME,
    CLOCK_BOOTTIME_ALARM,
    CLOCK_MONOTONIC,
    CLOCK_REALTIME,
    CLOCK_REALTIME_ALARM,
    ITIMERSPEC,
    NSEC,
)
from sentry.errors import Errno
from sentry.kernel.timekeeping import clock
from sentry.syscalls.args import File, Int, Ptr
from sentry.vfs.file import wrong_kind
from sentry.vfs.timerfd import TimerFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

_CLOCKS = (CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME)
_ALARM_CLOCKS = (CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM)


def timerfd_create(task: "Task", clock: Int, flags: Int) -> int:
    if flags & ~(O_CLOEXEC | O_NONBLOCK):
        raise Errno(errno.EINVAL)
    if clock not in _CLOCKS and clock not in _ALARM_CLOCKS:
        raise Errno(errno.EINVAL)
    _check_alarm(task, clock)
    file = TimerFile(clock, flags & O_NONBLOCK, task.kernel)
    return task.files.install(file, bool(flags & O_CLOEXEC))


def _check_alarm(task: "Task", clock: int) -> None:
    """Alarm clocks would wake a sleeping machine: EPERM without CAP_WAKE_ALARM."""
    if clock in _ALARM_CLOCKS and not task.creds.has_cap(CAP_WAKE_ALARM):
        raise Errno(errno.EPERM)


def timerfd_settime(task: "Task", file: File, flags: Int, new: Ptr, old: Ptr) -> int:
    if flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET):
        raise Errno(errno.EINVAL)
    seconds, nanoseconds, value_seconds, value_nanoseconds = ITIMERSPEC.unpack(
        task.copy_in(new, ITIMERSPEC.size)
    )
    for part in (nanoseconds, value_nanoseconds):
        if not 0 <= part < NSEC:
            raise Errno(errno.EINVAL)
    if seconds < 0 or value_seconds < 0:
        raise Errno(errno.EINVAL)
    timer = _timer(file)
    _check_alarm(task, timer.clock)
    value = value_seconds * NSEC + value_nanoseconds
    if flags & TFD_TIMER_ABSTIME and value:
        value = max(value - clock.shift(task, timer.clock), 1)
    before = timer.settime(value, seconds * NSEC + nanoseconds, flags)
    if old:
        task.copy_out(old, _pack(before))
    return 0


def timerfd_gettime(task: "Task", file: File, current: Ptr) -> int:
    task.copy_out(current, _pack(_timer(file).gettime()))
    return 0


def _timer(file: File) -> TimerFile:
    if not isinstance(file, TimerFile):
        raise wrong_kind(file)
    return file


def _pack(times: tuple[int, int]) -> bytes:
    left, interval = times
    return ITIMERSPEC.pack(*divmod(interval, NSEC), *divmod(left, NSEC))
