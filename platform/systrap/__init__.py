"""The systrap platform: guests trap into a stub in their own process, which shares memory with the sentry.

Works wherever a process may install a seccomp filter; it needs no privilege and no ptrace(2).  The C half,
`_systrap`, exports the contract of platform/include/platform.h as the capsule `ops`; `stub.elf` is the
program that `init` wants a descriptor of.
"""

from __future__ import annotations

HOST_CALLS = (
    "futex",
    "poll",
    "read",
    "write",
    "memfd_create",
    "ftruncate",
    "mmap",
    "munmap",
    "socketpair",
    "sendmsg",
    "close",
    "tgkill",
    "kill",
    "wait4",
    "waitid",
    "process_vm_readv",
    "process_vm_writev",
    "clock_gettime",
    "rt_sigaction",
    "rt_sigreturn",
)
"""The host's system calls that the back-end makes after `init`: the sentry's own filter lets them through."""
