"""The two kinds of error that leave the kernel.

`Errno` is an answer to the guest: raised fresh wherever a call fails and turned into -errno at one
border, the dispatcher.  `StartError` is an answer to whoever started the sandbox.  Any other exception
is a bug of the sentry; it is logged with its traceback and never swallowed.
"""

from __future__ import annotations


class Errno(Exception):
    """A system call's failure; `code` is a positive errno(3) number (or a restart code, abi.restart)."""

    code: int

    def __init__(self, code: int) -> None:
        self.code = code


class StartError(Exception):
    """The sandbox or its first program can't start.

    `status` is the exit status for the command line: 127 not found, 126 not executable, 128 otherwise.
    """

    def __init__(self, message: str, status: int = 128) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
