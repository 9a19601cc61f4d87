"""The mount calls that work on descriptors: open_tree, move_mount, fsopen, fsconfig, fsmount, fspick,
mount_setattr, open_tree_attr."""

from errno import E2BIG, EFAULT, EINVAL, EOPNOTSUPP

from sentry.abi.fcntl import AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW, O_PATH
from sentry.abi.mount import (
    AT_RECURSIVE,
    FSCONFIG_CMD_CREATE,
    FSCONFIG_CMD_CREATE_EXCL,
    FSCONFIG_CMD_RECONFIGURE,
    FSCONFIG_SET_BINARY,
    FSCONFIG_SET_FD,
    FSCONFIG_SET_FLAG,
    FSCONFIG_SET_PATH,
    FSCONFIG_SET_PATH_EMPTY,
    FSCONFIG_SET_STRING,
    FSMOUNT_CLOEXEC,
    FSOPEN_CLOEXEC,
    FSPICK_CLOEXEC,
    FSPICK_EMPTY_PATH,
    FSPICK_NO_AUTOMOUNT,
    FSPICK_SYMLINK_NOFOLLOW,
    MOUNT_ATTR,
    MOUNT_ATTR_FSMOUNT,
    MOVE_MOUNT_BENEATH,
    MOVE_MOUNT_F_EMPTY_PATH,
    MOVE_MOUNT_F_SYMLINKS,
    MOVE_MOUNT_KNOWN,
    MOVE_MOUNT_SET_GROUP,
    MOVE_MOUNT_T_EMPTY_PATH,
    MOVE_MOUNT_T_SYMLINKS,
    OPEN_TREE_CLOEXEC,
    OPEN_TREE_CLONE,
    attributes_to_flags,
)
from sentry.errors import Errno
from sentry.syscalls.args import Fd, Int, Path, Ptr, Size, UInt
from sentry.vfs.file import PathFile
from sentry.vfs.mounts import mount_sharing, mounting
from sentry.vfs.mounts.detached import DetachedTree
from sentry.vfs.mounts.file_systems import find_type
from sentry.vfs.mounts.mount import Mount
from sentry.vfs.mounts.mount_attributes import Change, atime_flags
from sentry.vfs.mounts.mount_config import AWAITING_RECONFIGURE, MountConfig, mountable
from sentry.vfs.mounts.mount_visibility import check_revealing
from sentry.vfs.namei import walk_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

_PAGE = 4096
_PARAMETER_MAX = 256  # bytes of a parameter's name or value, the NUL included
_BINARY_MAX = 1 << 20
_TREE_FLAGS = AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW
_OPEN_TREE_FLAGS = _TREE_FLAGS | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC
_FSPICK_FLAGS = FSPICK_CLOEXEC | FSPICK_SYMLINK_NOFOLLOW | FSPICK_NO_AUTOMOUNT | FSPICK_EMPTY_PATH


def _text(task: "Task", address: int, limit: int) -> bytes:
    """A string that must fit into `limit` bytes with its NUL; EFAULT, EINVAL."""
    data = task.copy_in_some(address, limit)
    end = data.find(b"\0")
    if end < 0:
        raise Errno(EINVAL if len(data) == limit else EFAULT)
    return data[:end]


def _opened(task: "Task", dirfd: int, name: bytes, flags: int) -> PathFile:
    if flags & ~_OPEN_TREE_FLAGS or flags & (AT_RECURSIVE | OPEN_TREE_CLONE) == AT_RECURSIVE:
        raise Errno(EINVAL)
    if flags & OPEN_TREE_CLONE:
        mounting.may_mount(task)
    place = walk_at(task, dirfd, name, flags, not flags & AT_SYMLINK_NOFOLLOW)
    if flags & OPEN_TREE_CLONE:
        return DetachedTree(task, mounting.copy_tree(task, place, bool(flags & AT_RECURSIVE)))
    file = PathFile(O_PATH, place)
    file.opener = task.creds
    return file


def open_tree(task: "Task", dirfd: Fd, name: Path, flags: UInt) -> int:
    return task.files.install(_opened(task, dirfd, name, flags), bool(flags & OPEN_TREE_CLOEXEC))


def open_tree_attr(task: "Task", dirfd: Fd, name: Path, flags: UInt, attributes: Ptr, size: Size) -> int:
    if not attributes and size:
        raise Errno(EINVAL)
    file = _opened(task, dirfd, name, flags)
    if attributes:
        change = _change(task, attributes, size, replaces=bool(flags & OPEN_TREE_CLONE))
        if change is not None:
            assert file.path is not None
            change.apply(task, file.path, bool(flags & AT_RECURSIVE))
    return task.files.install(file, bool(flags & OPEN_TREE_CLOEXEC))


def mount_setattr(task: "Task", dirfd: Fd, name: Path, flags: UInt, attributes: Ptr, size: Size) -> int:
    if flags & ~_TREE_FLAGS:
        raise Errno(EINVAL)
    change = _change(task, attributes, size)
    if change is not None:
        place = walk_at(task, dirfd, name, flags, not flags & AT_SYMLINK_NOFOLLOW)
        change.apply(task, place, bool(flags & AT_RECURSIVE))
    return 0


def _change(task: "Task", address: int, size: int, replaces: bool = False) -> Change | None:
    """struct mount_attr; None: it asks for nothing."""
    if size > _PAGE:
        raise Errno(E2BIG)
    if size < MOUNT_ATTR.size:
        raise Errno(EINVAL)
    mounting.may_mount(task)
    data = task.copy_in(address, size)
    if data[MOUNT_ATTR.size :].strip(b"\0"):
        raise Errno(E2BIG)
    attr_set, attr_clr, propagation, userns_fd = MOUNT_ATTR.unpack_from(data)
    if not attr_set | attr_clr | propagation:
        return None
    return Change(task, attr_set, attr_clr, propagation, userns_fd, replaces)


def move_mount(
    task: "Task", from_dirfd: Fd, from_name: Path, to_dirfd: Fd, to_name: Path, flags: UInt
) -> int:
    mounting.may_mount(task)
    both = MOVE_MOUNT_BENEATH | MOVE_MOUNT_SET_GROUP
    if flags & ~MOVE_MOUNT_KNOWN or flags & both == both:
        raise Errno(EINVAL)
    empty = AT_EMPTY_PATH if flags & MOVE_MOUNT_T_EMPTY_PATH else 0
    place = walk_at(task, to_dirfd, to_name, empty, bool(flags & MOVE_MOUNT_T_SYMLINKS))
    empty = AT_EMPTY_PATH if flags & MOVE_MOUNT_F_EMPTY_PATH else 0
    origin = walk_at(task, from_dirfd, from_name, empty, bool(flags & MOVE_MOUNT_F_SYMLINKS))
    if flags & MOVE_MOUNT_SET_GROUP:
        mount_sharing.set_group(task, origin, place)
    else:
        mounting.move(task, origin, place, bool(flags & MOVE_MOUNT_BENEATH))
    return 0


def fsopen(task: "Task", name: Ptr, flags: UInt) -> int:
    mounting.may_mount(task)
    if flags & ~FSOPEN_CLOEXEC:
        raise Errno(EINVAL)
    kind = find_type(_text(task, name, _PAGE))
    return task.files.install(MountConfig(kind, None), bool(flags & FSOPEN_CLOEXEC))


def fspick(task: "Task", dirfd: Fd, name: Path, flags: UInt) -> int:
    mounting.may_mount(task)
    if flags & ~_FSPICK_FLAGS:
        raise Errno(EINVAL)
    empty = AT_EMPTY_PATH if flags & FSPICK_EMPTY_PATH else 0
    place = walk_at(task, dirfd, name, empty, not flags & FSPICK_SYMLINK_NOFOLLOW)
    if not mounting.is_root(place):
        raise Errno(EINVAL)
    return task.files.install(MountConfig(None, place.mount.fs), bool(flags & FSPICK_CLOEXEC))


def _config(task: "Task", fd: int) -> MountConfig:
    file = task.files.get(fd)
    if not isinstance(file, MountConfig):
        raise Errno(EINVAL)
    return file


def fsconfig(task: "Task", fd: Fd, command: UInt, key: Ptr, value: Ptr, aux: Int) -> int:
    _check_arguments(fd, command, key, value, aux)
    config = _config(task, fd)
    name = _text(task, key, _PARAMETER_MAX) if key else b""
    if command == FSCONFIG_SET_FLAG:
        config.set(name, None)
    elif command == FSCONFIG_SET_STRING:
        config.set(name, _text(task, value, _PARAMETER_MAX))
    elif command == FSCONFIG_CMD_RECONFIGURE:
        config.reconfigure(task)
    elif command in (FSCONFIG_CMD_CREATE, FSCONFIG_CMD_CREATE_EXCL):
        config.create(task, command == FSCONFIG_CMD_CREATE_EXCL)
    else:
        _read_value(task, command, value, aux)
        config.set_other(name)
    return 0


def _check_arguments(fd: int, command: int, key: int, value: int, aux: int) -> None:
    if fd < 0:
        raise Errno(EINVAL)
    if command == FSCONFIG_SET_FLAG:
        right = bool(key and not value and not aux)
    elif command == FSCONFIG_SET_STRING:
        right = bool(key and value and not aux)
    elif command == FSCONFIG_SET_BINARY:
        right = bool(key and value and 0 < aux <= _BINARY_MAX)
    elif command in (FSCONFIG_SET_PATH, FSCONFIG_SET_PATH_EMPTY):
        right = bool(key and value and (aux == AT_FDCWD or aux >= 0))
    elif command == FSCONFIG_SET_FD:
        right = bool(key and not value and aux >= 0)
    elif command in (FSCONFIG_CMD_CREATE, FSCONFIG_CMD_RECONFIGURE, FSCONFIG_CMD_CREATE_EXCL):
        right = not key and not value and not aux
    else:
        raise Errno(EOPNOTSUPP)
    if not right:
        raise Errno(EINVAL)


def _read_value(task: "Task", command: int, value: int, aux: int) -> None:
    """A value that none of our file systems wants: only its errors count."""
    if command == FSCONFIG_SET_BINARY:
        task.copy_in(value, aux)
    elif command == FSCONFIG_SET_FD:
        task.files.get(aux)
    else:
        task.copy_in_str(value, _PAGE)


def fsmount(task: "Task", fd: Fd, flags: UInt, attributes: UInt) -> int:
    mounting.may_mount(task)
    if flags & ~FSMOUNT_CLOEXEC or attributes & ~MOUNT_ATTR_FSMOUNT:
        raise Errno(EINVAL)
    kept = attributes_to_flags(attributes) | atime_flags(attributes)
    config = _config(task, fd)
    fs = mountable(config)
    locked = check_revealing(task, fs, kept)
    tree = Mount(fs, fs.root, kept, b"none" if config.source is None else config.source)
    tree.locked_flags = locked
    config.phase = AWAITING_RECONFIGURE
    return task.files.install(DetachedTree(task, tree), bool(flags & FSMOUNT_CLOEXEC))
