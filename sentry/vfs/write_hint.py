"""How long what is written to a file will live, as its writer says (fcntl(2), "File read/write hints")."""

from __future__ import annotations

from _weakref import ref
from errno import EINVAL, EPERM

from sentry.errors import Errno
from sentry.vfs.permissions import is_owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.vfs.inode import Inode

_EXTREME = 5
_hints: dict[ref[Inode], int] = {}


def get(inode: Inode) -> int:
    return _hints.get(ref(inode), 0)


def set(creds: Creds, inode: Inode, hint: int) -> None:
    """F_SET_RW_HINT: EINVAL, EPERM."""
    if not is_owner(creds, inode):
        raise Errno(EPERM)
    if hint > _EXTREME:
        raise Errno(EINVAL)
    key = ref(inode, lambda gone: _hints.pop(gone, None) and None)
    _hints.pop(key, None)
    if hint:
        _hints[key] = hint
