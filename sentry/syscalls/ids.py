"""User, group and capability ids (credentials(7), capabilities(7))."""

import errno
from struct import iter_unpack

from sentry.abi.capability import (
    ALL_CAPS,
    CAP_SETGID,
    CAP_SETPCAP,
    CAP_SETUID,
    DATA,
    HEADER,
    VERSION_1,
    VERSION_2,
    VERSION_3,
)
from sentry.errors import Errno
from sentry.kernel.creds import GROUPS_MAX, Creds, Groups
from sentry.syscalls.args import Int, Ptr, UInt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

_KEEP = 0xFFFFFFFF  # -1: leave that id as it is
_NGROUPS_MAX = 65536


def getuid(task: "Task") -> int:
    return task.creds.user_ns.show_uid(task.creds.uid)


def geteuid(task: "Task") -> int:
    return task.creds.user_ns.show_uid(task.creds.euid)


def getgid(task: "Task") -> int:
    return task.creds.user_ns.show_gid(task.creds.gid)


def getegid(task: "Task") -> int:
    return task.creds.user_ns.show_gid(task.creds.egid)


def getresuid(task: "Task", real: Ptr, effective: Ptr, saved: Ptr) -> int:
    creds = task.creds
    for address, value in ((real, creds.uid), (effective, creds.euid), (saved, creds.suid)):
        task.write_u32(address, creds.user_ns.show_uid(value))
    return 0


def getresgid(task: "Task", real: Ptr, effective: Ptr, saved: Ptr) -> int:
    creds = task.creds
    for address, value in ((real, creds.gid), (effective, creds.egid), (saved, creds.sgid)):
        task.write_u32(address, creds.user_ns.show_gid(value))
    return 0


def _kuid(creds: Creds, uid: int) -> int:
    """What a guest's uid means, -1 (_KEEP) as it is; EINVAL for one that means nothing."""
    kuid = creds.user_ns.kuid(uid)
    if kuid < 0 and uid != _KEEP:
        raise Errno(errno.EINVAL)
    return kuid & _KEEP


def _kgid(creds: Creds, gid: int) -> int:
    """The same for a gid."""
    kgid = creds.user_ns.kgid(gid)
    if kgid < 0 and gid != _KEEP:
        raise Errno(errno.EINVAL)
    return kgid & _KEEP


def _commit_uids(task: "Task", new: Creds) -> int:
    new.fsuid = new.euid
    _commit(task, new)
    return 0


def _commit(task: "Task", new: Creds) -> None:
    old = task.creds
    new.uids_changed(old)
    new.fsuid_changed(old)
    _install(task, new)


def _install(task: "Task", new: Creds) -> None:
    """A process that has changed its identity is not for others to look into (prctl(2), PR_SET_DUMPABLE)."""
    old = task.creds
    if (new.euid, new.egid, new.fsuid, new.fsgid) != (old.euid, old.egid, old.fsuid, old.fsgid):
        task.group.dumpable = 0
        task.parent_death_signal = 0
    task.creds = new


def setuid(task: "Task", uid: UInt) -> int:
    old = task.creds
    new = old.copy()
    uid = _kuid(old, uid)
    if uid == _KEEP:
        raise Errno(errno.EINVAL)
    if old.has_cap(CAP_SETUID, old.user_ns):
        new.uid = new.suid = uid
    elif uid not in (old.uid, old.suid):
        raise Errno(errno.EPERM)
    new.euid = uid
    return _commit_uids(task, new)


def setreuid(task: "Task", real: UInt, effective: UInt) -> int:
    old = task.creds
    real, effective = _kuid(old, real), _kuid(old, effective)
    new = old.copy()
    privileged = old.has_cap(CAP_SETUID, old.user_ns)
    if real != _KEEP:
        if not privileged and real not in (old.uid, old.euid):
            raise Errno(errno.EPERM)
        new.uid = real
    if effective != _KEEP:
        if not privileged and effective not in (old.uid, old.euid, old.suid):
            raise Errno(errno.EPERM)
        new.euid = effective
    if real != _KEEP or (effective != _KEEP and effective != old.uid):
        new.suid = new.euid
    return _commit_uids(task, new)


def setresuid(task: "Task", real: UInt, effective: UInt, saved: UInt) -> int:
    old = task.creds
    real, effective, saved = (_kuid(old, uid) for uid in (real, effective, saved))
    new = old.copy()
    if not old.has_cap(CAP_SETUID, old.user_ns):
        for uid in (real, effective, saved):
            if uid != _KEEP and uid not in (old.uid, old.euid, old.suid):
                raise Errno(errno.EPERM)
    if real != _KEEP:
        new.uid = real
    if effective != _KEEP:
        new.euid = effective
    if saved != _KEEP:
        new.suid = saved
    if (new.uid, new.euid, new.suid) == (old.uid, old.euid, old.suid) and (effective in (_KEEP, old.fsuid)):
        return 0  # nothing changes, not even the fsuid
    return _commit_uids(task, new)


def setfsuid(task: "Task", uid: UInt) -> int:
    old = task.creds
    uid = old.user_ns.kuid(uid)
    if uid >= 0 and (uid in (old.uid, old.euid, old.suid, old.fsuid) or old.has_cap(CAP_SETUID, old.user_ns)):
        if uid == old.fsuid:
            return old.user_ns.show_uid(uid)
        new = old.copy()
        new.fsuid = uid
        new.fsuid_changed(old)
        _install(task, new)
    return old.user_ns.show_uid(old.fsuid)


def _commit_gids(task: "Task", new: Creds) -> int:
    new.fsgid = new.egid
    _commit(task, new)
    return 0


def setgid(task: "Task", gid: UInt) -> int:
    old = task.creds
    new = old.copy()
    gid = _kgid(old, gid)
    if gid == _KEEP:
        raise Errno(errno.EINVAL)
    if old.has_cap(CAP_SETGID, old.user_ns):
        new.gid = new.sgid = gid
    elif gid not in (old.gid, old.sgid):
        raise Errno(errno.EPERM)
    new.egid = gid
    return _commit_gids(task, new)


def setregid(task: "Task", real: UInt, effective: UInt) -> int:
    old = task.creds
    real, effective = _kgid(old, real), _kgid(old, effective)
    new = old.copy()
    privileged = old.has_cap(CAP_SETGID, old.user_ns)
    if real != _KEEP:
        if not privileged and real not in (old.gid, old.egid):
            raise Errno(errno.EPERM)
        new.gid = real
    if effective != _KEEP:
        if not privileged and effective not in (old.gid, old.egid, old.sgid):
            raise Errno(errno.EPERM)
        new.egid = effective
    if real != _KEEP or (effective != _KEEP and effective != old.gid):
        new.sgid = new.egid
    return _commit_gids(task, new)


def setresgid(task: "Task", real: UInt, effective: UInt, saved: UInt) -> int:
    old = task.creds
    real, effective, saved = (_kgid(old, gid) for gid in (real, effective, saved))
    new = old.copy()
    if not old.has_cap(CAP_SETGID, old.user_ns):
        for gid in (real, effective, saved):
            if gid != _KEEP and gid not in (old.gid, old.egid, old.sgid):
                raise Errno(errno.EPERM)
    if real != _KEEP:
        new.gid = real
    if effective != _KEEP:
        new.egid = effective
    if saved != _KEEP:
        new.sgid = saved
    if (new.gid, new.egid, new.sgid) == (old.gid, old.egid, old.sgid) and (effective in (_KEEP, old.fsgid)):
        return 0  # nothing changes, not even the fsgid
    return _commit_gids(task, new)


def setfsgid(task: "Task", gid: UInt) -> int:
    old = task.creds
    gid = old.user_ns.kgid(gid)
    if gid >= 0 and (gid in (old.gid, old.egid, old.sgid, old.fsgid) or old.has_cap(CAP_SETGID, old.user_ns)):
        if gid == old.fsgid:
            return old.user_ns.show_gid(gid)
        new = old.copy()
        new.fsgid = gid
        _install(task, new)
    return old.user_ns.show_gid(old.fsgid)


def getgroups(task: "Task", size: Int, address: Ptr) -> int:
    groups = task.creds.groups
    if size < 0 or 0 < size < len(groups):
        raise Errno(errno.EINVAL)
    if size and groups:
        show = task.creds.user_ns.show_gid
        task.copy_out(address, b"".join(show(gid).to_bytes(4, "little") for gid in groups))
    return len(groups)


def setgroups(task: "Task", size: Int, address: Ptr) -> int:
    ns = task.creds.user_ns
    if not task.creds.has_cap(CAP_SETGID, ns) or not ns.gid_map or not ns.setgroups_allowed:
        raise Errno(errno.EPERM)
    if not 0 <= size <= _NGROUPS_MAX:
        raise Errno(errno.EINVAL)
    data = task.copy_in(address, size * 4) if size else b""
    groups = [ns.kgid(gid) for (gid,) in iter_unpack("<I", data)]
    if -1 in groups:
        raise Errno(errno.EINVAL)
    if Groups.entries + size > GROUPS_MAX:
        raise Errno(errno.ENOMEM)
    new = task.creds.copy()
    new.groups = Groups(sorted(groups))
    task.creds = new
    return 0


# Capabilities


def _read_header(task: "Task", address: int) -> tuple[int, int]:
    """(count of data structs, pid); EINVAL for an unknown version, for which ours is written back."""
    version, pid = HEADER.unpack(task.copy_in(address, HEADER.size))
    if version == VERSION_1:
        return 1, pid
    if version in (VERSION_2, VERSION_3):
        return 2, pid
    task.write_u32(address, VERSION_3)
    raise Errno(errno.EINVAL)


def capget(task: "Task", header: Ptr, data: Ptr) -> int:
    try:
        count, pid = _read_header(task, header)
    except Errno as error:
        if error.code == errno.EINVAL and not data:
            return 0  # only the version was asked for
        raise
    if pid < 0:
        raise Errno(errno.EINVAL)
    if not data:
        return 0
    other = task.find(pid) if pid else task
    if other is None:
        raise Errno(errno.ESRCH)
    creds = other.creds
    sets = (creds.effective, creds.permitted, creds.inheritable)
    task.copy_out(
        data,
        b"".join(DATA.pack(*(s >> shift & 0xFFFFFFFF for s in sets)) for shift in range(0, 32 * count, 32)),
    )
    return 0


def capset(task: "Task", header: Ptr, data: Ptr) -> int:
    count, pid = _read_header(task, header)
    if pid not in (0, task.local_tid):
        raise Errno(errno.EPERM)
    raw = task.copy_in(data, DATA.size * count)
    effective = permitted = inheritable = 0
    for index, (e, p, i) in enumerate(DATA.iter_unpack(raw)):
        effective |= e << 32 * index
        permitted |= p << 32 * index
        inheritable |= i << 32 * index
    effective, permitted, inheritable = effective & ALL_CAPS, permitted & ALL_CAPS, inheritable & ALL_CAPS
    old = task.creds
    if not old.has_cap(CAP_SETPCAP, old.user_ns) and inheritable & ~(old.inheritable | old.permitted):
        raise Errno(errno.EPERM)
    if (
        inheritable & ~(old.inheritable | old.bounding)
        or permitted & ~old.permitted
        or effective & ~permitted
    ):
        raise Errno(errno.EPERM)
    new = old.copy()
    new.effective, new.permitted, new.inheritable = effective, permitted, inheritable
    new.ambient &= permitted & inheritable
    task.creds = new
    return 0
