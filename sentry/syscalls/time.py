"""Clocks, sleeps, timers, and the time that processes have used."""

import errno

from sentry.abi.resource import RUSAGE_CHILDREN, RUSAGE_SELF, RUSAGE_THREAD
from sentry.abi.signal import (
    NSIG,
    SIGALRM,
    SIGEV_NONE,
    SIGEV_SIGNAL,
    SIGEV_THREAD,
    SIGEV_THREAD_ID,
    SIGEVENT,
    SIGEVENT_SIZE,
)
from sentry.abi.time import (
    ADJ_ADJTIME,
    ADJ_OFFSET_READONLY,
    ADJ_OFFSET_SINGLESHOT,
    CLOCK_REALTIME,
    CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID,
    ITIMER_PROF,
    ITIMER_REAL,
    ITIMERSPEC,
    ITIMERVAL,
    NSEC,
    NSEC_PER_TICK,
    STA_UNSYNC,
    TIME_ERROR,
    TIMER_ABSTIME,
    TIMESPEC,
    TIMEVAL,
    TIMEX,
    TIMEZONE,
    TMS,
)
from sentry.errors import Errno
from sentry.kernel.signals import signals
from sentry.kernel.timekeeping import clock, cpu_clock
from sentry.kernel.timekeeping.posix_timers import PosixTimer
from sentry.kernel.timekeeping.sleep import sleep, sleep_cpu
from sentry.kernel.usage import thread_total
from sentry.syscalls.args import Int, Ptr, UInt
from sentry.syscalls.timespec import (
    checked_timespec,
    checked_timeval,
    pack_timespec,
    pack_timeval,
    read_timespec,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from sentry.kernel.task import Task

    Answer = int | Coroutine[None, None, int]

_MAX_ERROR = 16_000_000  # us: nobody disciplines this clock
_TOLERANCE = 32_768_000  # ppm, scaled
_TICK = 10_000  # us
_UNADJUSTED = (*range(1, 10), CLOCK_TAI)  # clocks that exist and can't be adjusted
_CLOCK_KIND = 7  # the bits of a negative clock's number that say what kind it is
_CLOCK_OF_FILE = 3  # of a device: there are none


def clock_gettime(task: "Task", clock_id: Int, address: Ptr) -> int:
    task.copy_out(address, pack_timespec(clock.read(task, clock_id)))
    return 0


def clock_getres(task: "Task", clock_id: Int, address: Ptr) -> int:
    resolution = clock.resolution(task, clock_id)
    if address:
        task.copy_out(address, pack_timespec(resolution))
    return 0


def clock_settime(task: "Task", clock_id: Int, address: Ptr) -> int:
    if clock_id != CLOCK_REALTIME and clock_id >= 0:
        raise Errno(errno.EINVAL)
    seconds, nanoseconds = TIMESPEC.unpack(task.copy_in(address, TIMESPEC.size))
    if clock_id < 0:
        cpu_clock.find(task, clock_id)  # EINVAL, else EPERM: nobody sets those
        raise Errno(errno.EPERM)
    checked_timespec(seconds, nanoseconds)
    raise Errno(errno.EPERM)  # the host's clock isn't ours


def settimeofday(task: "Task", time: Ptr, zone: Ptr) -> int:
    if time:
        checked_timeval(*TIMEVAL.unpack(task.copy_in(time, TIMEVAL.size)))
    if zone:
        task.copy_in(zone, TIMEZONE.size)
    raise Errno(errno.EPERM)


def adjtimex(task: "Task", address: Ptr) -> int:
    return clock_adjtime(task, CLOCK_REALTIME, address)


def clock_adjtime(task: "Task", clock_id: Int, address: Ptr) -> int:
    (modes, *_) = TIMEX.unpack(task.copy_in(address, TIMEX.size))
    if clock_id != CLOCK_REALTIME:
        raise Errno(errno.EOPNOTSUPP if clock_id in _UNADJUSTED or clock_id < 0 else errno.EINVAL)
    if modes & ADJ_ADJTIME and not modes & ADJ_OFFSET_SINGLESHOT:
        raise Errno(errno.EINVAL)
    if modes and modes & (ADJ_ADJTIME | ADJ_OFFSET_READONLY) != ADJ_ADJTIME | ADJ_OFFSET_READONLY:
        raise Errno(errno.EPERM)  # it is the host's clock
    seconds, rest = divmod(task.kernel.clock.realtime(), NSEC)
    state = TIMEX.pack(
        modes, 0, 0, _MAX_ERROR, _MAX_ERROR, STA_UNSYNC, 2, 1, _TOLERANCE, seconds, rest // 1000, _TICK,
        *(0,) * 9,
    )  # fmt: skip
    task.copy_out(address, state)
    return TIME_ERROR


def gettimeofday(task: "Task", time: Ptr, zone: Ptr) -> int:
    if time:
        task.copy_out(time, pack_timeval(task.kernel.clock.realtime()))
    if zone:
        task.copy_out(zone, TIMEZONE.pack(0, 0))
    return 0


def time(task: "Task", address: Ptr) -> int:
    seconds = task.kernel.clock.realtime() // NSEC
    if address:
        task.write_u64(address, seconds)
    return seconds


# Sleeping


def _report(task: "Task", address: int) -> "Callable[[int], None]":
    def report(remaining: int) -> None:
        if address:
            task.copy_out(address, pack_timespec(remaining))

    return report


def nanosleep(task: "Task", request: Ptr, remaining: Ptr) -> "Answer":
    duration = read_timespec(task, request)
    return sleep(task, task.kernel.clock.monotonic() + duration, _report(task, remaining))


def clock_nanosleep(task: "Task", clock_id: Int, flags: Int, request: Ptr, remaining: Ptr) -> "Answer":
    if clock_id == CLOCK_THREAD_CPUTIME_ID:
        raise Errno(errno.EOPNOTSUPP)
    if clock_id < 0 and clock_id & _CLOCK_KIND == _CLOCK_OF_FILE:
        raise Errno(errno.EOPNOTSUPP)
    counted = cpu_clock.find(task, clock_id) if cpu_clock.is_cpu_clock(clock_id) else None
    if counted is None and clock_id not in clock.WAITABLE:
        raise Errno(errno.EOPNOTSUPP if clock_id in (4, 5, 6) else errno.EINVAL)
    duration = read_timespec(task, request)
    absolute = bool(flags & TIMER_ABSTIME)
    if counted is not None:
        if absolute:
            return sleep_cpu(task, counted, duration, None)
        return sleep_cpu(task, counted, counted.now() + duration, _report(task, remaining))
    if absolute:
        return sleep(task, clock.absolute(task, clock_id, duration), None)
    clocks, clock_id = task.kernel.clock, clock.for_relative(clock_id)
    until = clock.deadline(clocks, clock_id, clocks.read(clock_id) + duration)
    return sleep(task, until, _report(task, remaining))


def restart_syscall(task: "Task") -> "Any":
    block, task.signal.restart_block = task.signal.restart_block, None
    if block is None:
        raise Errno(errno.EINTR)
    return block()


# Interval timers


def alarm(task: "Task", seconds: UInt) -> int:
    timers = task.group.itimers
    _, left = timers.get(ITIMER_REAL)
    timers.set(ITIMER_REAL, 0, seconds * NSEC)
    # A timer that is about to fire counts as one second: 0 would mean that there was none.
    return max(1, (left + NSEC // 2) // NSEC) if left else 0


def _pack_itimer(interval: int, left: int) -> bytes:
    return pack_timeval(interval) + pack_timeval(left)


def getitimer(task: "Task", which: Int, address: Ptr) -> int:
    if not ITIMER_REAL <= which <= ITIMER_PROF:
        raise Errno(errno.EINVAL)
    task.copy_out(address, _pack_itimer(*task.group.itimers.get(which)))
    return 0


def setitimer(task: "Task", which: Int, new: Ptr, old: Ptr) -> int:
    interval = value = 0
    if new:  # Linux takes NULL as zeros
        fields = ITIMERVAL.unpack(task.copy_in(new, ITIMERVAL.size))
        interval, value = checked_timeval(*fields[:2]), checked_timeval(*fields[2:])
    if not ITIMER_REAL <= which <= ITIMER_PROF:
        raise Errno(errno.EINVAL)
    timers = task.group.itimers
    before = timers.get(which)
    timers.set(which, interval, value)
    if old:
        task.copy_out(old, _pack_itimer(*before))
    return 0


# Timers with ids


def _timer(task: "Task", timer_id: int) -> PosixTimer:
    timer = task.group.posix_timers.get(timer_id)
    if timer is None:
        raise Errno(errno.EINVAL)
    return timer


def timer_create(task: "Task", clock_id: Int, event: Ptr, id_address: Ptr) -> int:
    group = task.group
    if clock_id < 0 and clock_id & _CLOCK_KIND == _CLOCK_OF_FILE:
        raise Errno(errno.EOPNOTSUPP)
    counted = cpu_clock.find(task, clock_id) if cpu_clock.is_cpu_clock(clock_id) else None
    if counted is None and clock_id not in clock.WAITABLE:
        raise Errno(errno.EOPNOTSUPP if clock_id in (4, 5, 6) else errno.EINVAL)
    if signals.queue_limit_reached(task):
        raise Errno(errno.EAGAIN)
    while group.next_timer_id in group.posix_timers:
        group.next_timer_id = (group.next_timer_id + 1) & 0x7FFFFFFF
    timer = PosixTimer(group, group.next_timer_id, clock_id, counted)
    timer.notify, timer.signo, timer.value = SIGEV_SIGNAL, SIGALRM, timer.id
    if event:
        data = task.copy_in(event, SIGEVENT_SIZE)
        timer.value, timer.signo, timer.notify, thread = SIGEVENT.unpack_from(data)
        _check_event(task, timer, thread)
    task.write_u32(id_address, timer.id)
    timer.share = task.kernel.queued_signals.take(task.creds.uid)
    group.posix_timers[timer.id] = timer
    group.next_timer_id = (timer.id + 1) & 0x7FFFFFFF
    return 0


def _check_event(task: "Task", timer: PosixTimer, thread: int) -> None:
    notify = timer.notify
    if notify not in (SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD, SIGEV_THREAD_ID):
        raise Errno(errno.EINVAL)
    if notify != SIGEV_NONE and not 1 <= timer.signo <= NSIG:
        raise Errno(errno.EINVAL)
    if notify == SIGEV_THREAD_ID:
        target = task.find(thread)
        if target is None or target.group is not task.group:
            raise Errno(errno.EINVAL)
        timer.target = target


def timer_settime(task: "Task", timer_id: Int, flags: Int, new: Ptr, old: Ptr) -> int:
    if not new:
        raise Errno(errno.EINVAL)
    fields = ITIMERSPEC.unpack(task.copy_in(new, ITIMERSPEC.size))
    interval, value = checked_timespec(*fields[:2]), checked_timespec(*fields[2:])
    timer = _timer(task, timer_id)
    before = timer.get()
    absolute = bool(flags & TIMER_ABSTIME)
    if absolute and value:
        value = max(value - clock.shift(task, timer.clock_id), 1)
    timer.set(interval, value, absolute)
    if old:
        task.copy_out(old, pack_timespec(before[0]) + pack_timespec(before[1]))
    return 0


def timer_gettime(task: "Task", timer_id: Int, address: Ptr) -> int:
    interval, left = _timer(task, timer_id).get()
    task.copy_out(address, pack_timespec(interval) + pack_timespec(left))
    return 0


def timer_getoverrun(task: "Task", timer_id: Int) -> int:
    return _timer(task, timer_id).overrun


def timer_delete(task: "Task", timer_id: Int) -> int:
    timer = _timer(task, timer_id)
    timer.cancel()
    signals.forget_timer(timer)
    del task.group.posix_timers[timer_id]
    return 0


# Time used


def times(task: "Task", address: Ptr) -> int:
    usage = task.group.usage
    if address:
        task.copy_out(address, TMS.pack(*usage.ticks(), *usage.children.ticks()))
    return task.kernel.clock.monotonic() // NSEC_PER_TICK


def getrusage(task: "Task", who: Int, address: Ptr) -> int:
    usage = task.group.usage
    if who in (RUSAGE_SELF, RUSAGE_THREAD):
        usage.note_size(task.mm)
        used = usage.total(task.group.tasks) if who == RUSAGE_SELF else thread_total(task)
        told = task.kernel.host_proc.status(usage.host_pid, task.ctx.host_tid)
        used.maxrss = max(used.maxrss, told.get(b"VmHWM", 0))
    elif who == RUSAGE_CHILDREN:
        used = usage.children
    else:
        raise Errno(errno.EINVAL)
    task.copy_out(address, used.pack())
    return 0
