"""The ioctls about a pseudoterminal's attributes and queues (ioctl_tty(2)), from either end."""

from __future__ import annotations

from errno import EBUSY, EINVAL, EPERM

from sentry.abi.capability import CAP_SYS_ADMIN
from sentry.abi.ioctl import (
    TCFLSH,
    TCGETA,
    TCGETS,
    TCGETS2,
    TCSBRK,
    TCSBRKP,
    TCSETA,
    TCSETAF,
    TCSETAW,
    TCSETS,
    TCSETS2,
    TCSETSF,
    TCSETSF2,
    TCSETSW,
    TCSETSW2,
    TCXONC,
    TIOCCBRK,
    TIOCEXCL,
    TIOCGDEV,
    TIOCGETD,
    TIOCGEXCL,
    TIOCGLCKTRMIOS,
    TIOCGSOFTCAR,
    TIOCGWINSZ,
    TIOCNXCL,
    TIOCSBRK,
    TIOCSETD,
    TIOCSLCKTRMIOS,
    TIOCSSOFTCAR,
    TIOCSTI,
    TIOCSWINSZ,
    TIOCVHANGUP,
)
from sentry.abi.signal import SIGTTOU
from sentry.abi.termios import (
    CLOCAL,
    TCIFLUSH,
    TCIOFF,
    TCIOFLUSH,
    TCION,
    TCOFLUSH,
    TCOOFF,
    TCOON,
    TERMIO,
    TERMIOS,
    TERMIOS2,
    VSTART,
    VSTOP,
    WINSIZE,
    unpack,
)
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.tty.pty import Pty

# Request to the size of its structure; the ones that end in F throw input away first.
_SETS = {
    TCSETS: TERMIOS.size, TCSETSW: TERMIOS.size, TCSETSF: TERMIOS.size,
    TCSETS2: TERMIOS2.size, TCSETSW2: TERMIOS2.size, TCSETSF2: TERMIOS2.size,
    TCSETA: TERMIO.size, TCSETAW: TERMIO.size, TCSETAF: TERMIO.size,
}  # fmt: skip
_FLUSHING = (TCSETSF, TCSETSF2, TCSETAF)
_CHANGES = frozenset((*_SETS, TCSBRK, TCSBRKP, TIOCSBRK, TIOCCBRK, TCXONC, TCFLSH, TIOCSETD))
N_TTY = 0


def attribute_ioctl(pty: Pty, task: Task, request: int, arg: int, master: bool) -> bool:
    """Answer one of the attribute requests; False when `request` is none of them."""
    if request in _CHANGES and not master:
        pty.check_background(task, SIGTTOU)
    termios = pty.line.termios
    if request == TCGETS:
        task.copy_out(arg, termios.pack())
    elif request == TCGETS2:
        task.copy_out(arg, termios.pack2())
    elif request == TCGETA:
        task.copy_out(arg, termios.pack_old())
    elif request in _SETS:
        data = task.copy_in(arg, _SETS[request])
        new = termios.with_old(data) if len(data) == TERMIO.size else unpack(data, termios)
        if request in _FLUSHING:
            pty.flush_input()
        pty.configure(new)  # output needs no draining: it is at the master already
    elif request == TIOCGLCKTRMIOS:
        task.copy_out(arg, pty.termios_lock.pack())
    elif request == TIOCSLCKTRMIOS:
        _lock(pty, task, arg)
    elif request == TIOCGWINSZ:
        task.copy_out(arg, pty.winsize)
    elif request == TIOCSWINSZ:
        pty.resize(task.copy_in(arg, WINSIZE.size))
    elif request == TCFLSH:
        _flush(pty, arg, master)
    elif request == TCXONC:
        _flow(pty, arg)
    elif request in (TCSBRK, TCSBRKP, TIOCSBRK, TIOCCBRK):
        pass  # a pty has no wire to break; tcdrain(3) is TCSBRK with 1
    elif request == TIOCGETD:
        task.write_u32(arg, N_TTY)
    elif request == TIOCSETD:
        if task.read_u32(arg) != N_TTY:
            raise Errno(EINVAL)
    elif request in (TIOCEXCL, TIOCNXCL):
        if not master:  # what nobody can open again needs no keeping to oneself
            pty.exclusive = request == TIOCEXCL
    elif request == TIOCGEXCL:
        task.write_u32(arg, pty.exclusive and not master)
    elif request == TIOCGDEV:
        task.write_u32(arg, pty.number)
    elif request == TIOCGSOFTCAR:
        task.write_u32(arg, bool(termios.cflag & CLOCAL))
    elif request == TIOCSSOFTCAR:
        on = CLOCAL if task.read_u32(arg) else 0
        cflag = termios.cflag & ~CLOCAL | on
        pty.configure(unpack(TERMIOS.pack(
            termios.iflag, termios.oflag, cflag, termios.lflag, termios.line, termios.cc
        ), termios))  # fmt: skip
    elif request == TIOCVHANGUP and not master:
        if not task.creds.has_cap(CAP_SYS_ADMIN):
            raise Errno(EPERM)
        pty.hang_up()
    elif request == TIOCSTI:
        _pretend_typed(pty, task, arg)
    else:
        return False
    return True


def _lock(pty: Pty, task: Task, arg: int) -> None:
    if not task.creds.has_cap(CAP_SYS_ADMIN):
        raise Errno(EPERM)
    pty.termios_lock = unpack(task.copy_in(arg, TERMIOS.size))


def _flush(pty: Pty, which: int, master: bool) -> None:
    if which not in (TCIFLUSH, TCOFLUSH, TCIOFLUSH):
        raise Errno(EINVAL)
    if which != TCOFLUSH:
        pty.forget_output() if master else pty.flush_input()
    if which != TCIFLUSH:
        pty.forget_typed() if master else pty.flush_output()


def _flow(pty: Pty, action: int) -> None:
    if action in (TCOOFF, TCOON):
        pty.stop(action == TCOOFF)
    elif action in (TCIOFF, TCION):
        char = pty.line.termios.cc[VSTOP if action == TCIOFF else VSTART]
        if char:
            pty.output.append(char)
            pty.show(b"")
    else:
        raise Errno(EINVAL)


def _pretend_typed(pty: Pty, task: Task, arg: int) -> None:
    if not pty.is_controlling(task) and not task.creds.has_cap(CAP_SYS_ADMIN):
        raise Errno(EPERM)
    pty.type(task.copy_in(arg, 1))


def check_exclusive(pty: Pty, task: Task) -> None:
    """EBUSY when TIOCEXCL keeps others from opening the terminal."""
    if pty.exclusive and not task.creds.has_cap(CAP_SYS_ADMIN):
        raise Errno(EBUSY)
