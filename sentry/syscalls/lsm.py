"""lsm_get_self_attr, lsm_set_self_attr, lsm_list_modules: no security module here has attributes."""

from errno import E2BIG, EFAULT, EINVAL, EOPNOTSUPP
from struct import Struct

from sentry.errors import Errno
from sentry.syscalls.args import Ptr, UInt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

_CAPABILITY = 100
_LANDLOCK = 110
_MODULES = (_CAPABILITY, _LANDLOCK)
_CONTEXT = Struct("=QQQQ")  # id flags len ctx_len
_FLAG_SINGLE = 1
_SIZE_MAX = 4096


def lsm_get_self_attr(task: "Task", attribute: UInt, context: Ptr, size: Ptr, flags: UInt) -> int:
    if not attribute or not size:
        raise Errno(EINVAL)
    task.read_u32(size)
    if flags:
        if flags != _FLAG_SINGLE or not context:
            raise Errno(EINVAL)
        if not _CONTEXT.unpack(task.copy_in(context, _CONTEXT.size))[0]:
            raise Errno(EINVAL)
    task.write_u32(size, 0)
    raise Errno(EOPNOTSUPP)


def lsm_set_self_attr(task: "Task", attribute: UInt, context: Ptr, size: UInt, flags: UInt) -> int:
    if flags or size < _CONTEXT.size:
        raise Errno(EINVAL)
    if size > _SIZE_MAX:
        raise Errno(E2BIG)
    _, _, length, text = _CONTEXT.unpack_from(task.copy_in(context, size))
    if size < length or length < text + _CONTEXT.size:
        raise Errno(EINVAL)
    raise Errno(EOPNOTSUPP)


def lsm_list_modules(task: "Task", ids: Ptr, size: Ptr, flags: UInt) -> int:
    if flags:
        raise Errno(EINVAL)
    if not size:
        raise Errno(EFAULT)
    room = task.read_u32(size)
    data = b"".join(number.to_bytes(8, "little") for number in _MODULES)
    task.write_u32(size, len(data))
    if room < len(data):
        raise Errno(E2BIG)
    task.copy_out(ids, data)
    return len(_MODULES)
