"""The names of UNIX sockets: pathnames, abstract names, and who is bound to which (unix(7), "Address
format").

A name is what follows sun_family: b"" unnamed, b"/path\\0" in the file system, b"\\0name" abstract.
"""

from __future__ import annotations

import errno

from sentry.abi.fcntl import AT_FDCWD
from sentry.abi.landlock import SCOPE_ABSTRACT_UNIX_SOCKET
from sentry.abi.socket import AF_UNIX, FAMILY, UNIX_ADDRESS_MAX
from sentry.abi.stat import ACCESS_WRITE, S_IFMT, S_IFSOCK
from sentry.errors import Errno
from sentry.vfs import landlock
from sentry.vfs.idmap import acting
from sentry.vfs.namei import walk, walk_parent
from sentry.vfs.namespace import bind_socket, unlink
from sentry.vfs.permissions import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.namespaces.namespaces import NetNamespace
    from sentry.kernel.task import Task
    from sentry.socket.unix_endpoint import Endpoint
    from sentry.vfs.inode import Inode

_AUTOBIND_NAMES = 1 << 20  # b"\0" and five hexadecimal digits

# What must hold: an endpoint is here, or in the `names` of its network namespace (abstract names, apart for
# each socket type), exactly while it is open and has a name.
_by_inode: dict[Inode, Endpoint] = {}
_next_autobind = 0


def parse(address: bytes) -> bytes:
    """The name in a raw sockaddr_un; b"" when there is the family alone.  Raises Errno(EINVAL)."""
    if not FAMILY.size <= len(address) <= UNIX_ADDRESS_MAX or FAMILY.unpack_from(address)[0] != AF_UNIX:
        raise Errno(errno.EINVAL)
    name = address[FAMILY.size :]
    if name[:1] == b"\0" or not name:
        return name
    return name.split(b"\0", 1)[0] + b"\0"


def pack(name: bytes) -> bytes:
    """The raw sockaddr_un that getsockname(2) tells."""
    return FAMILY.pack(AF_UNIX) + name


def bind(task: Task, endpoint: Endpoint, name: bytes) -> None:
    """Give the endpoint a name.  Raises Errno: EADDRINUSE, EINVAL (it has one), and what walks raise.

    An endpoint that has a name keeps it when it is asked to find one itself (b"").
    """
    if not name:
        if not endpoint.name:
            autobind(endpoint)
    elif name[:1] == b"\0":
        if endpoint.name:
            raise Errno(errno.EINVAL)
        key = (endpoint.type, name)
        if key in endpoint.net.names:
            raise Errno(errno.EADDRINUSE)
        endpoint.net.names[key] = endpoint
        endpoint.name = name
    else:
        parent, last = walk_parent(task, AT_FDCWD, name[:-1])
        try:
            path = bind_socket(task, parent, last, 0o777)
        except Errno as error:
            raise Errno(errno.EADDRINUSE if error.code == errno.EEXIST else error.code) from None
        if endpoint.name:  # Linux, too, makes the file first: EADDRINUSE comes before
            unlink(task, parent, last)
            raise Errno(errno.EINVAL)
        _by_inode[path.inode] = endpoint
        endpoint.path = path
        endpoint.name = name


def autobind(endpoint: Endpoint) -> None:
    """Give the endpoint a free abstract name.  Raises Errno(ENOSPC)."""
    global _next_autobind
    for _ in range(_AUTOBIND_NAMES):
        name = b"\0%05x" % _next_autobind
        _next_autobind = (_next_autobind + 1) % _AUTOBIND_NAMES
        if (endpoint.type, name) not in endpoint.net.names:
            endpoint.net.names[endpoint.type, name] = endpoint
            endpoint.name = name
            return
    raise Errno(errno.ENOSPC)


def unbind(endpoint: Endpoint) -> None:
    """The endpoint is closed: its name leads nowhere (a socket file stays)."""
    if endpoint.path is not None:
        inode = endpoint.path.inode
        if _by_inode.get(inode) is endpoint:
            del _by_inode[inode]
        endpoint.path = None
    elif endpoint.net.names.get((endpoint.type, endpoint.name)) is endpoint:
        del endpoint.net.names[endpoint.type, endpoint.name]


def find(task: Task, name: bytes, type: int, net: NetNamespace) -> Endpoint:
    """The endpoint bound to `name`, an abstract one in `net`.

    Raises Errno: ECONNREFUSED (nobody listens), EPROTOTYPE (another type of socket), EINVAL (no name), EACCES
    (no write permission for the socket file), and what walks raise.
    """
    if not name:
        raise Errno(errno.EINVAL)
    if name[:1] == b"\0":
        found: Endpoint | None = net.names.get((type, name))
        scope = SCOPE_ABSTRACT_UNIX_SOCKET
        if found is not None and not landlock.may_reach(task.creds, found.domain, scope):
            raise Errno(errno.EPERM)
    else:
        path = walk(task, AT_FDCWD, name[:-1])
        inode = path.inode
        check(acting(task, path.mount), inode, ACCESS_WRITE)
        if inode.mode & S_IFMT != S_IFSOCK:
            raise Errno(errno.ECONNREFUSED)
        found = _by_inode.get(inode)
        if found is not None and found.type != type:
            raise Errno(errno.EPROTOTYPE)
    if found is None:
        raise Errno(errno.ECONNREFUSED)
    return found
