"""Can the ptrace platform work on this host, and if not, why and what is there to change?"""

from __future__ import annotations

import errno
import os

from sentry.platform.ptrace import _ptrace

YAMA = "/proc/sys/kernel/yama/ptrace_scope"


def _ptrace_scope() -> int:
    """Yama's switch (Documentation/admin-guide/LSM/Yama.rst); 0 where there is none."""
    try:
        with open(YAMA, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def explain(error: int, step: str, scope: int) -> str:
    """One line for the errno with which `step` of the trial failed, under Yama's `scope`."""
    if error in (errno.EPERM, errno.EACCES) and step.startswith("PTRACE"):
        if scope >= 3:
            return "ptrace is off (kernel.yama.ptrace_scope=3): set it to 1 in /etc/sysctl.d and reboot"
        if scope == 2:
            return "ptrace needs CAP_SYS_PTRACE (kernel.yama.ptrace_scope=2): run as root, or set it to 1"
    if error == errno.EPERM:
        return f"{step} is denied by a seccomp profile or LSM: allow it (docker: --cap-add SYS_PTRACE)"
    if error == errno.ENOSYS:
        return f"{step} does not exist here: the kernel, or a sandbox around us, has no such call"
    if error == errno.EIO and step == "PTRACE_SYSEMU":
        return "PTRACE_SYSEMU is refused: a Linux kernel for x86-64 is needed, with none in between"
    return f"{step}: {os.strerror(error)}"


def probe() -> str | None:
    """None when the platform works here, else one line that says why not and what to change.

    Tries the host calls that it stands on, ptrace(2) and process_vm_readv(2), with a child process of its
    own: about a millisecond.
    """
    if os.uname().machine != "x86_64":
        return f"the machine is {os.uname().machine}, x86_64 is needed"
    error, step = _ptrace.probe()
    return explain(error, step, _ptrace_scope()) if error else None
