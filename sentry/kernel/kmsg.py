"""The kernel's message buffer, as syslog(2) shows it.

The sentry's own log is the host's business; what a guest finds here is what Linux says when it starts.
"""

from __future__ import annotations

from sentry import _core
from sentry.kernel import version

BUFFER_SIZE = 1 << 17


class MessageBuffer:
    """A text that doesn't grow; `unread` and `cleared` are offsets in it."""

    __slots__ = ("cleared", "queue", "text", "unread")

    def __init__(self) -> None:
        self.text = b"<5>[    0.000000] " + version.PROC_VERSION + b"\n"
        self.unread = 0
        self.cleared = 0
        self.queue = _core.WaitQueue()  # of readers; nothing ever comes

    def take(self, count: int) -> bytes:
        """What has not been read yet, up to `count` bytes, in whole lines where one fits."""
        data = self.text[self.unread : self.unread + count]
        self.unread += len(data)
        return data

    def tail(self, count: int) -> bytes:
        """The last lines that were not cleared and fit into `count` bytes."""
        text = self.text[self.cleared :]
        while len(text) > count:
            line, _, text = text.partition(b"\n")
            if not line:
                break
        return text
