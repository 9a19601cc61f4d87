"""Structs that may grow with the kernel: a program says how large it knows them (copy_struct_from_user)."""

from errno import E2BIG, EINVAL

from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from struct import Struct
    from typing import Any

    from sentry.kernel.task import Task

_SIZE_MAX = 4096


def copy_in_struct(
    task: "Task", layout: "Struct", address: int, size: int, least: int | None = None
) -> "tuple[Any, ...]":
    """The fields that we know, 0 for those that the program doesn't.

    Args:
        least: the size of the first version; all of `layout` by default.

    Raises Errno: EINVAL (`size` is less than the first version's), E2BIG (it is more than a page, or there is
    something in fields that we don't know), EFAULT.
    """
    if size < (layout.size if least is None else least):
        raise Errno(EINVAL)
    if size > _SIZE_MAX:
        raise Errno(E2BIG)
    data = task.copy_in(address, size)
    if any(data[layout.size :]):
        raise Errno(E2BIG)
    return layout.unpack_from(data.ljust(layout.size, b"\0"))
