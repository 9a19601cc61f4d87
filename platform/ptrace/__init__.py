"""The ptrace platform: guest threads are stopped at each system call by PTRACE_SYSEMU.

Works wherever a process may ptrace(2) its own children; it needs no privilege.  The C half, `_ptrace`,
exports the contract of platform/include/platform.h as the capsule `ops`; `stub.elf` is the program that
`init` wants a descriptor of.
"""

from __future__ import annotations

HOST_CALLS = (
    "ptrace",
    "wait4",
    "waitid",
    "kill",
    "tgkill",
    "process_vm_readv",
    "process_vm_writev",
    "sendmsg",
    "recvmsg",
    "clock_gettime",
    "sched_setaffinity",
    "getcpu",
    "timer_settime",
    "timer_delete",
    "rt_sigaction",
    "rt_sigreturn",
    "close",
)
"""The host's system calls that the back-end makes after `init`: the sentry's own filter lets them through."""
