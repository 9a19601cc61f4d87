"""Can the systrap platform work on this host, and if not, why and what is there to change?"""

from __future__ import annotations

import errno
import os

from sentry.platform.systrap import _systrap


def explain(error: int, step: str) -> str:
    """One line for the errno with which `step` of the trial failed."""
    if step == "FSGSBASE":
        return "the CPU, or the kernel (5.9 has it), lacks FSGSBASE, which stubs find their threads by"
    if step == "seccomp" and error in (errno.EPERM, errno.EACCES):
        return "seccomp is denied by a profile or LSM: allow it (docker: --security-opt seccomp=unconfined)"
    if step == "seccomp":
        return "seccomp does not trap calls here: the kernel, or a sandbox around us, has no such thing"
    if error == errno.EPERM:
        return f"{step} is denied by a seccomp profile or LSM: allow it (docker: --cap-add SYS_PTRACE)"
    if error == errno.ENOSYS:
        return f"{step} does not exist here: the kernel, or a sandbox around us, has no such call"
    return f"{step}: {os.strerror(error)}"


def probe() -> str | None:
    """None when the platform works here, else one line that says why not and what to change.

    Tries what it stands on, seccomp(2) with a trapped call, sealed memory files and process_vm_readv(2), with
    a child process of its own: about a millisecond.
    """
    if os.uname().machine != "x86_64":
        return f"the machine is {os.uname().machine}, x86_64 is needed"
    error, step = _systrap.probe()
    return explain(error, step) if error else None
