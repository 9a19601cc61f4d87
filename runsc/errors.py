"""The runtime's own failures, as the person at the command line sees them."""

from __future__ import annotations

FAILED = 128  # exit status of a failure of the runtime's own
NOT_EXECUTABLE = 126
NOT_FOUND = 127


class RuntimeFailure(Exception):
    """One sentence saying what failed and where; `status` is the exit status of the command."""

    def __init__(self, message: str, status: int = FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


def failed(what: str, error: OSError) -> RuntimeFailure:
    """The failure that a host call's error amounts to: `what: No such file or directory`."""
    return RuntimeFailure(f"{what}: {error.strerror}")
