"""NETLINK_SOCK_DIAG: what sockets there are in a network namespace (sock_diag(7)); AF_UNIX alone."""

from __future__ import annotations

from errno import EINVAL, ENOENT, ESTALE

from sentry.abi.netlink import NLM_F_DUMP
from sentry.abi.sock_diag import (
    NO_COOKIE,
    SOCK_DIAG_BY_FAMILY,
    TCP_CLOSE,
    TCP_ESTABLISHED,
    TCP_LISTEN,
    UDIAG_SHOW_ICONS,
    UDIAG_SHOW_MEMINFO,
    UDIAG_SHOW_NAME,
    UDIAG_SHOW_PEER,
    UDIAG_SHOW_RQLEN,
    UDIAG_SHOW_UID,
    UDIAG_SHOW_VFS,
    UNIX_DIAG_ICONS,
    UNIX_DIAG_MEMINFO,
    UNIX_DIAG_MSG,
    UNIX_DIAG_NAME,
    UNIX_DIAG_PAIR,
    UNIX_DIAG_PEER,
    UNIX_DIAG_REQ,
    UNIX_DIAG_RQLEN,
    UNIX_DIAG_SHUTDOWN,
    UNIX_DIAG_UID,
    UNIX_DIAG_VFS,
)
from sentry.abi.socket import AF_UNIX
from sentry.abi.stat import major, minor
from sentry.errors import Errno
from sentry.socket.netlink_message import attribute
from sentry.socket.options import MEMINFO
from sentry.socket.unix import UnixSocket
from sentry.socket.unix_endpoint import CONNECTED, LISTENING
from sentry.socket.unix_stream import StreamEndpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.namespaces.namespaces import NetNamespace
    from sentry.kernel.task import Task
    from sentry.socket.unix_endpoint import Endpoint

_FAMILIES = 46  # AF_MAX
_STATES = {LISTENING: TCP_LISTEN, CONNECTED: TCP_ESTABLISHED}


def request(task: Task, net: NetNamespace, kind: int, flags: int, body: bytes) -> list[tuple[int, bytes]]:
    """The answer to one message: (type, body) each.

    Raises Errno: EINVAL, ENOENT (another family; no such socket), ESTALE (another one has its number now).
    """
    if kind != SOCK_DIAG_BY_FAMILY or len(body) < 2 or body[0] >= _FAMILIES:
        raise Errno(EINVAL)
    if body[0] != AF_UNIX:
        raise Errno(ENOENT)
    if len(body) < UNIX_DIAG_REQ.size:
        raise Errno(EINVAL)
    _, _, _, states, number, show, cookie = UNIX_DIAG_REQ.unpack_from(body)
    if flags & NLM_F_DUMP:
        sockets = [_socket(known()) for known in net.unix.values()]
        return [
            (SOCK_DIAG_BY_FAMILY, _describe(task, socket, show))
            for socket in sockets
            if socket is not None and states >> _state(socket.endpoint) & 1
        ]
    if not number:
        raise Errno(EINVAL)
    found = net.unix.get(number)
    socket = _socket(found() if found is not None else None)
    if socket is None:
        raise Errno(ENOENT)
    if cookie not in (NO_COOKIE, _cookie(socket)):
        raise Errno(ESTALE)
    return [(SOCK_DIAG_BY_FAMILY, _describe(task, socket, show))]


def _socket(endpoint: Endpoint | None) -> UnixSocket | None:
    """The open file in front of it; None before it is accepted."""
    file = endpoint.file() if endpoint is not None and endpoint.file is not None else None
    return file if isinstance(file, UnixSocket) else None


def _number(endpoint: Endpoint | None) -> int:
    """A socket's inode number; 0: it has none."""
    socket = _socket(endpoint)
    return socket.inode.ino if socket is not None and socket.inode is not None else 0


def _cookie(socket: UnixSocket) -> int:
    return _number(socket.endpoint)  # inode numbers are not used again


def _state(endpoint: Endpoint) -> int:
    return _STATES.get(endpoint.state, TCP_CLOSE)


def _describe(task: Task, socket: UnixSocket, show: int) -> bytes:
    endpoint = socket.endpoint
    number = _number(endpoint)
    text = UNIX_DIAG_MSG.pack(AF_UNIX, endpoint.type, _state(endpoint), 0, number, _cookie(socket))
    if show & UDIAG_SHOW_NAME and endpoint.name:
        text += attribute(UNIX_DIAG_NAME, endpoint.name)
    if show & UDIAG_SHOW_VFS and endpoint.path is not None:
        inode = endpoint.path.inode
        device = major(inode.dev) << 20 | minor(inode.dev)
        text += attribute(UNIX_DIAG_VFS, UNIX_DIAG_PAIR.pack(inode.ino & 0xFFFFFFFF, device & 0xFFFFFFFF))
    if show & UDIAG_SHOW_PEER and endpoint.peer is not None:
        text += attribute(UNIX_DIAG_PEER, _number(endpoint.peer).to_bytes(4, "little"))
    listener = endpoint if isinstance(endpoint, StreamEndpoint) and endpoint.state == LISTENING else None
    if show & UDIAG_SHOW_ICONS and listener is not None:
        waiting = [_number(server.peer).to_bytes(4, "little") for server in listener.backlog]
        text += attribute(UNIX_DIAG_ICONS, b"".join(waiting))
    _received, sent = socket.memory()
    if show & UDIAG_SHOW_RQLEN:
        lengths = (socket.unread(), sent) if listener is None else (len(listener.backlog), listener.limit)
        text += attribute(UNIX_DIAG_RQLEN, UNIX_DIAG_PAIR.pack(*lengths))
    if show & UDIAG_SHOW_MEMINFO:
        limits = endpoint.options
        # The sender is charged, not the receiver.
        text += attribute(UNIX_DIAG_MEMINFO, MEMINFO.pack(0, limits.rcvbuf, sent, limits.sndbuf))
    text += attribute(UNIX_DIAG_SHUTDOWN, bytes((endpoint.shut,)))
    if show & UDIAG_SHOW_UID and socket.inode is not None:
        text += attribute(UNIX_DIAG_UID, task.creds.user_ns.show_uid(socket.inode.uid).to_bytes(4, "little"))
    return text
