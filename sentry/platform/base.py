"""The platform contract, Python half: which back-ends there are, and how one is loaded.

The contract itself is `platform/include/platform.h`: a back-end fills a table of C functions, and the
dispatcher (`sentry._core`) wraps it in Machine, Context and the guest-memory calls.  A back-end is a package
of this one - ptrace, later systrap and kvm - with the same names in each:

    _NAME.ops    the capsule with the table
    probe.py     probe() -> why it can't work here, or None
    stub.elf     the program that becomes the stub process
"""

from __future__ import annotations

import os

from sentry import _core

PLATFORMS = ("ptrace",)  # in the order in which they are tried


def load(name: str) -> _core.Machine:
    """The machine of the back-end `name`; ValueError when there is none of that name."""
    if name not in PLATFORMS:
        raise ValueError(f"unknown platform: {name}")
    module = __import__(f"sentry.platform.{name}._{name}", fromlist=["ops"])
    return _core.Machine(module.ops)


def stub_path(name: str) -> str:
    """Where the stub program of a back-end was installed."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), name, "stub.elf")


def probe(name: str) -> str | None:
    """None when the platform works here, else one line that says why not and what to change."""
    module = __import__(f"sentry.platform.{name}.probe", fromlist=["probe"])
    reason: str | None = module.probe()
    return reason
