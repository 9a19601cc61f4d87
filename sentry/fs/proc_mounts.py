"""/proc/PID/mounts, mountinfo and mountstats: the mounts below the task's root (proc(5))."""

from __future__ import annotations

from errno import EINVAL

from sentry.abi.fcntl import POLLERR, POLLIN, POLLPRI, POLLRDNORM
from sentry.abi.mount import MS_RDONLY
from sentry.abi.stat import major, minor
from sentry.errors import Errno
from sentry.fs.proc_access import check_alive
from sentry.fs.pseudo import UnwatchedFile
from sentry.vfs.mounts.propagation import dominating
from sentry.vfs.path import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sentry.fs.pseudo import TextInode
    from sentry.kernel.task import Task
    from sentry.vfs.mounts.mount import Mount

# Blanks, newlines, backslashes and '#' would break a reader's splitting (getmntent(3)).
_ESCAPES = [bytes((char,)) for char in range(256)]
for _char in b" \t\n\\#":
    _ESCAPES[_char] = b"\\%03o" % _char


def escape(text: bytes) -> bytes:
    """`text` as one field of a mount table."""
    return b"".join([_ESCAPES[char] for char in text])


def seen_at(mount: Mount, root: Path) -> bytes | None:
    """Where one whose root directory is `root` sees `mount`; None: not below it."""
    place = Path(mount, mount.root)
    if not place.reaches(root):
        if root.mount is not mount:
            return None
        place = root  # a chroot into the middle of this mount
    return place.absolute(root)


def _seen(target: Task) -> Iterator[tuple[Mount, bytes]]:
    """The mounts that the task can reach, with where it sees them; none for a zombie."""
    if target.files is None:
        return
    root = target.fs.root
    for mount in target.ns.mnt.listing():
        place = seen_at(mount, root)
        if place is not None:
            yield mount, place


def mounts(target: Task, reader: Task) -> bytes:
    """fstab(5)-like lines: source, place, type, options."""
    lines = []
    for mount, place in _seen(target):
        words = mount.fs.generic_options().split(b",")[1:] + mount.options().split(b",")[1:]
        words.insert(0, b"ro" if (mount.attributes | mount.fs.flags) & MS_RDONLY else b"rw")
        fields = escape(mount.source), escape(place), mount.fs.name, b",".join(words), mount.fs.options()
        lines.append(b"%b %b %b %b%b 0 0\n" % fields)
    return b"".join(lines)


def mountinfo(target: Task, reader: Task) -> bytes:
    """The same with ids, parents, roots within the file systems, and per-mount options apart."""
    lines = []
    for mount, place in _seen(target):
        parent = mount.parent.id if mount.parent is not None else mount.id
        lines.append(
            b"%d %d %d:%d %b %b %b%b - %b %b %b%b\n"
            % (
                mount.id,
                parent,
                major(mount.fs.dev),
                minor(mount.fs.dev),
                escape(root_within(mount)),
                escape(place),
                mount.options(),
                _propagation(mount, target.fs.root),
                mount.fs.name,
                escape(mount.source),
                mount.fs.generic_options(),
                mount.fs.options(),
            )
        )
    return b"".join(lines)


def _propagation(mount: Mount, root: Path) -> bytes:
    """The optional fields, a blank before each."""
    text = b""
    if mount.group is not None:
        text += b" shared:%d" % mount.group.id
    if mount.master is not None:
        text += b" master:%d" % mount.master.id
        nearest = dominating(mount, root)
        if nearest not in (0, mount.master.id):
            text += b" propagate_from:%d" % nearest
    return text + b" unbindable" if mount.unbindable else text


def root_within(mount: Mount) -> bytes:
    """The path of the mount's root in its own file system."""
    if mount.fs.anonymous:
        return mount.root.name
    names = []
    dentry = mount.root
    while dentry.parent is not None:
        names.append(dentry.name)
        dentry = dentry.parent
    return b"/" + b"/".join(reversed(names)) + (b"//deleted" if mount.root.deleted else b"")


def mountstats(target: Task, reader: Task) -> bytes:
    return b"".join(
        b"device %b mounted on %b with fstype %b\n" % (escape(mount.source), escape(place), mount.fs.name)
        for mount, place in _seen(target)
    )


class StatsFile(UnwatchedFile):
    """One of these files, open."""

    __slots__ = ()

    def __init__(self, flags: int, path: Path, inode: TextInode, target: Task) -> None:
        check_alive(target)
        if target.files is None:
            raise Errno(EINVAL)
        super().__init__(flags, path, inode)


class MountsFile(StatsFile):
    """poll(2) tells by POLLPRI that the mounts have changed since it last told."""

    __slots__ = ("_namespace", "_told")

    has_readiness = True

    def __init__(self, flags: int, path: Path, inode: TextInode, target: Task) -> None:
        super().__init__(flags, path, inode, target)
        self._namespace = target.ns.mnt
        self._told = self._namespace.changes
        self.queue = self._namespace.queue

    def poll(self) -> int:
        events = POLLIN | POLLRDNORM
        if self._told != self._namespace.changes:
            self._told = self._namespace.changes
            events |= POLLERR | POLLPRI
        return events
