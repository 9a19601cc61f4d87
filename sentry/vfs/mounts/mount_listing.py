"""What statmount(2) and listmount(2) tell of a mount."""

from __future__ import annotations

from errno import EINVAL, ENOENT, EOVERFLOW, EPERM
from struct import Struct

from sentry.abi.capability import CAP_SYS_ADMIN
from sentry.abi.mount import (
    MOUNT_ATTR_IDMAP,
    MS_PRIVATE,
    MS_SHARED,
    MS_SLAVE,
    MS_UNBINDABLE,
    STATMOUNT_FS_TYPE,
    STATMOUNT_MNT_BASIC,
    STATMOUNT_MNT_GIDMAP,
    STATMOUNT_MNT_NS_ID,
    STATMOUNT_MNT_OPTS,
    STATMOUNT_MNT_POINT,
    STATMOUNT_MNT_ROOT,
    STATMOUNT_MNT_UIDMAP,
    STATMOUNT_OPT_ARRAY,
    STATMOUNT_PROPAGATE_FROM,
    STATMOUNT_SB_BASIC,
    STATMOUNT_SB_SOURCE,
    STATMOUNT_SUPPORTED_MASK,
    flags_to_attributes,
)
from sentry.abi.stat import major, minor
from sentry.errors import Errno
from sentry.fs.proc_mounts import escape, root_within, seen_at
from sentry.vfs.mounts.mount import MNT_UNIQUE_ID_OFFSET, Mount
from sentry.vfs.mounts.propagation import dominating
from sentry.vfs.path import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.namespaces.user_namespace import Section
    from sentry.kernel.task import Task
    from sentry.vfs.mounts.mount_namespace import MountNamespace

# struct statmount, without its strings; offsets in these are from its end.
_STATMOUNT = Struct("=IIQIIQIIQQIIQQQQQIIQIIIIIIQIIII344x")
SIZE = _STATMOUNT.size
_SUPPORTED = 0x7FFF  # what Linux 6.18 knows
_NO_STRINGS = (
    STATMOUNT_SB_BASIC | STATMOUNT_MNT_BASIC | STATMOUNT_PROPAGATE_FROM | STATMOUNT_MNT_NS_ID
    | STATMOUNT_SUPPORTED_MASK
)  # fmt: skip


def namespace_of(task: Task, number: int) -> MountNamespace:
    """The mount namespace with this id (0: the task's own); ENOENT, EPERM."""
    own = task.ns.mnt
    if number in (0, own.inum):
        return own
    for other in task.kernel.tasks.values():
        if other.files is not None and other.ns.mnt.inum == number:
            if not task.creds.has_cap(CAP_SYS_ADMIN, other.ns.mnt.owner):
                raise Errno(ENOENT)
            return other.ns.mnt
    raise Errno(ENOENT)


def root_of(task: Task, namespace: MountNamespace) -> Path:
    """Where a listing starts: the task's root, or that of a namespace it is not in."""
    if namespace is task.ns.mnt:
        return task.fs.root
    return Path(namespace.root, namespace.root.root)


def find(namespace: MountNamespace, number: int) -> Mount:
    """The mount with this unique id; ENOENT."""
    for mount in namespace.mounts:
        if mount.unique_id == number:
            return mount
    raise Errno(ENOENT)


def check_reachable(task: Task, namespace: MountNamespace, mount: Mount, root: Path) -> None:
    """EPERM for one that the task can't reach, without CAP_SYS_ADMIN."""
    if not Path(mount, mount.root).reaches(root) and not task.creds.has_cap(CAP_SYS_ADMIN, namespace.owner):
        raise Errno(EPERM)


def below(
    task: Task, namespace: MountNamespace, parent: Mount | None, after: int, reverse: bool
) -> list[int]:
    """The unique ids of all mounts below `parent` (None: below the root), in order, behind the id `after`."""
    root = root_of(task, namespace)
    if parent is None:
        at = root
    else:
        check_reachable(task, namespace, parent, root)
        at = Path(parent, parent.root)
    found = [
        mount.unique_id
        for mount in sorted(namespace.mounts, key=lambda mount: mount.id, reverse=reverse)
        if mount is not parent and Path(mount, mount.root).reaches(at)
    ]
    if after:
        found = [number for number in found if (number < after if reverse else number > after)]
    return found


def check_id(number: int) -> None:
    """EINVAL for what can't be a unique id."""
    if number <= MNT_UNIQUE_ID_OFFSET:
        raise Errno(EINVAL)


def describe(task: Task, namespace: MountNamespace, mount: Mount, wanted: int, size: int) -> bytes:
    """struct statmount with what `wanted` (STATMOUNT_*) asks for, in at most `size` bytes; EOVERFLOW."""
    root = root_of(task, namespace)
    check_reachable(task, namespace, mount, root)
    fs, mask = mount.fs, wanted & _NO_STRINGS
    text = bytearray(1)  # offset 0 is the empty string
    places = {}
    for bit, string in _strings(mount, root, wanted):
        if string is not None:
            mask |= bit
            places[bit] = len(text)
            text += string + b"\0"
    words = _options(mount) if wanted & STATMOUNT_OPT_ARRAY else []
    if words:
        mask |= STATMOUNT_OPT_ARRAY
        places[STATMOUNT_OPT_ARRAY] = len(text)
        text += b"".join([word + b"\0" for word in words])
    counts = {}
    for bit, sections in _mappings(task, mount, wanted):
        mask |= bit
        places[bit], counts[bit] = len(text), len(sections)
        text += b"".join([b"%d %d %d\0" % section for section in sections])
    strings = bytes(text) if places else b""
    if strings and SIZE + len(strings) > size:
        raise Errno(EOVERFLOW)
    sb = (major(fs.dev), minor(fs.dev), fs.magic, fs.flags) if wanted & STATMOUNT_SB_BASIC else (0,) * 4
    basic = _basic(mount) if wanted & STATMOUNT_MNT_BASIC else (0,) * 8
    origin = dominating(mount, root) if wanted & STATMOUNT_PROPAGATE_FROM else 0

    def at(bit: int) -> int:
        return places.get(bit, 0)

    head = _STATMOUNT.pack(
        SIZE + len(strings), at(STATMOUNT_MNT_OPTS), mask, *sb, at(STATMOUNT_FS_TYPE), *basic, origin,
        at(STATMOUNT_MNT_ROOT), at(STATMOUNT_MNT_POINT),
        namespace.inum if wanted & STATMOUNT_MNT_NS_ID else 0,
        0, at(STATMOUNT_SB_SOURCE), len(words), at(STATMOUNT_OPT_ARRAY), 0, 0,
        _SUPPORTED if wanted & STATMOUNT_SUPPORTED_MASK else 0,
        counts.get(STATMOUNT_MNT_UIDMAP, 0), at(STATMOUNT_MNT_UIDMAP),
        counts.get(STATMOUNT_MNT_GIDMAP, 0), at(STATMOUNT_MNT_GIDMAP),
    )  # fmt: skip
    return (head + strings)[: max(size, 0)] if not strings else head + strings


def _basic(mount: Mount) -> tuple[int, ...]:
    parent = mount.parent if mount.parent is not None else mount
    kind = MS_SHARED if mount.group is not None else 0
    if mount.master is not None:
        kind |= MS_SLAVE
    if mount.unbindable:
        kind |= MS_UNBINDABLE
    return (
        mount.unique_id, parent.unique_id, mount.id, parent.id, _attributes(mount),
        kind or MS_PRIVATE, mount.group.id if mount.group is not None else 0,
        mount.master.id if mount.master is not None else 0,
    )  # fmt: skip


def _attributes(mount: Mount) -> int:
    """MOUNT_ATTR_*."""
    return flags_to_attributes(mount.attributes) | (MOUNT_ATTR_IDMAP if mount.idmap is not None else 0)


def _options(mount: Mount) -> list[bytes]:
    """The file system's own options."""
    return [word for word in mount.fs.options().split(b",") if word]


def _mappings(task: Task, mount: Mount, wanted: int) -> list[tuple[int, list[Section]]]:
    """(STATMOUNT_* bit, sections of the mount's idmap in the caller's numbers), where there are any."""
    if mount.idmap is None:
        return []
    found, mapping, reader = [], mount.idmap.namespace, task.creds.user_ns
    users = [(first, reader.uid(mapping.kuid(first)), count) for first, _, count in mapping.uid_map or ()]
    groups = [(first, reader.gid(mapping.kgid(first)), count) for first, _, count in mapping.gid_map or ()]
    for bit, sections in ((STATMOUNT_MNT_UIDMAP, users), (STATMOUNT_MNT_GIDMAP, groups)):
        seen = [section for section in sections if section[1] >= 0]
        if wanted & bit and seen:
            found.append((bit, seen))
    return found


def _strings(mount: Mount, root: Path, wanted: int) -> list[tuple[int, bytes | None]]:
    """(STATMOUNT_* bit, text); None: there is none."""
    strings: list[tuple[int, bytes | None]] = []
    if wanted & STATMOUNT_FS_TYPE:
        strings.append((STATMOUNT_FS_TYPE, mount.fs.name))
    if wanted & STATMOUNT_MNT_ROOT:
        strings.append((STATMOUNT_MNT_ROOT, root_within(mount)))
    if wanted & STATMOUNT_MNT_POINT:
        place = seen_at(mount, root)
        strings.append((STATMOUNT_MNT_POINT, place if place is not None else None))
    if wanted & STATMOUNT_MNT_OPTS:
        words = mount.fs.generic_options().split(b",")[1:] + [escape(word) for word in _options(mount)]
        strings.append((STATMOUNT_MNT_OPTS, b",".join(words) or None))
    if wanted & STATMOUNT_SB_SOURCE:
        strings.append((STATMOUNT_SB_SOURCE, mount.source))
    return strings
