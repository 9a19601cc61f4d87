"""Control messages: the ancillary data of sendmsg and recvmsg (cmsg(3), unix(7))."""

from __future__ import annotations

import errno

from sentry.abi.capability import CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN
from sentry.abi.socket import (
    CMSGHDR,
    MSG_CTRUNC,
    SCM_CREDENTIALS,
    SCM_MAX_FD,
    SCM_PIDFD,
    SCM_RIGHTS,
    SO_INQ,
    SO_PASSPIDFD,
    SOL_SOCKET,
    UCRED,
)
from sentry.errors import Errno
from sentry.kernel.pidfd import PidFile
from sentry.socket.options import INT
from sentry.socket.rights import Rights

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.socket.base import Credentials, Received
    from sentry.socket.options import Options
    from sentry.vfs.file import File

_HEADER = CMSGHDR.size
_NO_ID = 0xFFFFFFFF


def parse(task: Task, control: bytes) -> tuple[Rights | None, Credentials | None]:
    """What sendmsg(2) is to send along.  Raises Errno: EINVAL, EBADF, EPERM, ESRCH, ETOOMANYREFS."""
    files: list[File] = []
    creds: Credentials | None = None
    at = 0
    while len(control) - at >= _HEADER:
        length, level, kind = CMSGHDR.unpack_from(control, at)
        if not _HEADER <= length <= len(control) - at:
            raise Errno(errno.EINVAL)
        body = control[at + _HEADER : at + length]
        at += (length + 7) & ~7
        if level != SOL_SOCKET:
            continue
        if kind == SCM_RIGHTS:
            files += _files(task, body)
            if len(files) > SCM_MAX_FD:
                raise Errno(errno.EINVAL)
        elif kind == SCM_CREDENTIALS:
            creds = _credentials(task, body)
        else:
            raise Errno(errno.EINVAL)
    return (Rights(task, files) if files else None), creds


def _files(task: Task, body: bytes) -> list[File]:
    count = len(body) // 4
    if count > SCM_MAX_FD:
        raise Errno(errno.EINVAL)
    files = []
    for index in range(count):
        file = task.files.get(int.from_bytes(body[4 * index : 4 * index + 4], "little", signed=True))
        files.append(file)
    return files


def _credentials(task: Task, body: bytes) -> Credentials:
    """The credentials that the sender claims, which must be its own unless it is privileged."""
    if len(body) != UCRED.size:
        raise Errno(errno.EINVAL)
    number, uid, gid = UCRED.unpack(body)
    creds, pid_ns = task.creds, task.group.pid_ns
    ns = creds.user_ns
    pid, uid, gid = pid_ns.pid(number), ns.kuid(uid), ns.kgid(gid)
    if uid < 0 or gid < 0:
        raise Errno(errno.EINVAL)
    if pid != task.group.tgid and not creds.has_cap(CAP_SYS_ADMIN, pid_ns.owner):
        raise Errno(errno.EPERM)
    if uid not in (creds.uid, creds.euid, creds.suid) and not creds.has_cap(CAP_SETUID, ns):
        raise Errno(errno.EPERM)
    if gid not in (creds.gid, creds.egid, creds.sgid) and not creds.has_cap(CAP_SETGID, ns):
        raise Errno(errno.EPERM)
    if pid not in task.kernel.groups:
        raise Errno(errno.ESRCH)
    return pid, uid, gid


def seen_by(task: Task, creds: Credentials) -> Credentials:
    """Credentials as a task is told them: by its PID and user namespaces; ids that are not set stay -1."""
    pid, uid, gid = creds
    ns = task.creds.user_ns
    return (
        task.number(pid),
        uid if uid == _NO_ID else ns.show_uid(uid),
        gid if gid == _NO_ID else ns.show_gid(gid),
    )


def deliver(
    task: Task, received: Received, room: int, cloexec: bool, options: Options, unread: int
) -> tuple[bytes, int]:
    """The control data for recvmsg(2), at most `room` bytes, and MSG_CTRUNC if something had to go.

    `unread` is what SO_INQ asks for: the bytes that are left.

    Files are installed in the task's table.
    """
    out = bytearray()
    flags = 0
    for level, kind, body in received.control:
        flags |= _put(out, room, kind, body, level)
    if options.passcred:
        creds = (0, 0xFFFE, 0xFFFE)  # sent before anybody asked: the overflow ids
        if received.creds is not None:
            creds = seen_by(task, received.creds)
        flags |= _put(out, room, SCM_CREDENTIALS, UCRED.pack(*creds))
    if received.rights:
        fds = bytearray()
        for file in received.rights[: max(room - len(out) - _HEADER, 0) // 4]:
            try:
                fds += task.files.install(file, cloexec).to_bytes(4, "little")
            except Errno:
                break
        if fds:
            flags |= _put(out, room, SCM_RIGHTS, bytes(fds))
        if len(fds) < 4 * len(received.rights):
            flags |= MSG_CTRUNC
    if SO_PASSPIDFD in options.switches:
        flags |= _put_pidfd(task, out, room, received.creds)
    if SO_INQ in options.switches:
        flags |= _put(out, room, SO_INQ, INT.pack(unread))
    return bytes(out), flags


def _put_pidfd(task: Task, out: bytearray, room: int, creds: Credentials | None) -> int:
    """A descriptor of the sending process, or why there is none (SO_PASSPIDFD)."""
    process = task.kernel.groups.get(creds[0]) if creds is not None else None
    if room - len(out) < _HEADER + 4:
        return _put(out, room, SCM_PIDFD, bytes(4))
    number = -errno.ESRCH
    if process is not None:
        try:
            number = task.files.install(PidFile(process), True)
        except Errno as error:
            number = -error.code
    return _put(out, room, SCM_PIDFD, number.to_bytes(4, "little", signed=True))


def _put(out: bytearray, room: int, kind: int, body: bytes, level: int = SOL_SOCKET) -> int:
    """Append one control message, cut at `room`; MSG_CTRUNC when it was."""
    left = room - len(out)
    if left < _HEADER:
        return MSG_CTRUNC
    length = min(_HEADER + len(body), left)
    out += CMSGHDR.pack(length, level, kind) + body[: length - _HEADER]
    out += bytes(min(-length % 8, room - len(out)))
    return MSG_CTRUNC if length < _HEADER + len(body) else 0
