"""wait4(2) and waitid(2): options, id types, statuses."""

from __future__ import annotations

WNOHANG = 0x00000001
WUNTRACED = 0x00000002
WSTOPPED = WUNTRACED
WEXITED = 0x00000004
WCONTINUED = 0x00000008
WNOWAIT = 0x01000000
WNOTHREAD = 0x20000000
WALL = 0x40000000
WCLONE = 0x80000000

P_ALL = 0
P_PID = 1
P_PGID = 2
P_PIDFD = 3

CONTINUED_STATUS = 0xFFFF


def exited(code: int) -> int:
    """The wait status of a process that called _exit(code)."""
    return (code & 0xFF) << 8


def stopped(signo: int) -> int:
    """The wait status of a process that `signo` stopped."""
    return signo << 8 | 0x7F
