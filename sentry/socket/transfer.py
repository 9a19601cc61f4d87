"""Sending and receiving on any socket: what waits, for how long, and what a partial transfer answers.

`receive` and `send` return their answer, or a coroutine of it when they must wait.
"""

from __future__ import annotations

import errno

from sentry import _core
from sentry.abi.fcntl import O_NONBLOCK
from sentry.abi.restart import ERESTARTSYS
from sentry.abi.socket import MSG_DONTWAIT, MSG_NOSIGNAL, MSG_OOB, MSG_PEEK, MSG_WAITALL, SOCK_STREAM
from sentry.errors import Errno
from sentry.kernel.wait import TIMED_OUT, block
from sentry.socket.base import Received

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from sentry.kernel.task import Task
    from sentry.kernel.wait import _Marker
    from sentry.socket.base import Outgoing, Socket

    Attempt = Callable[[], Any]


def is_nonblocking(socket: Socket, flags: int) -> bool:
    return bool(flags & MSG_DONTWAIT or socket.flags & O_NONBLOCK)


async def wait(task: Task, socket: Socket, attempt: Attempt, timeout: int | None) -> Any:
    """`attempt` until it has an answer.  Raises Errno: EAGAIN after `timeout` ns, EINTR instead of a restart
    when there is a time-out (signal(7)), and what the attempt raises."""
    deadline = None if timeout is None else _core.monotonic() + timeout
    restart = ERESTARTSYS if timeout is None else errno.EINTR
    answer = await block(task, attempt, socket.queue, deadline=deadline, restart=restart)
    if answer is TIMED_OUT:
        raise Errno(errno.EAGAIN)
    return answer


def send(task: Task, socket: Socket, outgoing: Outgoing, flags: int) -> int | Coroutine[None, None, Any]:
    """Send everything, or as much as goes without waiting where that was asked for; the count."""
    outgoing.urgent = bool(flags & MSG_OOB)
    signal = not flags & MSG_NOSIGNAL
    done = socket.send_or_signal(task, outgoing, signal)
    if is_nonblocking(socket, flags):
        if isinstance(done, int):
            return done
        raise Errno(errno.EAGAIN)
    if isinstance(done, int):
        if done == len(outgoing.data):
            return done
        outgoing.data = memoryview(outgoing.data)[done:]
    else:
        done = 0
    return _send_rest(task, socket, outgoing, signal, done)


async def _send_rest(task: Task, socket: Socket, outgoing: Outgoing, signal: bool, done: int) -> int:
    def attempt() -> int | _Marker:
        return socket.send_or_signal(task, outgoing, signal)

    try:
        while True:
            count = await wait(task, socket, attempt, socket.options.send_timeout)
            done += count
            if count == len(outgoing.data):
                return done
            outgoing.data = memoryview(outgoing.data)[count:]
    except Errno:
        if done:
            return done
        raise


def receive(task: Task, socket: Socket, count: int, flags: int) -> Received | Coroutine[None, None, Any]:
    """Receive something, or with MSG_WAITALL on a stream all of `count` bytes."""
    nonblocking = is_nonblocking(socket, flags)
    received = socket.receive(task, count, flags | MSG_DONTWAIT if nonblocking else flags)
    if isinstance(received, Received):
        whole = socket.type != SOCK_STREAM or not flags & MSG_WAITALL or flags & (MSG_PEEK | MSG_OOB)
        whole = whole or received.final
        if whole or nonblocking or not received.data or len(received.data) == count or received.rights:
            return received
        return _receive_rest(task, socket, count, flags, received)
    if nonblocking:
        raise Errno(errno.EAGAIN)
    return _receive_rest(task, socket, count, flags, None)


async def _receive_rest(
    task: Task, socket: Socket, count: int, flags: int, first: Received | None
) -> Received:
    timeout = socket.options.receive_timeout
    if first is None:
        first = await wait(task, socket, lambda: socket.receive(task, count, flags), timeout)
        assert first is not None
        if socket.type != SOCK_STREAM or not flags & MSG_WAITALL or flags & MSG_PEEK:
            return first
    parts = [first.data]
    left = count - len(first.data)
    try:
        while left and parts[-1] and not first.rights and not first.final:
            more = await wait(task, socket, lambda: socket.receive(task, left, flags), timeout)  # noqa: B023
            parts.append(more.data)
            left -= len(more.data)
            first.rights += more.rights
            first.final = more.final
    except Errno:
        if not parts[0]:
            raise
    first.data = b"".join(parts)
    first.length = len(first.data)
    return first
