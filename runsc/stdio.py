"""Standard input, output and error as the command line got them: any of them may be closed."""

from __future__ import annotations

import os

from sentry.config import CLOSED


def claim() -> list[int]:
    """Which of 0, 1, 2 are open, CLOSED in place of those that aren't.

    These become /dev/null, so that no file opened later gets their number.
    """
    stdio = []
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
            stdio.append(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: fd
            stdio.append(CLOSED)
    return stdio
