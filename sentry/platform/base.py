"""The platform contract, Python half: which back-ends there are, and how one is loaded.

The contract itself is `platform/include/platform.h`: a back-end fills a table of C functions, and the
dispatcher (`sentry._core`) wraps it in Machine, Context and the guest-memory calls.  A back-end is a package
of this one - ptrace, systrap, later kvm - with the same names in each:

    HOST_CALLS   the host calls that the sentry makes for it
    _NAME.ops    the capsule with the table
    probe.py     probe() -> why it can't work here, or None
    stub.elf     the program that becomes the stub process
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry import _core

PLATFORMS: tuple[str, ...] = ("systrap", "ptrace")  # in the order in which they are tried


def load(name: str) -> _core.Machine:
    """The machine of the back-end `name`; ValueError when there is none of that name."""
    if name not in PLATFORMS:
        raise ValueError(f"unknown platform: {name}")
    from sentry import _core

    module = __import__(f"sentry.platform.{name}._{name}", fromlist=["ops"])
    return _core.Machine(module.ops)


def stub_path(name: str) -> str:
    """Where the stub program of a back-end was installed."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), name, "stub.elf")


def probe(name: str) -> str | None:
    """None when the platform works here, else one line that says why not and what to change."""
    try:
        module = __import__(f"sentry.platform.{name}.probe", fromlist=["probe"])
    except ImportError as error:
        return f"the installation is not complete: {error}"
    if not os.path.exists(stub_path(name)):
        return f"the installation is not complete: {stub_path(name)} is missing"
    reason: str | None = module.probe()
    return reason


def choose() -> tuple[str, list[str]]:
    """The first platform that works here, and for each before it a line that says why it does not.

    The last of them is not tried, which would cost each start a trial: its own start says what fails.
    """
    passed_over: list[str] = []
    for name in PLATFORMS[:-1]:
        reason = probe(name)
        if reason is None:
            return name, passed_over
        passed_over.append(f"{name}: {reason}")
    return PLATFORMS[-1], passed_over
