"""statmount, listmount."""

from errno import E2BIG, EFAULT, EINVAL, EOVERFLOW
from struct import pack

from sentry.abi.mount import LISTMOUNT_REVERSE, LSMT_ROOT, MNT_ID_REQ, MNT_ID_REQ_NS
from sentry.errors import Errno
from sentry.syscalls.args import Ptr, Size, UInt
from sentry.vfs.mounts import mount_listing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

_PAGE = 4096
_LIST_MAX = 1_000_000
_USER_END = 0x7FFFFFFFF000


def _request(task: "Task", address: int) -> tuple[int, int, int]:
    """struct mnt_id_req: the mount's id, the call's parameter, the namespace's id; E2BIG, EINVAL."""
    size = task.read_u32(address)
    if size > _PAGE:
        raise Errno(E2BIG)
    if size < MNT_ID_REQ.size:
        raise Errno(EINVAL)
    data = task.copy_in(address, size)
    known = MNT_ID_REQ.size + MNT_ID_REQ_NS.size
    if data[known:].strip(b"\0"):
        raise Errno(E2BIG)
    _, spare, number, parameter = MNT_ID_REQ.unpack_from(data)
    if spare:
        raise Errno(EINVAL)
    mount_listing.check_id(number)
    namespace = MNT_ID_REQ_NS.unpack_from(data.ljust(known, b"\0"), MNT_ID_REQ.size)[0]
    return number, parameter, namespace


def statmount(task: "Task", request: Ptr, buffer: Ptr, size: Size, flags: UInt) -> int:
    if flags:
        raise Errno(EINVAL)
    number, wanted, in_namespace = _request(task, request)
    namespace = mount_listing.namespace_of(task, in_namespace)
    if buffer + size > _USER_END:
        raise Errno(EFAULT)
    mount = mount_listing.find(namespace, number)
    task.copy_out(buffer, mount_listing.describe(task, namespace, mount, wanted, size))
    return 0


def listmount(task: "Task", request: Ptr, ids: Ptr, count: Size, flags: UInt) -> int:
    if flags & ~LISTMOUNT_REVERSE:
        raise Errno(EINVAL)
    if count > _LIST_MAX:
        raise Errno(EOVERFLOW)
    if ids + 8 * count > _USER_END:
        raise Errno(EFAULT)
    number, after, in_namespace = _request(task, request)
    if after:
        mount_listing.check_id(after)
    namespace = mount_listing.namespace_of(task, in_namespace)
    parent = None if number == LSMT_ROOT else mount_listing.find(namespace, number)
    found = mount_listing.below(task, namespace, parent, after, bool(flags & LISTMOUNT_REVERSE))[:count]
    task.copy_out(ids, pack(f"={len(found)}Q", *found))
    return len(found)
