"""What shared memory segments, semaphore sets and message queues have in common (sysvipc(7)): ids, keys,
owners and permissions.

An id is an index into the table and a sequence number, so that the id of something that is gone stays
invalid for long although its index is used again.
"""

from __future__ import annotations

import time
from errno import EACCES, EEXIST, EINVAL, ENOENT, ENOSPC, EPERM

from sentry.abi.capability import CAP_IPC_OWNER, CAP_SYS_ADMIN
from sentry.abi.ipc import INDEX_BITS, IPC_CREAT, IPC_EXCL, IPC_PRIVATE, MNI_MAX, PERM, SEQUENCE_MAX
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sentry.ipc.namespace import IpcNamespace
    from sentry.kernel.task import Task

_MIN_CYCLE = 64  # indices are not used again before at least so many others
_INDEX_MASK = MNI_MAX - 1
_ACCESS = 0o777


class IpcObject:
    """One thing with an id; times are CLOCK_REALTIME seconds, 0: never."""

    __slots__ = ("cgid", "ctime", "cuid", "dead", "gid", "id", "key", "mode", "uid")

    def __init__(self, task: Task, key: int, flags: int) -> None:
        creds = task.creds
        self.key = key
        self.id = -1
        self.uid = self.cuid = creds.euid
        self.gid = self.cgid = creds.egid
        self.mode = flags & _ACCESS
        self.ctime = seconds()
        self.dead = False  # removed; those who wait for it find out

    def pack_perm(self, task: Task) -> bytes:
        """struct ipc64_perm, for `task`."""
        uid, gid = task.creds.user_ns.show_uid, task.creds.user_ns.show_gid
        owners = (uid(self.uid), gid(self.gid), uid(self.cuid), gid(self.cgid))
        return PERM.pack(self.key, *owners, self.mode, self.id >> INDEX_BITS)


def seconds() -> int:
    """The time of day, as the objects' times have it."""
    return int(time.time())


class IpcIds:
    """The objects of one kind in one IPC namespace."""

    __slots__ = ("_cursor", "_keys", "_last", "_sequence", "limit", "namespace", "objects")

    def __init__(self, namespace: IpcNamespace, limit: int) -> None:
        self.namespace = namespace
        self.limit = limit  # how many there may be: shmmni, ...
        self.objects: dict[int, Any] = {}  # by index
        self._keys: dict[int, Any] = {}
        self._sequence = 0
        self._last = -1
        self._cursor = 0

    # Finding

    def get(self, id: int) -> Any:
        """The object with this id; EINVAL."""
        found = self.objects.get(id & _INDEX_MASK) if id >= 0 else None
        if found is None or found.id != id:
            raise Errno(EINVAL)
        return found

    def at(self, index: int) -> Any:
        """The object at this index of the table (IPC_STAT by position: ipcs(1)); EINVAL."""
        found = self.objects.get(index & _INDEX_MASK) if index >= 0 else None
        if found is None:
            raise Errno(EINVAL)
        return found

    def highest(self) -> int:
        """The highest index in use; 0 also when there is none."""
        return max(self.objects, default=0)

    def lookup(
        self, task: Task, key: int, flags: int, make: Callable[[], Any], check: Callable[[Any], None]
    ) -> int:
        """The id for a key, or of a new object (shmget(2), semget(2), msgget(2)).

        `check` refuses an existing object that does not suit.  EACCES, EEXIST, ENOENT, ENOSPC.
        """
        found = self._keys.get(key) if key != IPC_PRIVATE else None
        if found is None:
            if key != IPC_PRIVATE and not flags & IPC_CREAT:
                raise Errno(ENOENT)
            return self._add(make())
        if flags & IPC_CREAT and flags & IPC_EXCL:
            raise Errno(EEXIST)
        check(found)
        self.check_access(task, found, flags)
        number: int = found.id
        return number

    # Coming and going

    def _add(self, new: IpcObject) -> int:
        count = len(self.objects)
        if count >= self.limit:
            raise Errno(ENOSPC)
        index = self._free_index(min(max(count * 3 // 2, _MIN_CYCLE), MNI_MAX))
        if index <= self._last:
            self._sequence = (self._sequence + 1) % SEQUENCE_MAX
        self._last, self._cursor = index, index + 1
        new.id = self._sequence << INDEX_BITS | index
        self.objects[index] = new
        if new.key != IPC_PRIVATE:
            self._keys[new.key] = new
        return new.id

    def _free_index(self, cycle: int) -> int:
        for index in range(self._cursor, cycle):
            if index not in self.objects:
                return index
        for index in range(MNI_MAX):
            if index not in self.objects:
                return index
        raise Errno(ENOSPC)

    def forget_key(self, object: IpcObject) -> None:
        """Its key is free for another one."""
        if self._keys.get(object.key) is object:
            del self._keys[object.key]
        object.key = IPC_PRIVATE

    def remove(self, object: IpcObject) -> None:
        """It is gone: nobody finds it any more."""
        self.forget_key(object)
        self.objects.pop(object.id & _INDEX_MASK, None)
        object.dead = True

    # Permissions

    def check_access(self, task: Task, object: IpcObject, wanted: int) -> None:
        """EACCES unless the task has the permission bits `wanted`, in whichever of the three places."""
        creds = task.creds
        wanted |= wanted >> 6 | wanted >> 3
        granted = object.mode
        if creds.euid in (object.cuid, object.uid):
            granted >>= 6
        elif creds.in_group(object.cgid) or creds.in_group(object.gid):
            granted >>= 3
        if wanted & ~granted & 7 and not self.namespace.capable(task, CAP_IPC_OWNER):
            raise Errno(EACCES)

    def check_owner(self, task: Task, object: IpcObject) -> None:
        """EPERM unless the task may change or remove it."""
        if task.creds.euid not in (object.cuid, object.uid) and not self.namespace.capable(
            task, CAP_SYS_ADMIN
        ):
            raise Errno(EPERM)

    @staticmethod
    def set_perm(task: Task, object: IpcObject, perm: bytes) -> None:
        """IPC_SET's part that all have: owner and mode from the task's struct ipc64_perm; EINVAL."""
        _, uid, gid, _, _, mode, _ = PERM.unpack_from(perm)
        uid, gid = task.creds.user_ns.kuid(uid), task.creds.user_ns.kgid(gid)
        if uid < 0 or gid < 0:
            raise Errno(EINVAL)
        object.uid, object.gid = uid, gid
        object.mode = object.mode & ~_ACCESS | mode & _ACCESS
        object.ctime = seconds()
