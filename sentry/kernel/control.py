"""Signals from the command line: one byte each, the signal's number, on Config.control_fd.

They go to init as if from the parent PID namespace, with one difference: Linux drops what would terminate a
container's init by default, SIGKILL aside; here it terminates, because whoever interrupts the command wants
it to end. Where the sandbox has a terminal, what is typed at the command's own terminal is for the
foreground process group.
"""

from __future__ import annotations

import os
import select

from sentry.abi.signal import NSIG, SIGINT, SIGQUIT, SIGTSTP, SIGWINCH
from sentry.kernel.signals import signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.kernel import Kernel

_TYPED = (SIGINT, SIGQUIT, SIGTSTP, SIGWINCH)
_MOST = 256  # bytes at once


def listen(kernel: Kernel, fd: int) -> None:
    """Pass on what arrives at `fd`, a non-blocking pipe, until its other end is closed."""

    def receive(events: int) -> None:
        try:
            data = os.read(fd, _MOST)
        except BlockingIOError:
            data = None
        for signo in data or b"":
            deliver(kernel, signo)
        if data != b"":
            kernel.reactor.watch(fd, select.EPOLLIN, receive)
        else:
            kernel.reactor.forget(fd)

    kernel.reactor.watch(fd, select.EPOLLIN, receive)


def deliver(kernel: Kernel, signo: int) -> None:
    """Send `signo` into the sandbox from outside."""
    init = kernel.init
    if init is None or not 1 <= signo <= NSIG:
        return
    tty = init.session.tty
    if tty is not None and signo in _TYPED:
        members = tty.foreground.members.copy() if tty.foreground is not None else ()
        for group in members:
            # A stopped init would be of no use: nobody inside could continue it.
            signals.send_group(group, signo, force=group is init and signo != SIGTSTP)
    else:
        signals.send_group(init, signo, force=True)
