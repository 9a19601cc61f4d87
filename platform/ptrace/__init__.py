"""The ptrace platform: guest threads are traced with PTRACE_SYSEMU.

Works wherever ptrace(2) of one's own children does; needs no privilege.  The C half (`_ptrace`) exports the contract
of platform/include/platform.h as the capsule `ops`; `stub.elf`, beside this file, is the program that `init` wants an
open descriptor of.
"""

from __future__ import annotations

import os

STUB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stub.elf")
"""Path of the stub program."""

HOST_CALLS = (
    "ptrace",
    "wait4",
    "waitid",
    "kill",
    "tgkill",
    "process_vm_readv",
    "process_vm_writev",
    "sendmsg",
    "recvfrom",
    "sched_setaffinity",
    "timer_settime",
    "timer_delete",
    "rt_sigaction",
    "rt_sigreturn",
    "getcpu",
    "close",
)
"""Host system calls that the back-end makes after `init`: what the sentry's own seccomp filter has to allow for it."""
