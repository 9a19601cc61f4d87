"""What all messages of the sandbox may take of the sentry's memory, in whichever kind of queue."""

from __future__ import annotations

from errno import ENOMEM

from sentry.errors import Errno

_LIMIT = 64 << 20  # bytes
_OVERHEAD = 128  # that a message costs beside its text


class MessageMemory:
    """A bounded count of bytes."""

    __slots__ = ("used",)

    def __init__(self) -> None:
        self.used = 0

    def charge(self, size: int) -> None:
        """One more message of `size` bytes; ENOMEM."""
        if self.used + size + _OVERHEAD > _LIMIT:
            raise Errno(ENOMEM)
        self.used += size + _OVERHEAD

    def release(self, size: int, count: int = 1) -> None:
        """`count` messages of `size` bytes in all are gone."""
        self.used -= size + count * _OVERHEAD


message_memory = MessageMemory()
