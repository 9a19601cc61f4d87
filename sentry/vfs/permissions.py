"""Who may do what with a file (path_resolution(7), capabilities(7))."""

from __future__ import annotations

from errno import EACCES, EOVERFLOW, EPERM

from sentry._core import bits_permit
from sentry.abi.capability import CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
from sentry.abi.file_flags import FS_APPEND_FL, FS_IMMUTABLE_FL
from sentry.abi.stat import ACCESS_EXEC, ACCESS_READ, ACCESS_WRITE, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG, S_ISVTX
from sentry.errors import Errno
from sentry.kernel import settings
from sentry.vfs.idmap import check_maker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.vfs.inode import Inode

    Acl = tuple[tuple[int, int, int], ...]  # tag, permissions, id; see vfs.posix_acl


ACL_ACCESS = b"system.posix_acl_access"
ACL_DEFAULT = b"system.posix_acl_default"
_USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x02, 0x04, 0x08, 0x10, 0x20


def permitted(creds: Creds, inode: Inode, wanted: int) -> bool:
    """Whether the ACCESS_* bits `wanted` are granted; acts for the file-system ids."""
    if creds.idmap is not None and wanted & ACCESS_WRITE and not creds.idmap.maps(inode):
        return False  # nobody's file
    if inode.guarded:
        answer = inode.permission(creds)
        if answer is not None:
            return answer
    mode = inode.mode
    if creds.fsuid == inode.uid:
        granted = mode >> 6
    elif inode.acls and mode & 0o070 and ACL_ACCESS in inode.acls:
        granted = wanted if _acl_grants(inode.acls[ACL_ACCESS], creds, inode, wanted) else 0
    elif creds.in_group(inode.gid):
        granted = mode >> 3
    else:
        granted = mode
    if wanted & ~granted & 7 == 0:
        return True
    directory = mode & S_IFMT == S_IFDIR
    if creds.has_cap_over(CAP_DAC_OVERRIDE, inode) and (
        directory or not wanted & ACCESS_EXEC or mode & 0o111
    ):
        return True
    if creds.has_cap_over(CAP_DAC_READ_SEARCH, inode):
        readable = ACCESS_READ | ACCESS_EXEC if directory else ACCESS_READ
        return wanted & ~readable == 0
    return False


def _acl_grants(acl: Acl, creds: Creds, inode: Inode, wanted: int) -> bool:
    """The access check algorithm of acl(5), for who is not the owner."""
    mask = next((permissions for tag, permissions, _ in acl if tag == _MASK), 7)
    in_some_group = False
    for tag, permissions, number in acl:
        if tag == _USER and number == creds.fsuid:
            return wanted & ~(permissions & mask) & 7 == 0
        if (tag == _GROUP_OBJ and creds.in_group(inode.gid)) or (tag == _GROUP and creds.in_group(number)):
            in_some_group = True
            if wanted & ~permissions & 7 == 0:
                return wanted & ~mask & 7 == 0
        elif tag == _OTHER and not in_some_group:
            return wanted & ~permissions & 7 == 0
    return False


def guard(inode: Inode) -> None:
    """Note whether more than its permission bits decides who may use the file."""
    inode.guarded = bool(inode.acls) or bool(inode.fs_flags & (FS_IMMUTABLE_FL | FS_APPEND_FL))


def check(creds: Creds, inode: Inode, wanted: int) -> None:
    """EACCES unless `permitted`; EPERM for writing to an immutable file."""
    if wanted & ACCESS_WRITE:
        check_mutable(inode)
    if (creds.idmap is not None or not bits_permit(creds, inode, wanted)) and not permitted(
        creds, inode, wanted
    ):
        raise Errno(EACCES)


def check_mutable(inode: Inode, or_append: bool = False) -> None:
    """EPERM for an immutable file; `or_append`: for one that may only grow, too (ioctl_iflags(2))."""
    if inode.fs_flags & (FS_IMMUTABLE_FL | FS_APPEND_FL if or_append else FS_IMMUTABLE_FL):
        raise Errno(EPERM)


def is_owner(creds: Creds, inode: Inode) -> bool:
    """Whether the task counts as the file's owner: it is, or has CAP_FOWNER (capabilities(7))."""
    ns = creds.user_ns
    return creds.fsuid == inode.uid or (creds.has_cap(CAP_FOWNER, ns) and ns.uid(inode.uid) >= 0)


def check_owner(creds: Creds, inode: Inode) -> None:
    """EPERM unless `is_owner`."""
    if not is_owner(creds, inode):
        raise Errno(EPERM)


def check_create(creds: Creds, directory: Inode) -> None:
    """EACCES unless names may be added to `directory`; EOVERFLOW: who acts can't own files there."""
    check_maker(creds)
    check(creds, directory, ACCESS_WRITE | ACCESS_EXEC)


def check_delete(creds: Creds, directory: Inode, victim: Inode) -> None:
    """EACCES or, in a sticky directory (chmod(2)), EPERM unless the name of `victim` may be taken away;
    EOVERFLOW for nobody's file."""
    if creds.idmap is not None and not creds.idmap.maps(victim):
        raise Errno(EOVERFLOW)
    check(creds, directory, ACCESS_WRITE | ACCESS_EXEC)
    if directory.fs_flags & FS_APPEND_FL:
        raise Errno(EPERM)
    check_mutable(victim, True)
    owners = victim.uid, directory.uid
    if directory.mode & S_ISVTX and creds.fsuid not in owners and not creds.has_cap_over(CAP_FOWNER, victim):
        raise Errno(EPERM)


_SHARED = S_ISVTX | 0o002  # sticky, and everybody may write to it


def check_follow(creds: Creds, directory: Inode, link: Inode) -> None:
    """/proc/sys/fs/protected_symlinks: EACCES for a link of somebody else's in a shared directory."""
    if directory.mode & _SHARED == _SHARED and link.uid not in (creds.fsuid, directory.uid):
        raise Errno(EACCES)


def check_reuse(creds: Creds, directory: Inode, inode: Inode) -> None:
    """/proc/sys/fs/protected_regular and protected_fifos: EACCES for who opens with O_CREAT what is somebody
    else's in a sticky directory."""
    if not directory.mode & S_ISVTX or inode.uid in (creds.fsuid, directory.uid):
        return
    setting = {S_IFREG: "protected_regular", S_IFIFO: "protected_fifos"}.get(inode.mode & S_IFMT)
    level = settings.values[setting] if setting is not None else 1
    if (level and directory.mode & 0o002) or (level > 1 and directory.mode & 0o020):
        raise Errno(EACCES)
