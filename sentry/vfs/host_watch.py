"""Readiness of a host descriptor that guests wait for: pipes, sockets and terminals of the sandbox's caller.

The descriptor's description is shared with processes outside, so it stays as it is: never made non-blocking.
Who wants to transfer asks first whether it is ready, and waits for the reactor when it isn't.
"""

from __future__ import annotations

import select

from sentry import _core
from sentry.abi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDHUP, POLLRDNORM, POLLWRNORM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.reactor import Reactor

_ASKED = POLLIN | POLLOUT | POLLPRI | POLLRDHUP


class HostWatch:
    """One host descriptor's readiness; `queue` is woken after `want` when something has come."""

    __slots__ = ("_poll", "_reactor", "_wanted", "fd", "queue")

    def __init__(self, reactor: Reactor, fd: int) -> None:
        self.fd = fd
        self.queue = _core.WaitQueue()
        self._reactor = reactor
        self._wanted = 0
        self._poll = select.poll()
        self._poll.register(fd, _ASKED)

    def ready(self) -> int:
        """The poll(2) events that hold now."""
        for _, events in self._poll.poll(0):
            if events & POLLIN:
                events |= POLLRDNORM
            if events & POLLOUT:
                events |= POLLWRNORM
            return events
        return 0

    def want(self, events: int) -> None:
        """Wake the queue once one of `events` (or an error, a hang-up) holds."""
        if events & ~self._wanted:
            self._wanted |= events
            try:
                self._reactor.watch(self.fd, self._wanted, self._came)
            except PermissionError:  # what can't be watched never blocks
                self._wanted = 0

    def poll(self, events: int) -> int:
        """`ready`, for a poller that is to be woken for those of `events` that don't hold yet."""
        now = self.ready()
        missing = events & ~now
        if missing and not now & (POLLERR | POLLHUP):
            self.want(missing)
        return now

    def _came(self, events: int) -> None:
        self._wanted = 0
        self.queue.wake(events)
