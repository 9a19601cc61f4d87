"""A terminal as sessions see it: controlling terminal, foreground process group, job control (credentials(7),
ioctl_tty(2), POSIX chapter 11).  What it reads and writes is its subclasses' business.

What must hold: terminal.session is None or terminal.session.tty is terminal.
"""

from __future__ import annotations

from errno import EINVAL, EIO, ENOTTY, EPERM, ESRCH

from sentry import _core
from sentry.abi.capability import CAP_SYS_ADMIN
from sentry.abi.ioctl import TIOCGPGRP, TIOCGSID, TIOCNOTTY, TIOCSCTTY, TIOCSPGRP
from sentry.abi.restart import ERESTARTSYS
from sentry.abi.signal import SI_KERNEL, SIG_IGN, SIGCONT, SIGHUP, SIGTTIN, SIGTTOU
from sentry.errors import Errno
from sentry.kernel.sessions import ProcessGroup
from sentry.kernel.signals import signals
from sentry.kernel.signals.siginfo import SigInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.sessions import Session
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup
    from sentry.vfs.file import File
    from sentry.vfs.inode import Inode
    from sentry.vfs.path import Path


class Terminal:
    """The base of all terminals; `number` is the device number that /proc/PID/stat shows."""

    number = 0

    def __init__(self) -> None:
        self.session: Session | None = None
        self.foreground: ProcessGroup | None = None
        self.hangups = 0  # files that were opened before the last one are dead
        self.exclusive = False  # TIOCEXCL
        self.queue = _core.WaitQueue()

    # What subclasses do

    def open(self, task: Task, inode: Inode, path: Path, flags: int) -> File:
        """One more open file description of the terminal; EIO when there is nothing at its other end."""
        raise Errno(EIO)

    def hang_up(self) -> None:
        """End all use of the terminal through the files that are open now; `disown` is part of it."""
        raise NotImplementedError

    # Sessions

    def is_controlling(self, task: Task) -> bool:
        """Whether this is the task's controlling terminal."""
        return self.session is not None and self.session is task.group.session

    def acquire(self, group: ThreadGroup) -> None:
        """Become the controlling terminal of the group's session, with the group's process group in front."""
        self.session = group.session
        self.session.tty = self
        self.foreground = group.process_group

    def may_acquire(self, task: Task) -> bool:
        """Whether opening the terminal makes it the controlling one (open(2), O_NOCTTY)."""
        session = task.group.session
        return session.leader is task.group and session.tty is None and self.session is None

    def disown(self) -> None:
        """Be nobody's controlling terminal any more."""
        if self.session is not None:
            self.session.tty = None
        self.session = None
        self.foreground = None

    def lose_session(self) -> None:
        """A hang-up: SIGHUP and SIGCONT to the session's leader, and the session has no terminal any more."""
        leader = self.session.leader if self.session is not None else None
        self.disown()
        if leader is not None:
            _send(leader, SIGHUP)
            _send(leader, SIGCONT)

    def leader_exited(self) -> None:
        """The session's leader is dying: SIGHUP to the foreground (_exit(2)).

        As in Linux a pseudoterminal is not hung up: who has it open may go on to use it.
        """
        foreground = self.foreground
        self.disown()
        if foreground is not None:
            _send_pgrp(foreground, SIGHUP)

    def signal_foreground(self, signo: int) -> None:
        """Send `signo` to the foreground process group: a typed interrupt, a change of size."""
        if self.foreground is not None:
            _send_pgrp(self.foreground, signo)

    def check_background(self, task: Task, signo: int) -> None:
        """Job control: a background process may not read (SIGTTIN), nor change the terminal (SIGTTOU).

        Raises Errno: EIO (the signal can't stop it), ERESTARTSYS (it was sent).  Processes that ignore or
        block SIGTTOU may go on.
        """
        group = task.group
        if not self.is_controlling(task) or self.foreground is None or group.process_group is self.foreground:
            return
        if task.sigmask >> signo - 1 & 1 or group.sighand[signo].handler == SIG_IGN:
            if signo == SIGTTIN:
                raise Errno(EIO)
            return
        if group.process_group.is_orphaned():
            raise Errno(EIO)
        _send_pgrp(group.process_group, signo)
        raise Errno(ERESTARTSYS)

    # The requests about sessions (ioctl_tty(2))

    def session_ioctl(self, task: Task, request: int, arg: int, readable: bool, master: bool = False) -> None:
        """Answer one of the session requests; ENOTTY when `request` is none of them.

        Args:
            readable: the descriptor is open for reading.
            master: it is the other end of a pseudoterminal, which need not be the caller's terminal.
        """
        if request == TIOCSCTTY:
            self._set_controlling(task, arg, readable)
        elif request == TIOCNOTTY:
            if not self.is_controlling(task):
                raise Errno(ENOTTY)
            self._give_up(task)
        elif request == TIOCGPGRP:
            if not master and not self.is_controlling(task):
                raise Errno(ENOTTY)
            task.write_u32(arg, task.number(self.foreground.pgid) if self.foreground is not None else 0)
        elif request == TIOCGSID:
            if self.session is None or not (master or self.is_controlling(task)):
                raise Errno(ENOTTY)
            task.write_u32(arg, task.number(self.session.sid))
        elif request == TIOCSPGRP:
            self._set_foreground(task, arg)
        else:
            raise Errno(ENOTTY)

    def _set_controlling(self, task: Task, steal: int, readable: bool) -> None:
        group = task.group
        session = group.session
        if session.leader is group and self.session is session:
            return
        if session.leader is not group or session.tty is not None:
            raise Errno(EPERM)
        admin = task.creds.has_cap(CAP_SYS_ADMIN)
        if self.session is not None:
            if steal != 1 or not admin:
                raise Errno(EPERM)
            self.disown()
        if not readable and not admin:
            raise Errno(EPERM)
        self.acquire(group)

    def _give_up(self, task: Task) -> None:
        # A process that leads no session only takes itself off the terminal, which changes nothing for the
        # session: we note nothing for it.
        if task.group.session.leader is not task.group:
            return
        foreground = self.foreground
        self.disown()
        if foreground is not None:
            _send_pgrp(foreground, SIGHUP)
            _send_pgrp(foreground, SIGCONT)

    def _set_foreground(self, task: Task, arg: int) -> None:
        try:
            self.check_background(task, SIGTTOU)
        except Errno as error:
            raise Errno(ENOTTY if error.code == EIO else error.code) from None
        pgid = task.read_u32(arg)
        if pgid & 0x80000000:
            raise Errno(EINVAL)
        if not self.is_controlling(task):
            raise Errno(ENOTTY)
        process_group = task.find_process_group(pgid)
        if process_group is None:  # Linux takes any process of the session, and then nobody is in front
            process = task.find_group(pgid)
            if process is None:
                raise Errno(ESRCH)
            process_group = ProcessGroup(process.tgid, process.session)
        if process_group.session is not task.group.session:
            raise Errno(EPERM)
        self.foreground = process_group


def _send(group: ThreadGroup, signo: int) -> None:
    signals.send_group(group, signo, SigInfo(signo, SI_KERNEL))


def _send_pgrp(process_group: ProcessGroup, signo: int) -> None:
    for group in process_group.members.copy():
        _send(group, signo)
