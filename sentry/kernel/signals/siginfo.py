"""What a signal tells its receiver: siginfo_t (sigaction(2)), 128 bytes."""

from __future__ import annotations

from errno import E2BIG
from struct import Struct

from sentry.abi.signal import (
    SI_KERNEL,
    SI_SIGIO,
    SI_TIMER,
    SI_TKILL,
    SI_USER,
    SIGBUS,
    SIGCHLD,
    SIGFPE,
    SIGILL,
    SIGINFO_SIZE,
    SIGIO,
    SIGSEGV,
    SIGSYS,
    SIGTRAP,
)
from sentry.errors import Errno
from sentry.kernel.namespaces.user_namespace import OVERFLOW_ID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.kernel.timekeeping.posix_timers import PosixTimer
    from sentry.kernel.user_count import Share

_HEAD = Struct("<iii4x")  # si_signo, si_errno, si_code
_KILL = Struct("<iI")
_RT = Struct("<iIQ")
_TIMER = Struct("<iiQ")
_CHILD = Struct("<iIi4xqq")
_FAULT = Struct("<Q")
_POLL = Struct("<qi")
_SYS = Struct("<QiI")
_FAULTS = frozenset((SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP))
_CODES = {SIGILL: 11, SIGFPE: 15, SIGSEGV: 10, SIGBUS: 5, SIGTRAP: 6, SIGCHLD: 6, SIGIO: 6, SIGSYS: 2}
_CODES_MAX = 6  # of other signals: si_code is then a POLL_ code
_SENDERS = (*range(-7, 0), -60)  # SI_DETHREAD to SI_QUEUE, SI_ASYNCNL
_KNOWN_SIZE = 48  # bytes of siginfo_t that have a meaning for a code that nobody knows
SIGNALS_WITH_CODES = _FAULTS | {SIGCHLD, SIGSYS}  # whose positive codes mean something of their own


class SigInfo:
    """One signal to deliver; which fields count follows from `signo` and `code`, as in siginfo_t's union."""

    __slots__ = (
        "addr", "band", "code", "errno", "fd", "forced", "overrun", "pid", "polled", "raw", "share", "signo",
        "status", "stime", "timer", "timer_id", "uid", "utime", "value",
    )  # fmt: skip

    def __init__(self, signo: int, code: int = SI_USER, pid: int = 0, uid: int = 0, value: int = 0) -> None:
        self.signo = signo
        self.code = code
        self.errno = 0
        self.pid = pid
        self.uid = uid
        self.value = value  # si_value as 64 bits
        self.addr = 0
        self.status = 0  # SIGCHLD: exit code or signal
        self.utime = 0  # SIGCHLD: clock ticks
        self.stime = 0
        self.timer_id = 0
        self.overrun = 0
        self.polled = False  # F_SETSIG has chosen the signal: it has band and fd whatever it is
        self.band = 0
        self.fd = -1
        self.forced = False  # init's default action counts, too
        self.raw = b""  # the sender's own bytes (rt_sigqueueinfo)
        self.share: Share | None = None  # of what its receiver's user may have queued, while it is
        self.timer: PosixTimer | None = None  # told when the signal is taken: it computes the overrun then

    def copy(self) -> SigInfo:
        new = SigInfo.__new__(SigInfo)
        for name in SigInfo.__slots__:
            setattr(new, name, getattr(self, name))
        return new

    def seen_by(self, task: Task) -> SigInfo:
        """The same with the sender's ids as `task` sees them, in its namespaces."""
        if self.raw or (not task.group.nested and not task.creds.user_ns.level):
            return self
        new = self.copy()
        new.pid, new.uid = task.number(self.pid), task.creds.user_ns.show_uid(self.uid)
        return new

    def pack(self) -> bytes:
        """The guest's siginfo_t."""
        if self.raw:
            return self.raw
        return (_HEAD.pack(self.signo, self.errno, self.code) + self._union()).ljust(SIGINFO_SIZE, b"\0")

    def _union(self) -> bytes:
        signo, code = self.signo, self.code
        if self.polled:
            return _POLL.pack(self.band, self.fd)
        if code > 0:
            if signo in _FAULTS and not self.pid:  # else a stop that only a tracer sees
                return _FAULT.pack(self.addr)
            if signo == SIGIO and not self.pid and code != SI_KERNEL:
                return _POLL.pack(self.band, self.fd)
            if signo == SIGSYS and not self.pid:
                return _SYS.pack(self.addr, self.status, self.value)
            # A child may have been cloned with any signal as its last word.
            return _CHILD.pack(self.pid, self.uid, self.status, self.utime, self.stime)
        if code == SI_TIMER:
            return _TIMER.pack(self.timer_id, self.overrun, self.value)
        if code in (SI_USER, SI_TKILL):
            return _KILL.pack(self.pid, self.uid)
        return _RT.pack(self.pid, self.uid, self.value)


def from_user(signo: int, data: bytes) -> SigInfo:
    """What rt_sigqueueinfo(2) was given: `data` is the caller's siginfo_t, whose si_signo is overwritten.

    E2BIG where the code is unknown and more is said than Linux has room for.
    """
    _, errno, code = _HEAD.unpack_from(data)
    known = code == SI_KERNEL or code in _SENDERS or 0 <= code <= _CODES.get(signo, _CODES_MAX)
    if not known and data[_KNOWN_SIZE:].strip(b"\0"):
        raise Errno(E2BIG)
    info = SigInfo(signo, code)
    info.errno = errno
    info.pid, info.uid, info.value = _RT.unpack_from(data, _HEAD.size)
    info.raw = _HEAD.pack(signo, errno, code) + data[_HEAD.size :]
    return info


def claimed(info: SigInfo, sender: Task, receiver: Task) -> SigInfo:
    """What the receiver of rt_sigqueueinfo(2) is told: no pid by a sender that it can't see, and the user
    id that the sender names as the receiver sees it.
    """
    mine, theirs = sender.creds.user_ns, receiver.creds.user_ns
    seen = receiver.number(sender.group.tgid)
    if info.code in (SI_TIMER, SI_SIGIO) or (seen and mine is theirs):
        return info
    if not seen:
        info.pid = 0
    if mine is not theirs:
        info.uid = theirs.show_uid(mine.kuid(info.uid))
    info.raw = info.raw[: _HEAD.size] + _KILL.pack(info.pid, info.uid) + info.raw[_HEAD.size + _KILL.size :]
    return info


def from_task(signo: int, sender: Task, code: int = SI_USER) -> SigInfo:
    """What kill(2) (SI_USER) or tgkill(2) (SI_TKILL) by `sender` tells."""
    uid, ns = sender.creds.uid, sender.creds.user_ns
    if ns.uid(uid) < 0:
        uid = ns.kuid(OVERFLOW_ID)  # Linux tells what the sender calls itself
    return SigInfo(signo, code, sender.group.tgid, uid if uid >= 0 else OVERFLOW_ID)


def fault(signo: int, code: int, addr: int) -> SigInfo:
    """What the CPU's exception tells."""
    info = SigInfo(signo, code)
    info.addr = addr
    return info
