"""The sentry's seccomp filter: the host calls that it may make once it is sealed; any other kills it.

The list is data.  The build turns it into a BPF program with libseccomp and stores that beside this file, so
that starting a sandbox needs neither libseccomp nor ctypes; a test checks that the stored program is
what libseccomp makes of the list.
"""

from __future__ import annotations

import os

from runsc.errors import RuntimeFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sentry.bpf")

# Calls allowed with any arguments, by what the sentry needs them for.
ALLOWED = {
    "the bytes of files, pipes and terminals": (
        "read", "write", "pread64", "pwrite64", "readv", "writev", "preadv", "pwritev", "preadv2", "pwritev2",
        "lseek", "copy_file_range", "sendfile", "splice", "ftruncate", "fallocate", "fsync", "fdatasync",
        "sync_file_range", "fadvise64",
    ),
    "names, only ever below a directory descriptor": (
        "openat2", "newfstatat", "statx", "readlinkat", "getdents64", "mkdirat", "mknodat", "unlinkat",
        "renameat", "renameat2", "linkat", "symlinkat", "fchmodat", "fchownat", "utimensat", "faccessat2",
    ),
    "open descriptors": (
        "close", "fstat", "fstatfs", "fchmod", "fchown", "flock", "dup", "fgetxattr", "flistxattr",
        "fsetxattr", "fremovexattr",
    ),
    "waiting": (
        "poll", "ppoll", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2",
        "eventfd2", "timerfd_create", "timerfd_settime", "nanosleep", "clock_nanosleep", "sched_yield",
        "futex", "restart_syscall",
    ),
    "memory": (
        "memfd_create", "mmap", "munmap", "mremap", "madvise", "mprotect", "brk", "msync",
    ),
    "the stubs": (
        "ptrace", "process_vm_readv", "process_vm_writev", "wait4", "waitid", "sendmsg", "recvmsg",
    ),
    "clocks, randomness and what the machine is": (
        "clock_gettime", "clock_getres", "gettimeofday", "timer_settime", "timer_delete", "getrandom",
        "sched_getaffinity", "sched_setaffinity", "getcpu", "sysinfo", "getrusage", "times",
    ),
    "this process itself": (
        "getpid", "gettid", "getuid", "geteuid", "getgid", "getegid", "rt_sigaction", "rt_sigprocmask",
        "rt_sigreturn", "rt_sigtimedwait", "sigaltstack", "rseq", "set_robust_list", "exit", "exit_group",
        "umask",
    ),
}  # fmt: skip

# Calls allowed for some values of one argument: name -> (argument's index, {meaning: value}).
LIMITED = {
    "ioctl": (
        1,
        {
            "TCGETS": 0x5401, "TCSETS": 0x5402, "TCSETSW": 0x5403, "TCSETSF": 0x5404, "TCSBRK": 0x5409,
            "TCXONC": 0x540A, "TCFLSH": 0x540B, "TIOCOUTQ": 0x5411, "TIOCGWINSZ": 0x5413,
            "TIOCSWINSZ": 0x5414, "FIONREAD": 0x541B,
        },
    ),
    "fcntl": (
        1,
        {"F_GETFD": 1, "F_SETFD": 2, "F_GETFL": 3, "F_SETFL": 4, "F_DUPFD_CLOEXEC": 1030, "F_ADD_SEALS": 1033,
         "F_GET_SEALS": 1034},
    ),
    "prctl": (0, {"PR_SET_NAME": 15, "PR_GET_NAME": 16}),
    # Signals only to itself (pid 1 of its own pid namespace) and, with SIGKILL or SIGSTOP, to its stubs.
    "kill": (1, {"SIGKILL": 9, "SIGSTOP": 19}),
    "tgkill": (2, {"SIGKILL": 9, "SIGSTOP": 19, "SIGURG": 23}),
}  # fmt: skip


def load() -> bytes:
    """The program that the build stored.  Raises RuntimeFailure when there is none."""
    try:
        with open(PROGRAM, "rb", buffering=0) as file:
            return file.read()
    except OSError as error:
        raise RuntimeFailure(f"{PROGRAM}: {error.strerror}; the installation is not complete") from None


def generate(file: BinaryIO) -> None:
    """Write the program that libseccomp makes of the lists.  RuntimeError without libseccomp."""
    import pyseccomp

    program = pyseccomp.SyscallFilter(pyseccomp.KILL_PROCESS)
    for names in ALLOWED.values():
        for name in names:
            program.add_rule(pyseccomp.ALLOW, name)
    for name, (index, values) in LIMITED.items():
        for value in values.values():
            program.add_rule(pyseccomp.ALLOW, name, pyseccomp.Arg(index, pyseccomp.EQ, value))
    program.export_bpf(file)


def describe() -> list[str]:
    """The filter as text, a line for each purpose or limited call."""
    lines = [f"{purpose}: {' '.join(names)}" for purpose, names in ALLOWED.items()]
    lines += [f"{name}: only {' '.join(values)}" for name, (_, values) in LIMITED.items()]
    return lines
