"""What each row should come to, in multiples of its base (native, or runc where that is the row's base).

`reach` is the least, `aim` what this project wants to be known for.  The rows of ABSOLUTE have a number of
their own in place of a multiple: seconds, or MB.
"""

from __future__ import annotations

from typing import NamedTuple


class Aim(NamedTuple):
    reach: float
    aim: float

    def verdict(self, value: float) -> str:
        """The mark at the end of a row; 3 % of noise are forgiven."""
        if value <= self.aim * 1.03:
            return "aim"
        return "reach" if value <= self.reach * 1.03 else "MISSED"


AIMS = {
    "getppid": Aim(1.0, 0.3),
    "clock_gettime-syscall": Aim(1.0, 0.3),
    "clock_gettime-vdso": Aim(1.2, 1.0),
    "sched_yield": Aim(1.0, 0.3),
    "read-zero-4k": Aim(10, 5),
    "write-null-1": Aim(10, 5),
    "lseek": Aim(10, 5),
    "fstat": Aim(6, 3),
    "pread-4k": Aim(6, 3),
    "pwrite-4k": Aim(6, 3),
    "stat": Aim(6, 3),
    "stat-missing": Aim(4, 2),
    "open-close": Aim(10, 5),
    "creat-close-unlink": Aim(8, 3),
    "pipe-write-read": Aim(8, 4),
    "pipe-ping-pong": Aim(5, 2.5),
    "eventfd-epoll-read": Aim(9, 5),
    "futex-wake": Aim(8, 1),
    "signal-self": Aim(8, 4),
    "mmap-touch-munmap-64k": Aim(1.5, 1.2),
    "mprotect": Aim(5, 3),
    "thread-create-join": Aim(3, 2),
    "fork-exit-wait": Aim(4, 2),
    "fork-exec-wait": Aim(4, 2.5),
    "200 x fork+exec in sh": Aim(3, 2),
    "python, heavy imports": Aim(2, 1.4),
    "python, threads and a queue": Aim(4, 2),
    "sqlite, 300 commits": Aim(2, 1.3),
    "gcc hello.c": Aim(3, 2),
    "git, 10 commits": Aim(4, 2.5),
    "find /usr/lib": Aim(6, 3),
    "tar of /usr/include, back": Aim(5, 2.5),
    "256 MB into sha256sum": Aim(1.3, 1.1),
    "node -e": Aim(2.5, 1.6),
    "java -version": Aim(2.2, 1.5),
    "cpu loop": Aim(1.02, 1.0),
}
ABSOLUTE = {
    "start of true": Aim(0.11, 0.06),
    "memory of sleep": Aim(45, 25),
}
