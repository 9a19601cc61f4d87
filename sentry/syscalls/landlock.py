"""landlock_create_ruleset, landlock_add_rule, landlock_restrict_self."""

from errno import E2BIG, EBADF, EBADFD, EINVAL, ENOMSG, EPERM

from sentry.abi.capability import CAP_SYS_ADMIN
from sentry.abi.fcntl import O_PATH
from sentry.abi.landlock import (
    ABI,
    CREATE_ERRATA,
    CREATE_VERSION,
    ERRATA,
    FS_KNOWN,
    FS_OF_FILES,
    NET_KNOWN,
    NET_PORT_ATTR,
    PATH_BENEATH_ATTR,
    RESTRICT_LOG_KNOWN,
    RESTRICT_LOG_SUBDOMAINS_OFF,
    RULE_NET_PORT,
    RULE_PATH_BENEATH,
    RULESET_ATTR,
    RULESET_ATTR_MIN,
    SCOPE_KNOWN,
)
from sentry.errors import Errno
from sentry.syscalls.args import Fd, Ptr, Size, UInt
from sentry.syscalls.structs import copy_in_struct
from sentry.vfs.landlock import LAYERS_MAX, RULES_MAX, Layer, Ruleset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task


def landlock_create_ruleset(task: "Task", attr: Ptr, size: Size, flags: UInt) -> int:
    if flags:
        if attr or size or flags not in (CREATE_VERSION, CREATE_ERRATA):
            raise Errno(EINVAL)
        return ABI if flags == CREATE_VERSION else ERRATA
    fs, net, scoped = copy_in_struct(task, RULESET_ATTR, attr, size, RULESET_ATTR_MIN)
    if fs & ~FS_KNOWN or net & ~NET_KNOWN or scoped & ~SCOPE_KNOWN:
        raise Errno(EINVAL)
    if not fs | net | scoped:
        raise Errno(ENOMSG)
    return task.files.install(Ruleset(fs, net, scoped), True)


def _ruleset(task: "Task", fd: int) -> Layer:
    file = task.files.get(fd)
    if file.flags & O_PATH:
        raise Errno(EBADF)
    if not isinstance(file, Ruleset):
        raise Errno(EBADFD)
    return file.state


def landlock_add_rule(task: "Task", fd: Fd, kind: UInt, attr: Ptr, flags: UInt) -> int:
    if flags:
        raise Errno(EINVAL)
    layer = _ruleset(task, fd)
    if kind == RULE_PATH_BENEATH:
        _add_path(task, layer, *PATH_BENEATH_ATTR.unpack(task.copy_in(attr, PATH_BENEATH_ATTR.size)))
    elif kind == RULE_NET_PORT:
        _add_port(layer, *NET_PORT_ATTR.unpack(task.copy_in(attr, NET_PORT_ATTR.size)))
    else:
        raise Errno(EINVAL)
    return 0


def _add_path(task: "Task", layer: Layer, allowed: int, fd: int) -> None:
    if not allowed:
        raise Errno(ENOMSG)
    if allowed & ~layer.asked:
        raise Errno(EINVAL)
    path = task.files.get(fd).path
    if path is None or path.mount.fs.anonymous:
        raise Errno(EBADFD)
    inode = path.inode
    if not inode.is_dir() and allowed & ~FS_OF_FILES:
        raise Errno(EINVAL)
    if inode not in layer.files:
        if len(layer.files) >= RULES_MAX:
            raise Errno(E2BIG)
        layer.count(1)
        layer.paths.append(path)
    layer.files[inode] = layer.files.get(inode, 0) | allowed


def _add_port(layer: Layer, allowed: int, port: int) -> None:
    if not allowed:
        raise Errno(ENOMSG)
    if allowed & ~layer.net or port > 0xFFFF:
        raise Errno(EINVAL)
    if port not in layer.ports:
        layer.count(1)
    layer.ports[port] = layer.ports.get(port, 0) | allowed


def landlock_restrict_self(task: "Task", fd: Fd, flags: UInt) -> int:
    creds = task.creds
    if not creds.no_new_privs and not creds.has_cap(CAP_SYS_ADMIN, creds.user_ns):
        raise Errno(EPERM)
    if flags & ~RESTRICT_LOG_KNOWN:  # what is denied is logged nowhere anyway
        raise Errno(EINVAL)
    if fd == -1 and flags == RESTRICT_LOG_SUBDOMAINS_OFF:
        return 0
    if fd < 0:
        raise Errno(EBADF)
    layer = _ruleset(task, fd)
    if len(creds.landlock) >= LAYERS_MAX:
        raise Errno(E2BIG)
    new = creds.copy()
    new.landlock = (*creds.landlock, layer.copy())
    new.restricted = True
    task.creds = new
    return 0
