"""fanotify(7): groups, what they have marked, and which events they are told of."""

from __future__ import annotations

from _weakref import ref
from errno import EAGAIN, EBUSY, EDQUOT, EEXIST, EINVAL, EIO, EMFILE, ENOENT, ENOSPC, EPERM, ESPIPE, ETXTBSY

from sentry import _core
from sentry.abi.fanotify import (
    ALL_EVENTS,
    DENY_ERRNO_SHIFT,
    EVENT_FLAGS,
    FAN_ALLOW,
    FAN_AUDIT,
    FAN_CLASS_PRE_CONTENT,
    FAN_CLASSES,
    FAN_DENY,
    FAN_ENABLE_AUDIT,
    FAN_EVENT_ON_CHILD,
    FAN_INFO,
    FAN_MARK_EVICTABLE,
    FAN_MARK_FILESYSTEM,
    FAN_MARK_IGNORE,
    FAN_MARK_IGNORED_SURV_MODIFY,
    FAN_MARK_MNTNS,
    FAN_MARK_MOUNT,
    FAN_NOFD,
    FAN_ONDIR,
    FAN_Q_OVERFLOW,
    FAN_RENAME,
    FAN_REPORT_DIR_FID,
    FAN_REPORT_FID,
    FAN_REPORT_PIDFD,
    FAN_REPORT_TID,
    FAN_UNLIMITED_MARKS,
    FAN_UNLIMITED_QUEUE,
    MARK_IGNORES,
    MARK_TYPES,
    PERMISSION_EVENTS,
    REPORT_IDS,
    RESPONSE,
    RESPONSE_AUDIT,
    RESPONSE_KNOWN,
)
from sentry.abi.inotify import IN_MODIFY
from sentry.abi.ioctl import FIONREAD
from sentry.abi.poll import READABLE
from sentry.abi.stat import S_IFDIR, S_IFMT, S_IFREG, kernel_dev
from sentry.errors import Errno
from sentry.kernel.namespaces.namespaces import Namespace
from sentry.kernel.wait import WOULD_BLOCK
from sentry.vfs.anon import AnonymousFile
from sentry.vfs.handles import handle_of
from sentry.vfs.notify import notify
from sentry.vfs.notify.backlog import UNREAD_MAX, Backlog
from sentry.vfs.notify.fanotify_event import Event, mount_record, records, rename_records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task
    from sentry.kernel.wait import _Marker
    from sentry.vfs.inode import Inode
    from sentry.vfs.mounts.mount import FileSystem, Mount
    from sentry.vfs.mounts.mount_namespace import MountNamespace
    from sentry.vfs.path import Path

    Marked = Inode | Mount | FileSystem | MountNamespace

# What a permission event may be refused with, by who has FAN_CLASS_PRE_CONTENT (fanotify(7)).
_REFUSALS = (EIO, EPERM, EBUSY, ETXTBSY, EAGAIN, ENOSPC, EDQUOT)
# /proc/sys/fs/fanotify; the last two are for each user
limits = {"max_queued_events": 16384, "max_user_groups": 128, "max_user_marks": 65536}
_AUDIT_HEAD = b"\1\0" + RESPONSE_AUDIT.size.to_bytes(2, "little")  # of the one kind of FAN_INFO there is
_groups: dict[int, int] = {}
_marks: dict[int, int] = {}


class Mark:
    """What a group wants to know of one inode, mount, file system or mount namespace (`kind`: FAN_MARK_*)."""

    __slots__ = ("flags", "ignored", "kind", "mask")

    def __init__(self, kind: int, flags: int) -> None:
        self.kind = kind
        self.mask = 0
        self.ignored = 0
        self.flags = flags & FAN_MARK_EVICTABLE

    def ignores(self, is_dir: bool, of_child: bool) -> int:
        """Which events it keeps from the group."""
        if self.flags & FAN_MARK_IGNORE:
            left_out = (is_dir and not self.ignored & FAN_ONDIR) or (
                of_child and not self.ignored & FAN_EVENT_ON_CHILD
            )
        else:
            left_out = of_child and not self.mask & FAN_EVENT_ON_CHILD
        return 0 if left_out else self.ignored


class Group(notify.Listener):
    """What is behind one fanotify file: marks, and events that nobody has read yet."""

    def __init__(
        self, flags: int, event_flags: int, creds: Creds, privileged: bool, file: FanotifyFile
    ) -> None:
        self.flags = flags
        self.event_flags = event_flags
        self.user = creds.uid
        self.user_ns = creds.user_ns
        self.privileged = privileged
        self.readers = file.queue
        # By what is marked; by a reference to it where the mark does not keep it: a mount namespace.
        self.marks: dict[Marked | ref[MountNamespace], Mark] = {}
        self.events = Backlog()  # of Event
        self.mergeable: dict[object, Event] = {}
        self.asked: dict[int, Event] = {}  # permission events that were read, by the descriptor given
        self.answered = _core.WaitQueue()

    # What happens

    def happened(
        self, mask: int, inode: Inode, path: Path | None, directory: Inode | None, name: bytes
    ) -> None:
        if not self._can_tell(mask, inode, path, directory):
            return
        found = self._wanted(mask, inode, path, directory)
        if found:
            self._put(found, path, inode, directory, name, False)

    def changed(self, mask: int, directory: Inode, name: bytes, inode: Inode) -> None:
        found = self._wanted(mask, directory, None, None)
        if found:
            self._put(found, None, inode, directory, name, True)

    def renamed(self, olddir: Inode, old: bytes, newdir: Inode, new: bytes, inode: Inode) -> None:
        mask = FAN_RENAME | (FAN_ONDIR if inode.is_dir() else 0)
        left, came = self._wanted(mask, olddir, None, None), self._wanted(mask, newdir, None, None)
        if left or came:
            told = rename_records(
                self.flags, (olddir, old) if left else None, (newdir, new) if came else None, inode
            )
            self._queue(Event(left or came, None, told, self._who()))

    def mounted(self, mask: int, namespace: MountNamespace, mount: Mount) -> None:
        mark = self.marks.get(ref(namespace))
        found = mark.mask & mask & ~mark.ignored if mark is not None else 0
        if found:
            self._queue(Event(found, None, mount_record(mount), self._who()))

    def asks(self, fs: FileSystem) -> bool:
        return bool(self.flags & FAN_CLASSES) and any(
            marked is fs or getattr(marked, "fs", None) is fs for marked in self.marks
        )

    def ask(self, mask: int, path: Path) -> notify.Question | None:
        if not self._can_tell(mask, path.inode, path, None):
            return None
        parent = path.dentry.parent
        found = self._wanted(mask, path.inode, path, parent.inode if parent is not None else None)
        if not found & PERMISSION_EVENTS:
            return None
        event = Event(found & PERMISSION_EVENTS, path, b"", self._who())
        event.queue = self.answered
        event.listener = self
        self.events.append(event)
        self.readers.wake(READABLE)
        return event

    def gone(self, inode: Inode) -> None:
        if inode in self.marks:
            self._forget(inode)

    def unmounted(self, fs: FileSystem) -> None:
        for marked in [marked for marked in self.marks if marked is fs or getattr(marked, "fs", None) is fs]:
            self._forget(marked)

    def _can_tell(self, mask: int, inode: Inode, path: Path | None, directory: Inode | None) -> bool:
        """Whether there is something to tell of a file by: a descriptor of it (not of FIFOs, sockets and
        devices), or the id of a directory where only those are wanted."""
        if not self.flags & REPORT_IDS:
            return path is not None and inode.mode & S_IFMT in (S_IFREG, S_IFDIR)
        if self.flags & FAN_REPORT_FID or not self.flags & FAN_REPORT_DIR_FID:
            return True
        return directory is not None or bool(mask & FAN_ONDIR)

    def _wanted(self, mask: int, inode: Inode, path: Path | None, directory: Inode | None) -> int:
        """Which events of `mask` the group is to be told of; FAN_ONDIR with them where it reports ids."""
        is_dir = bool(mask & FAN_ONDIR)
        wanted = ignored = 0
        marks = self.marks
        places: tuple[tuple[Marked | None, bool], ...] = (
            (inode, False), (directory, True), (path.mount if path is not None else None, False),
            (inode.fs, False),
        )  # fmt: skip
        for marked, of_child in places:
            mark = marks.get(marked) if marked is not None else None
            if mark is None:
                continue
            if mask & IN_MODIFY and not mark.flags & FAN_MARK_IGNORED_SURV_MODIFY:
                mark.ignored = 0
            ignored |= mark.ignores(is_dir, of_child)
            if (is_dir and not mark.mask & FAN_ONDIR) or (of_child and not mark.mask & FAN_EVENT_ON_CHILD):
                continue
            wanted |= mark.mask
        found = mask & wanted & ~ignored & ALL_EVENTS
        return found | FAN_ONDIR if found and is_dir and self.flags & REPORT_IDS else found

    def _who(self) -> tuple[int, object]:
        """The number of whoever did it, and the process."""
        task = _core.acting()
        if task is None:
            return 0, None
        return (task.tid if self.flags & FAN_REPORT_TID else task.group.tgid), task.group

    def _put(
        self, mask: int, path: Path | None, inode: Inode, directory: Inode | None, name: bytes, entry: bool
    ) -> None:
        if not self.flags & REPORT_IDS:
            if path is not None:
                self._queue(Event(mask, path, b"", self._who()))
            return
        told = records(self.flags, mask, inode, directory, name, entry)
        self._queue(Event(mask, None, told, self._who()))

    def _queue(self, event: Event) -> None:
        known = self.mergeable.get(event.key)
        if known is not None:
            known.mask |= event.mask
            return
        limit = UNREAD_MAX if self.flags & FAN_UNLIMITED_QUEUE else limits["max_queued_events"]
        if self.events.is_full(limit):
            if self.events and self.events[-1].mask == FAN_Q_OVERFLOW:
                return
            event = Event(FAN_Q_OVERFLOW, None, b"", (0, None))
        self.mergeable[event.key] = event
        self.events.append(event)
        self.readers.wake(READABLE)

    def take(self) -> Event:
        event: Event = self.events.popleft()
        self.mergeable.pop(event.key, None)
        return event

    def answer(self, fd: int, response: int, rest: bytes) -> None:
        """A response was written: EINVAL, ENOENT."""
        code, word = response >> DENY_ERRNO_SHIFT, response & (FAN_ALLOW | FAN_DENY)
        if (
            response & ~RESPONSE_KNOWN
            or word not in (FAN_ALLOW, FAN_DENY)
            or (code and (word == FAN_ALLOW or not self.flags & FAN_CLASS_PRE_CONTENT))
            or (code and code not in _REFUSALS)
            or (response & FAN_AUDIT and not self.flags & FAN_ENABLE_AUDIT)
        ):
            raise Errno(EINVAL)
        if response & FAN_INFO:
            if len(rest) != RESPONSE_AUDIT.size or rest[:4] != _AUDIT_HEAD:
                raise Errno(EINVAL)
            if fd == FAN_NOFD:
                return  # only whether it is known was asked
        if fd < 0:
            raise Errno(EINVAL)
        event = self.asked.pop(fd, None)
        if event is None:
            raise Errno(ENOENT)
        event.refusal = code or EPERM
        event.response = word
        self.answered.wake(READABLE)

    # Marks

    def add(self, marked: Marked, mask: int, flags: int) -> None:
        """FAN_MARK_ADD: EEXIST, ENOSPC."""
        key = self._key(marked)
        mark = self.marks.get(key)
        ignores = flags & MARK_IGNORES
        if mark is None:
            used = _marks.get(self.user, 0)
            if used >= limits["max_user_marks"] and not self.flags & FAN_UNLIMITED_MARKS:
                raise Errno(ENOSPC)
            mark = Mark(flags & MARK_TYPES, flags)
            _marks[self.user] = used + 1
            self.marks[key] = mark
            for place in self._places(key):
                notify.attend(place)
            if len(self.marks) == 1:
                notify.listen(self)
        else:
            survives = mark.flags & FAN_MARK_IGNORE and mark.flags & FAN_MARK_IGNORED_SURV_MODIFY
            if (
                (flags & FAN_MARK_EVICTABLE and not mark.flags & FAN_MARK_EVICTABLE)
                or (mark.flags & FAN_MARK_IGNORE and ignores and not ignores & FAN_MARK_IGNORE)
                or (ignores & FAN_MARK_IGNORE and survives and not flags & FAN_MARK_IGNORED_SURV_MODIFY)
            ):
                raise Errno(EEXIST)
            if not flags & FAN_MARK_EVICTABLE:
                mark.flags &= ~FAN_MARK_EVICTABLE
        if ignores:
            if mark.kind == 0 and not flags & FAN_MARK_IGNORED_SURV_MODIFY and marked.writers:  # type: ignore[union-attr]
                return  # it may change at once
            mark.ignored |= mask
            mark.flags |= flags & (FAN_MARK_IGNORED_SURV_MODIFY | FAN_MARK_IGNORE)
        else:
            mark.mask |= mask

    def remove(self, marked: Marked, mask: int, flags: int) -> None:
        """FAN_MARK_REMOVE: ENOENT."""
        key = self._key(marked)
        mark = self.marks.get(key)
        if mark is None:
            raise Errno(ENOENT)
        if flags & MARK_IGNORES:
            mark.ignored &= ~mask
        else:
            mark.mask &= ~mask
        if not (mark.mask | mark.ignored) & ~EVENT_FLAGS:
            self._forget(key)

    def flush(self, kind: int) -> None:
        for marked in [marked for marked, mark in self.marks.items() if mark.kind == kind]:
            self._forget(marked)

    def _places(self, marked: Marked | ref[MountNamespace]) -> list[Inode | Mount | FileSystem]:
        """Where we listen by a mark: with the right to be asked, in the whole file system."""
        if isinstance(marked, ref):
            return []
        fs = getattr(marked, "fs", None)
        return [marked] if fs is None or not self.flags & FAN_CLASSES else [marked, fs]  # type: ignore[list-item]

    def _key(self, marked: Marked) -> Marked | ref[MountNamespace]:
        return ref(marked, self._forget) if isinstance(marked, Namespace) else marked

    def _forget(self, marked: Marked | ref[MountNamespace]) -> None:
        if marked not in self.marks:
            return
        del self.marks[marked]
        for place in self._places(marked):
            notify.disregard(place)
        _count(_marks, self.user)
        if not self.marks:
            notify.unlisten(self)

    def close(self) -> None:
        for marked in list(self.marks):
            self._forget(marked)
        for event in [*self.events, *self.asked.values()]:
            event.response = FAN_ALLOW
        self.events.clear()
        self.answered.wake(READABLE)
        _count(_groups, self.user)


def _count(table: dict[int, int], user: int) -> None:
    left = table.get(user, 0) - 1
    if left > 0:
        table[user] = left
    else:
        table.pop(user, None)


class FanotifyFile(AnonymousFile):
    """An open fanotify group; EMFILE when the user has too many."""

    __slots__ = ()

    can_signal = True
    tells_events = True

    state: Group

    def __init__(self, flags: int, open_flags: int, event_flags: int, creds: Creds, privileged: bool) -> None:
        user = creds.uid
        if _groups.get(user, 0) >= limits["max_user_groups"]:
            raise Errno(EMFILE)
        super().__init__(open_flags, b"[fanotify]")
        self.state = Group(flags, event_flags, creds, privileged, self)
        _groups[user] = _groups.get(user, 0) + 1

    def read(self, task: Task, count: int, pos: int | None) -> bytes | _Marker:
        if pos is not None:
            raise Errno(ESPIPE)
        group = self.state
        out: list[bytes] = []
        while group.events:
            pidfd = bool(group.flags & FAN_REPORT_PIDFD)
            size = group.events[0].size(pidfd)
            if size > count:
                if not out:
                    raise Errno(EINVAL)
                break
            event = group.take()
            try:
                record, fd = event.give(task, group)
            except Errno:
                if event.mask & PERMISSION_EVENTS:  # nobody could answer
                    event.response = FAN_DENY
                    group.answered.wake(READABLE)
                if out:
                    break
                raise
            if event.mask & PERMISSION_EVENTS and fd >= 0:
                group.asked[fd] = event
            elif event.mask & PERMISSION_EVENTS:  # FAN_REPORT_FD_ERROR: nobody can answer
                event.response = FAN_DENY
                group.answered.wake(READABLE)
            out.append(record)
            count -= size
        return b"".join(out) or WOULD_BLOCK

    def write(self, task: Task, data: bytes, pos: int | None) -> int:
        if len(data) < RESPONSE.size:
            raise Errno(EINVAL)
        fd, response = RESPONSE.unpack_from(data)
        self.state.answer(fd, response, data[RESPONSE.size :])
        return len(data)

    def poll(self) -> int:
        return READABLE if self.state.events else 0

    def ioctl(self, task: Task, request: int, arg: int) -> int:
        if request == FIONREAD:
            pidfd = bool(self.state.flags & FAN_REPORT_PIDFD)
            task.write_u32(arg, sum(event.size(pidfd) for event in self.state.events))
            return 0
        return super().ioctl(task, request, arg)  # type: ignore[return-value]  # always raises

    def fdinfo(self, reader: Task) -> bytes:
        group = self.state
        out = b"fanotify flags:%x event-flags:%x\n" % (group.flags, group.event_flags)
        for marked, mark in group.marks.items():
            rest = b"mflags:%x mask:%x ignored_mask:%x" % (mark.flags, mark.mask, mark.ignored)
            if mark.kind == FAN_MARK_MNTNS:
                namespace = marked()  # type: ignore[operator]
                out += b"fanotify mnt_ns:%d %s\n" % (namespace.inum if namespace is not None else 0, rest)
            elif mark.kind == FAN_MARK_MOUNT:
                out += b"fanotify mnt_id:%x %s\n" % (marked.id, rest)  # type: ignore[union-attr]
            elif mark.kind == FAN_MARK_FILESYSTEM:
                out += b"fanotify sdev:%x %s\n" % (kernel_dev(marked.dev), rest)  # type: ignore[union-attr]
            else:
                kind, handle = handle_of(marked)  # type: ignore[arg-type]
                out += b"fanotify ino:%x sdev:%x %s fhandle-bytes:%x fhandle-type:%x f_handle:%s\n" % (
                    marked.ino, kernel_dev(marked.dev), rest, len(handle), kind,  # type: ignore[union-attr]
                    handle.hex().encode(),
                )  # fmt: skip
        return out

    def release(self) -> None:
        state = getattr(self, "state", None)
        if state is not None:
            state.close()
