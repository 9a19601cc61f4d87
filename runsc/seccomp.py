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
        "read", "write", "pread64", "pwrite64", "preadv2", "pwritev2", "lseek", "sendfile", "ftruncate",
        "fallocate", "fsync", "cachestat",
    ),
    "names, only ever below a directory descriptor": (
        "openat2", "newfstatat", "readlinkat", "getdents64", "mkdirat", "mknodat", "unlinkat", "renameat2",
        "linkat", "symlinkat", "fchownat", "fchmodat2", "utimensat", "statx",
    ),
    "open descriptors": (
        "close", "fstat", "fstatfs", "fchmod", "fchown", "fgetxattr", "flistxattr", "fsetxattr",
        "fremovexattr",
    ),
    "waiting": (
        "poll", "epoll_ctl", "epoll_wait", "epoll_pwait", "timerfd_settime", "futex", "restart_syscall",
    ),
    "memory": (
        "memfd_create", "munmap", "mremap", "madvise", "mincore", "brk",
    ),
    "the stubs": (
        "process_vm_readv", "process_vm_writev", "wait4", "waitid", "socketpair", "sendmsg", "recvmsg",
        "sched_setaffinity",
    ),
    "clocks, randomness and what the machine is": (
        "clock_gettime", "gettimeofday", "timer_settime", "timer_delete", "getrandom", "getcpu", "sysinfo",
    ),
    "this process itself": (
        "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "exit", "exit_group",
    ),
    "the first steps of the helper thread, which the filter may overtake": (
        "rseq", "set_robust_list",
    ),
}  # fmt: skip

# Of calls that are younger than libseccomp 2.5.
NUMBERS = {"fchmodat2": 452}

# Calls allowed for some values of one argument: name -> (argument's index, {meaning: value}).
LIMITED = {
    "ioctl": (
        1,
        {
            "TCGETS": 0x5401, "TCSETS": 0x5402, "TCSETSW": 0x5403, "TCSETSF": 0x5404, "TCSBRK": 0x5409,
            "TCXONC": 0x540A, "TCFLSH": 0x540B, "TIOCOUTQ": 0x5411, "TIOCGWINSZ": 0x5413,
            "TIOCSWINSZ": 0x5414, "FIONREAD": 0x541B,
            "SECCOMP_IOCTL_NOTIF_RECV": 0xC0502100, "SECCOMP_IOCTL_NOTIF_SEND": 0xC0182101,
        },
    ),
    "fcntl": (1, {"F_GETFL": 3, "F_DUPFD_CLOEXEC": 1030, "F_ADD_SEALS": 1033}),
    "prctl": (0, {"PR_SET_NAME": 15}),
    # Not PTRACE_ATTACH or SEIZE: a stub is traced from the moment its parent is cloned.
    "ptrace": (
        0,
        {
            "PTRACE_SYSEMU": 31, "PTRACE_CONT": 7, "PTRACE_SINGLESTEP": 9, "PTRACE_GETREGS": 12,
            "PTRACE_SETREGS": 13, "PTRACE_GETSIGINFO": 0x4202, "PTRACE_GETREGSET": 0x4204,
            "PTRACE_SETREGSET": 0x4205, "PTRACE_INTERRUPT": 0x4207, "PTRACE_GET_SYSCALL_INFO": 0x420E,
        },
    ),
    # Its own PID namespace holds no process but itself and its stubs.
    "kill": (1, {"SIGKILL": 9}),
    "tgkill": (2, {"SIGURG": 23, "no signal": 0}),
}  # fmt: skip

# Calls allowed unless one bit of one argument is set: name -> (argument's index, meaning, bit).
# The sentry runs no code that it did not come with.
WITHOUT = {"mmap": (2, "PROT_EXEC", 4), "mprotect": (2, "PROT_EXEC", 4)}


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
            program.add_rule(pyseccomp.ALLOW, NUMBERS.get(name, name))
    for name, (index, values) in LIMITED.items():
        for value in values.values():
            program.add_rule(pyseccomp.ALLOW, name, pyseccomp.Arg(index, pyseccomp.EQ, value))
    for name, (index, _, bit) in WITHOUT.items():
        program.add_rule(pyseccomp.ALLOW, name, pyseccomp.Arg(index, pyseccomp.MASKED_EQ, bit, 0))
    program.export_bpf(file)


def describe() -> list[str]:
    """The filter as text, a line for each purpose or limited call."""
    lines = [f"{purpose}: {' '.join(names)}" for purpose, names in ALLOWED.items()]
    lines += [f"{name}: only {' '.join(values)}" for name, (_, values) in LIMITED.items()]
    lines += [f"{name}: only without {meaning}" for name, (_, meaning, _) in WITHOUT.items()]
    return lines
