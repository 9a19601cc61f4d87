"""What mounts tell each other: peer groups and slaves (mount_namespaces(7), "Shared subtrees").

What must hold: a mount is in `group.members` of its `group` and in `master.slaves` of its `master`; a group
without members has no slaves and no number.
"""

from __future__ import annotations

from _heapq import heappop, heappush

from sentry.abi.mount import MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE
from sentry.vfs.mounts.mount import Mount
from sentry.vfs.mounts.mount_tree import copy, subtree
from sentry.vfs.path import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sentry.vfs.path import Dentry

_free_ids: list[int] = []
_last_id = 0


class PeerGroup:
    """Mounts that get each other's mounts and unmounts."""

    __slots__ = ("id", "members", "slaves")

    def __init__(self) -> None:
        global _last_id
        if _free_ids:
            self.id = heappop(_free_ids)
        else:
            _last_id += 1
            self.id = _last_id
        self.members: dict[Mount, None] = {}
        self.slaves: dict[Mount, None] = {}  # those whose events come from this group


def join(mount: Mount, group: PeerGroup) -> None:
    mount.group = group
    group.members[mount] = None


def set_master(mount: Mount, master: PeerGroup | None) -> None:
    if mount.master is not None:
        mount.master.slaves.pop(mount, None)
    mount.master = master
    if master is not None:
        master.slaves[mount] = None


def make_shared(mount: Mount) -> None:
    if mount.group is None:
        join(mount, PeerGroup())
    mount.unbindable = False


def change(mount: Mount, kind: int) -> None:
    """Make `mount` MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE.

    A shared mount that becomes a slave is one of its former peers; without peers of its own master, if any.
    """
    if kind == MS_SHARED:
        make_shared(mount)
        return
    master, group = mount.master, mount.group
    if group is not None:
        mount.group = None
        del group.members[mount]
        if group.members:
            master = group
        else:
            for slave in list(group.slaves):
                set_master(slave, mount.master)
            heappush(_free_ids, group.id)
    if kind == MS_SLAVE:
        set_master(mount, master)
        return
    set_master(mount, None)
    if kind in (MS_UNBINDABLE, MS_PRIVATE):
        mount.unbindable = kind == MS_UNBINDABLE


def inherit(pairs: Iterable[tuple[Mount, Mount]], slave: bool = False, shared: bool = False) -> None:
    """Let copies be peers of their originals, where these are shared, and slaves of the same masters.

    Args:
        slave: be slaves of the originals instead; shared: and then shared themselves.
    """
    for old, new in pairs:
        group = old.group
        if slave and group is not None:
            set_master(new, group)
        else:
            if group is not None:
                join(new, group)
            set_master(new, old.master)
        if shared:
            make_shared(new)


def _gets(mount: Mount, point: Dentry) -> bool:
    return mount.namespace is not None and point.is_below(mount.root)


def receivers(parent: Mount) -> list[tuple[list[Mount], int]]:
    """Who hears of an event on `parent`, which is left out: runs of peers, each with the index of the run
    that its master is in (-1: these are parent's own peers).  A slave that is not shared is a run of its own.
    """
    if parent.group is None:
        return []
    runs = [([mount for mount in parent.group.members if mount is not parent], -1)]
    groups = [(parent.group, 0)]
    seen = {parent.group}
    for group, number in groups:  # which grows
        for slave in group.slaves:
            inner = slave.group
            if inner is None:
                runs.append(([slave], number))
            elif inner not in seen:
                seen.add(inner)
                groups.append((inner, len(runs)))
                runs.append((list(inner.members), number))
    return runs


def recipients(parent: Mount, point: Dentry) -> list[Mount]:
    """The mounts that get a copy of what is mounted on `point` of `parent`."""
    return [mount for members, _ in receivers(parent) for mount in members if _gets(mount, point)]


def propagate(tree: Mount, parent: Mount, point: Dentry) -> list[tuple[Mount, Mount]]:
    """A copy of `tree`, about to be mounted on `point` of `parent`, for each recipient: (copy, recipient).

    They are not connected yet.  The tree becomes shared, since its parent is.
    """
    if parent.group is None:
        return []
    for mount in subtree(tree):
        make_shared(mount)
    copies: list[tuple[Mount, Mount]] = []
    origins: list[Mount] = []  # of each run: what its slaves' copies are copies of
    for members, master in receivers(parent):
        origin, slave = (tree, False) if master < 0 else (origins[master], True)
        for mount in members:
            if not _gets(mount, point):
                continue
            made, pairs = copy(origin, origin.root, True)
            inherit(pairs, slave, slave and mount.group is not None)
            copies.append((made, mount))
            origin, slave = made, False
        origins.append(origin)
    return copies


def counterparts(parent: Mount, point: Dentry) -> list[Mount]:
    """The mounts on the same place of parent's peers and slaves."""
    found = []
    for members, _ in receivers(parent):
        for mount in members:
            upper = mount.mounts.get(point)
            if upper is not None:
                found.append(upper)
    return found


def propagate_unmount(going: list[Mount]) -> list[Mount]:
    """The mounts that go because those in `going` do: their counterparts elsewhere, unless something that
    stays is mounted on them other than on their root, or they are locked to what stays.
    """
    leaving = dict.fromkeys(going)
    candidates: dict[Mount, None] = {}
    for mount in going:
        if mount.parent is not None and mount.point is not None:
            for other in counterparts(mount.parent, mount.point):
                if other not in leaving:
                    candidates[other] = None
    staying = list(candidates)
    while staying:
        mount = staying.pop()
        if mount not in candidates:
            continue
        stays = mount.locked and mount.parent not in candidates and mount.parent not in leaving
        for point, upper in mount.mounts.items():
            if point is not mount.root and upper not in candidates and upper not in leaving:
                stays = True
        if stays:
            del candidates[mount]
            if mount.parent is not None:
                staying.append(mount.parent)
            staying += mount.mounts.values()
    return list(candidates)


def dominating(mount: Mount, root: Path) -> int:
    """The closest group that `mount` gets events from and that has a member below `root`; 0: none
    (proc_pid_mountinfo(5), propagate_from).
    """

    group = mount.master
    namespace = mount.namespace
    seen = set()
    while group is not None and group not in seen:
        seen.add(group)
        for member in group.members:
            if member.namespace is namespace and Path(member, member.root).reaches(root):
                return group.id
        group = next(iter(group.members)).master if group.members else None
    return 0
