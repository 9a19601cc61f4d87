"""What open files keep of a text or a listing, made when they were read first, so that reads go on in it.

All of that lies in the sentry's memory.  What must hold: together it is no larger than MOST, but for the
newest; the oldest are forgotten, and made anew when they are read again.
"""

from __future__ import annotations

from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.vfs.file import File

MOST = 1 << 28  # bytes
_SMALL = 1024  # bytes, with which nobody takes much

_held: dict[ref[File], int] = {}
total = 0


def hold(file: File, size: int) -> None:
    """`file` keeps `size` bytes now, in place of what it had before."""
    global total
    key = ref(file, _gone)
    _gone(key)
    if size < _SMALL:
        return
    _held[key] = size
    total += size
    while total > MOST and len(_held) > 1:
        oldest = next(iter(_held))
        _gone(oldest)
        other = oldest()
        if other is not None:
            other.forget()


def _gone(key: ref[File]) -> None:
    global total
    total -= _held.pop(key, 0)
