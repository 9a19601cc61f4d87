"""/proc/PID/mounts, mountinfo and mountstats: the mounts below the task's root (proc(5))."""

from __future__ import annotations

from sentry.abi.stat import major, minor
from sentry.vfs.path import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sentry.kernel.task import Task
    from sentry.vfs.mount import Mount

# Blanks, newlines, backslashes and '#' would break a reader's splitting (getmntent(3)).
_ESCAPES = [bytes((char,)) for char in range(256)]
for _char in b" \t\n\\#":
    _ESCAPES[_char] = b"\\%03o" % _char


def escape(text: bytes) -> bytes:
    """`text` as one field of a mount table."""
    return b"".join([_ESCAPES[char] for char in text])


def _seen(target: Task) -> Iterator[tuple[Mount, bytes]]:
    """The mounts that the task can reach, with where it sees them; none for a zombie."""
    if target.files is None:
        return
    root = target.fs.root
    for mount in target.ns.mnt.mounts:
        place = Path(mount, mount.root)
        if not place.reaches(root):
            if root.mount is not mount:
                continue
            place = root  # a chroot into the middle of this mount
        yield mount, place.absolute(root)


def mounts(target: Task, reader: Task) -> bytes:
    """fstab(5)-like lines: source, place, type, options."""
    return b"".join(
        b"%b %b %b %b%b 0 0\n"
        % (escape(mount.source), escape(place), mount.fs.name, mount.options(), mount.fs.options())
        for mount, place in _seen(target)
    )


def mountinfo(target: Task, reader: Task) -> bytes:
    """The same with ids, parents, roots within the file systems, and per-mount options apart."""
    lines = []
    for mount, place in _seen(target):
        parent = mount.parent.id if mount.parent is not None else mount.id - 1
        lines.append(
            b"%d %d %d:%d %b %b %b - %b %b %b%b\n"
            % (
                mount.id,
                parent,
                major(mount.fs.dev),
                minor(mount.fs.dev),
                escape(_root_within(mount)),
                escape(place),
                mount.options(),
                mount.fs.name,
                escape(mount.source),
                b"ro" if mount.readonly else b"rw",
                mount.fs.options(),
            )
        )
    return b"".join(lines)


def _root_within(mount: Mount) -> bytes:
    """The path of the mount's root in its own file system."""
    names = []
    dentry = mount.root
    while dentry.parent is not None:
        names.append(dentry.name)
        dentry = dentry.parent
    return b"/" + b"/".join(reversed(names))


def mountstats(target: Task, reader: Task) -> bytes:
    return b"".join(
        b"device %b mounted on %b with fstype %b\n" % (escape(mount.source), escape(place), mount.fs.name)
        for mount, place in _seen(target)
    )
