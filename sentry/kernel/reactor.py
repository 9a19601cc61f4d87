"""Readiness of the host's descriptors, and the timerfds behind `Timers`: what wakes an idle sentry."""

from __future__ import annotations

import select

from sentry import _core
from sentry.kernel.timekeeping.timers import Timers
from sentry.kernel.timekeeping.wall_timers import WallTimers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Reactor:
    """One host epoll instance; `Machine.watch` waits for it on a thread and has the loop call `poll`."""

    def __init__(self, timer_fd: int, wall_fd: int, set_timer: Callable[[int, int, bool], bool]) -> None:
        """
        Args:
            timer_fd, wall_fd: timerfds of CLOCK_MONOTONIC and CLOCK_REALTIME.
            set_timer: set_timer(fd, when, notice_steps) arms one (see WallTimers).
        """
        self._epoll = select.epoll(flags=select.EPOLL_CLOEXEC)
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._timer_fd = timer_fd
        self._wall_fd = wall_fd
        for fd in (timer_fd, wall_fd):
            self._epoll.register(fd, select.EPOLLIN | select.EPOLLET)
        self.timers = Timers(_core.monotonic, lambda when: set_timer(timer_fd, when, False))
        self.wall_timers = WallTimers(wall_fd, set_timer)

    @property
    def epoll_fd(self) -> int:
        return self._epoll.fileno()

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """Call callback(revents) once when the host descriptor fd has one of `events` (one shot).

        Regular files are always ready and can't be watched: OSError(EPERM).
        """
        events |= select.EPOLLONESHOT
        if fd in self._callbacks:
            self._epoll.modify(fd, events)
        else:
            try:
                self._epoll.register(fd, events)
            except FileExistsError:
                self._epoll.modify(fd, events)
        self._callbacks[fd] = callback

    def forget(self, fd: int) -> None:
        """Stop watching fd (call before it is closed)."""
        if self._callbacks.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def poll(self) -> None:
        """Run the callbacks of what is ready now, and the timers that are due."""
        for fd, events in self._epoll.poll(0):
            if fd == self._timer_fd:
                continue
            if fd == self._wall_fd:
                self.wall_timers.look_for_steps()
                self.wall_timers.run()
                continue
            callback = self._callbacks.get(fd)
            if callback is not None:
                try:
                    callback(events)
                except Exception:  # noqa: BLE001  # the border: the others' events come only once
                    self.timers.on_bug()
        self.timers.run()
