"""The caller's terminal: left as it was found, whatever becomes of the sandbox."""

from __future__ import annotations

import _signal
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def save(stdio: list[int]) -> list[tuple[int, list[Any]]]:
    """The settings of those descriptors that are a terminal."""
    terminals = [fd for fd in stdio if fd >= 0 and os.isatty(fd)]
    if not terminals:
        return []
    import termios

    return [(fd, termios.tcgetattr(fd)) for fd in terminals]


def restore(saved: list[tuple[int, list[Any]]]) -> None:
    """Put settings back that have changed meanwhile."""
    if not saved:
        return
    import termios

    _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGTTOU,))  # it may be in the background by now
    for fd, settings in saved:
        try:
            if termios.tcgetattr(fd) != settings:
                termios.tcsetattr(fd, termios.TCSADRAIN, settings)
        except termios.error:
            pass  # the terminal is gone
