"""Whether a process leaves a core file, and what that is called (core(5)).

No program is ever started for a core: a pattern that begins with "|" or "@" can't be set.
"""

from __future__ import annotations

from errno import EINVAL
from time import CLOCK_REALTIME, clock_gettime_ns

from sentry.abi.mman import PAGE_SIZE
from sentry.abi.resource import RLIM_INFINITY, RLIMIT_CORE
from sentry.abi.time import NSEC
from sentry.errors import Errno
from sentry.kernel import settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.signals.siginfo import SigInfo
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup

_PATTERN_MAX = 127
_PATH_MAX = 4096

pattern = [b"core"]  # kernel.core_pattern


def set_pattern(text: bytes) -> None:
    """sysctl kernel.core_pattern: EINVAL for what would start a program or ask a socket."""
    text = text.partition(b"\n")[0].partition(b"\0")[0][:_PATTERN_MAX]
    if text[:1] in (b"|", b"@"):
        raise Errno(EINVAL)
    pattern[0] = text


def is_wanted(group: ThreadGroup) -> bool:
    """Whether the process would leave a core now: not where it may not be looked into (set-user-ID...)."""
    if group.dumpable != 1 or group.exiting:
        return False
    return group.rlimit(RLIMIT_CORE) >= PAGE_SIZE and bool(pattern[0])


def name_for(task: Task, info: SigInfo) -> bytes:
    """The file's name by kernel.core_pattern."""
    found, text, has_pid = [], pattern[0], False
    at = 0
    while at < len(text):
        letter = text[at : at + 1]
        at += 1
        if letter == b"%":
            letter = text[at : at + 1]
            at += 1
            has_pid = has_pid or letter == b"p"
            letter = _field(task, info, letter)
        found.append(letter)
    if not has_pid and settings.values["core_uses_pid"]:
        found.append(b".%d" % task.group.local_tgid)
    return b"".join(found)[: _PATH_MAX - 1]


def _field(task: Task, info: SigInfo, letter: bytes) -> bytes:
    group, creds = task.group, task.creds
    if letter == b"%":
        return b"%"
    if letter in b"hefE" and letter:
        if letter == b"h":
            text = task.ns.uts.hostname
        elif letter == b"e":
            text = task.comm
        else:
            path = task.mm.exe.absolute(task.fs.root) if task.mm.exe is not None else task.comm
            text = path if letter == b"E" else path.rpartition(b"/")[2]
        # Nothing that a process can call itself leads to another directory.
        text = text.replace(b"/", b"!")
        return {b"": b"!", b".": b"!", b"..": b"!."}.get(text, text)
    limit = group.rlimit(RLIMIT_CORE)
    numbers = {
        b"p": group.local_tgid, b"P": group.tgid, b"i": task.local_tid, b"I": task.tid,
        b"u": creds.user_ns.show_uid(creds.uid), b"g": creds.user_ns.show_gid(creds.gid),
        b"d": group.dumpable, b"s": info.signo, b"t": clock_gettime_ns(CLOCK_REALTIME) // NSEC,
        b"c": 2**64 - 1 if limit == RLIM_INFINITY else limit,
    }  # fmt: skip
    return b"%d" % numbers[letter] if letter in numbers else b""
