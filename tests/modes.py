"""The ways in which a sandbox can work: on which platform, with answers in C or none, patching code or not.

What a guest sees must be the same in all of them.  A test that asks for the fixture `mode` runs once for each
platform; one marked `hot_and_cold` with the answers in C turned off too, and with patching turned off;
everything that asks runs in every combination where pytest is given --all-modes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

from sentry.platform.base import PLATFORMS, probe

PATCHING = ("systrap",)  # the platforms that change the guest's code


class Mode(NamedTuple):
    """One of them, and the global options of the command that ask for it."""

    name: str
    platform: str
    hot: bool = True
    patch: bool = True

    @property
    def options(self) -> list[str]:
        options = ["--platform", self.platform]
        if not self.hot:
            options.append("--no-hot")
        if not self.patch:
            options.append("--no-patch")
        return options


def _all(platform: str) -> list[Mode]:
    patching = (True, False) if platform in PATCHING else (True,)
    return [
        Mode(f"{platform}{'' if hot else '-nohot'}{'' if patch else '-nopatch'}", platform, hot, patch)
        for patch in patching
        for hot in (True, False)
    ]


REASONS = {platform: reason for platform in PLATFORMS if (reason := probe(platform)) is not None}
"""The platforms that can't be tested here, and why."""
WORKING = [platform for platform in PLATFORMS if platform not in REASONS]
EVERY = [mode for platform in WORKING for mode in _all(platform)]
ONE_FOR_EACH_PLATFORM = [mode for mode in EVERY if mode.hot and mode.patch]
HOT_AND_COLD = [mode for mode in EVERY if mode.hot or mode.patch]
assert EVERY, REASONS

_current = [ONE_FOR_EACH_PLATFORM[0]]


def current() -> Mode:
    """The mode in which sandboxes are started now."""
    return _current[-1]


@contextlib.contextmanager
def using(mode: Mode) -> Iterator[Mode]:
    """Starts sandboxes in this mode as long as the block lasts."""
    _current.append(mode)
    try:
        yield mode
    finally:
        _current.pop()
