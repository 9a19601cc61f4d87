"""Memory of memfd_secret(2): its owner's instructions and calls reach it, but no page of it is ever pinned.

So what works on pages, instead of copying through the caller's own mapping, finds nothing there: other
processes and debuggers, direct I/O, vmsplice(2), futexes of shared memory.
"""

from __future__ import annotations

from errno import EFAULT

from sentry.errors import Errno
from sentry.mm.vma import VM_SECRET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.mm.space import AddressSpace


def pinnable(mm: AddressSpace, vector: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The vector up to its first secret byte; EFAULT when it begins with that."""
    if not mm.secret:
        return vector
    visible: list[tuple[int, int]] = []
    for addr, length in vector:
        end = addr + length
        secret = (
            [vma.start for vma in mm.areas.overlapping(addr, end) if vma.flags & VM_SECRET] if length else []
        )
        if not secret:
            visible.append((addr, length))
            continue
        if secret[0] > addr:
            visible.append((addr, secret[0] - addr))
        if not any(part for _, part in visible):
            raise Errno(EFAULT)
        break
    return visible
