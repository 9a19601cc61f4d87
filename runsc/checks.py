"""Whether sandboxes work here: each check tries the thing itself and, when it fails, says what to change."""

from __future__ import annotations

import _signal
import errno
import os

from runsc import _boot, boot, idmap, seccomp
from runsc.errors import RuntimeFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

OK = 0
MISSING = 1  # sandboxes can't work here
ABSENT = 2  # sandboxes work without it

# Settings that forbid user namespaces: (file below /proc/sys, value that forbids, what to do).
USERNS_SETTINGS = (
    ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=10000"),
    ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1, or run as root"),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0, a profile that allows userns, or run as root",
    ),
)


class Check:
    """The outcome of one check."""

    __slots__ = ("finding", "name", "verdict")

    def __init__(self, name: str, verdict: int, finding: str) -> None:
        self.name = name
        self.verdict = verdict
        self.finding = finding


def setting(name: str) -> str:
    """A value below /proc/sys, empty when this kernel has none of that name."""
    try:
        with open(f"/proc/sys/{name}", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def platforms() -> list[Check]:
    """Every platform that there is or will be; one that doesn't work is missing if none does."""
    from sentry.platform.base import PLATFORMS, probe

    reasons = {name: probe(name) for name in PLATFORMS}
    working = [name for name, reason in reasons.items() if reason is None]
    checks = []
    for name, reason in reasons.items():
        if reason is None:
            checks.append(Check(name, OK, "works, the default here" if name == working[0] else "works"))
        else:
            verdict = ABSENT if working else MISSING
            checks.append(Check(name, verdict, f"does not work here: {reason}"))
    checks.append(Check("kvm", ABSENT, f"not available in this version (/dev/kvm: {_kvm()})"))
    return checks


def level() -> Check:
    """How strong the walls are that can be built here."""
    status = in_namespaces(lambda: None)
    if status == 0:
        name = "root" if os.geteuid() == 0 else "rootless (user namespace)"
        return Check("level", OK, name)
    advice = "".join(f"; {line}" for line in _userns_advice())
    return Check(
        "level",
        MISSING,
        f"namespaces are denied: {os.strerror(status)}{advice}; a container around the sandbox "
        "has to allow them (--security-opt seccomp=unconfined --security-opt apparmor=unconfined)",
    )


def mounts() -> Check:
    """Can the sandbox process get an empty root?"""

    def attempt() -> None:
        boot.PrivateMounts().run()
        os.close(_boot.open_tree("/"))
        boot.EmptyRoot().run()

    if in_namespaces(lambda: None):
        return Check("mounts", MISSING, "could not be tried without namespaces")
    status = in_namespaces(attempt)
    if status == 0:
        return Check("mounts", OK, "detached mounts and pivot_root work")
    return Check("mounts", MISSING, f"{os.strerror(status)}: needs Linux 5.12 and a /proc that is mounted")


def filters() -> Check:
    """Can a seccomp filter be loaded?"""
    try:
        program = seccomp.load()
    except RuntimeFailure as failure:
        return Check("seccomp", MISSING, failure.message)

    def attempt() -> None:
        _boot.no_new_privileges()
        _boot.seal(program)

    status = in_child(os.fork, attempt)
    if status == 0:
        return Check("seccomp", OK, "a filter can be loaded")
    need = "needs a kernel with CONFIG_SECCOMP_FILTER"
    if status == errno.EPERM:
        need = "denied by a seccomp profile or LSM around it: allow seccomp(2)"
    return Check("seccomp", MISSING, f"{os.strerror(status)}: {need}")


def in_namespaces(attempt: Callable[[], None]) -> int:
    """Try something in a process like the sandbox's; 0 or the errno of what failed."""
    flags = 0
    for flag in boot.NAMESPACES.values():
        flags |= flag
    return in_child(lambda: _boot.clone(flags), attempt, idmap.write)


def in_child(
    fork: Callable[[], int], attempt: Callable[[], None], ready: Callable[[int], None] | None = None
) -> int:
    """Try something in a child process; 0 or the errno of what failed (EPERM when a signal killed it)."""
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    try:
        pid = fork()
    except OSError as error:
        os.close(read_end)
        os.close(write_end)
        return error.errno or 1
    if pid == 0:
        code = 1
        try:
            os.close(write_end)
            if os.read(read_end, 1):
                attempt()
                code = 0
        except OSError as error:
            code = error.errno or 1
        finally:
            os._exit(code)
    os.close(read_end)
    try:
        if ready is not None:
            ready(pid)
        os.write(write_end, b"\0")
    except OSError as error:
        os.kill(pid, _signal.SIGKILL)
        os.waitpid(pid, 0)
        return error.errno or 1
    finally:
        os.close(write_end)
    _, status = os.waitpid(pid, 0)
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1


def _userns_advice() -> list[str]:
    return [
        f"{name.replace('/', '.')} is {forbids}: {advice}"
        for name, forbids, advice in USERNS_SETTINGS
        if setting(name) == forbids
    ]


def _kvm() -> str:
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return error.strerror or str(error)
    return "usable"
