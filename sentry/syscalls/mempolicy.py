"""Memory policy: mbind(2), set_mempolicy(2), get_mempolicy(2), migrate_pages(2), move_pages(2), ..."""

from errno import E2BIG, EFAULT, EINTR, EINVAL, ENODEV, ENOENT, EPERM, ESRCH

from sentry.abi.capability import CAP_SYS_NICE
from sentry.abi.mempolicy import (
    MAX_NUMNODES,
    MPOL_DEFAULT,
    MPOL_F_ADDR,
    MPOL_F_MEMS_ALLOWED,
    MPOL_F_NODE,
    MPOL_INTERLEAVE,
    MPOL_MF_MOVE,
    MPOL_MF_MOVE_ALL,
    MPOL_MF_VALID,
    MPOL_WEIGHTED_INTERLEAVE,
)
from sentry.abi.mman import PAGE_MASK, PAGE_SIZE, PROT_NONE
from sentry.errors import Errno
from sentry.fs.proc_access import may_inspect
from sentry.kernel.wait import INTERRUPTED, suspend
from sentry.mm import policy
from sentry.syscalls.args import Int, Ptr, Size, UInt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sentry.kernel.task import Task

_MASK_BITS_MAX = PAGE_SIZE * 8
_PAGES_AT_ONCE = 1024
_PAGES_MAX = 1 << 20  # in one call


def _read_nodes(task: "Task", address: int, maxnode: int) -> int:
    """A node mask from guest memory: EFAULT, EINVAL for a mask of absurd size or with impossible nodes."""
    bits = (maxnode - 1) & 2**64 - 1
    if not bits or not address:
        return 0
    if bits > _MASK_BITS_MAX:
        raise Errno(EINVAL)
    data = task.copy_in(address, (bits + 63) // 64 * 8)
    nodes = int.from_bytes(data, "little") & (1 << bits) - 1
    if nodes >> MAX_NUMNODES:
        raise Errno(EINVAL)
    return nodes


def _write_nodes(task: "Task", address: int, maxnode: int, nodes: int) -> None:
    length = (maxnode - 1 + 63) // 64 * 8
    if length > PAGE_SIZE:
        raise Errno(EINVAL)
    if length:
        task.copy_out(address, (nodes & (1 << 8 * length) - 1).to_bytes(length, "little"))


def set_mempolicy(task: "Task", mode: Int, mask: Ptr, maxnode: Size) -> int:
    _check_mode(mode)
    task.mempolicy = policy.make(mode, _read_nodes(task, mask, maxnode))
    return 0


def _check_mode(mode: int) -> None:
    if mode < 0:
        raise Errno(EINVAL)


def mbind(task: "Task", addr: Ptr, length: Size, mode: Int, mask: Ptr, maxnode: Size, flags: UInt) -> int:
    _check_mode(mode)
    nodes = _read_nodes(task, mask, maxnode)
    if flags & ~MPOL_MF_VALID:
        raise Errno(EINVAL)
    if flags & MPOL_MF_MOVE_ALL and not task.creds.has_cap(CAP_SYS_NICE):
        raise Errno(EPERM)
    policy.bind(task.mm, addr, length, policy.make(mode, nodes))
    return 0


def get_mempolicy(task: "Task", mode: Ptr, mask: Ptr, maxnode: Size, addr: Ptr, flags: Size) -> int:
    if mask and maxnode < policy.NODES.bit_length():
        raise Errno(EINVAL)
    if flags & ~(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED):
        raise Errno(EINVAL)
    if flags & MPOL_F_MEMS_ALLOWED:
        if flags & (MPOL_F_NODE | MPOL_F_ADDR):
            raise Errno(EINVAL)
        word, nodes = MPOL_DEFAULT, policy.NODES
    else:
        word, nodes = _asked(task, addr, flags)
    if mode:
        task.write_u32(mode, word)
    if mask:
        _write_nodes(task, mask, maxnode, nodes)
    return 0


def _asked(task: "Task", addr: int, flags: int) -> tuple[int, int]:
    """What get_mempolicy(2) tells: a policy or, with MPOL_F_NODE, a node; and the nodes."""
    found = task.mempolicy
    if flags & MPOL_F_ADDR:
        vma = task.mm.find(addr)
        if vma is None or (flags & MPOL_F_NODE and vma.prot == PROT_NONE):
            raise Errno(EFAULT)
        found = policy.of(vma)
    elif addr:
        raise Errno(EINVAL)
    nodes = found.nodes if found is not None else 0
    if flags & MPOL_F_NODE:
        interleaved = found is not None and found.mode in (MPOL_INTERLEAVE, MPOL_WEIGHTED_INTERLEAVE)
        if not flags & MPOL_F_ADDR and not interleaved:
            raise Errno(EINVAL)
        return 0, nodes  # node 0: of the page, or the next one that interleaving will take
    return found.word if found is not None else MPOL_DEFAULT, nodes


def set_mempolicy_home_node(task: "Task", addr: Ptr, length: Size, node: Size, flags: Size) -> int:
    if addr & ~PAGE_MASK or flags or node >= MAX_NUMNODES or not policy.NODES >> node & 1:
        raise Errno(EINVAL)
    policy.set_home_node(task.mm, addr, length)
    return 0


# Pages that move: there is nowhere else to go


def _absent(other: "Task", address: int) -> int:
    """-ENOENT for a page that isn't in memory."""
    start = address & PAGE_MASK
    present = other.kernel.host_proc.pages(other.group.usage.host_pid, start, start + PAGE_SIZE)
    return 0 if present is None or present[0] else -ENOENT


def _other_task(task: "Task", pid: int) -> "Task":
    """A process whose pages may be asked about: ESRCH, EPERM, EINVAL (it has no memory)."""
    other = task.find(pid) if pid else task
    if other is None:
        raise Errno(ESRCH)
    if not may_inspect(task, other):
        raise Errno(EPERM)
    if other.mm is None:
        raise Errno(EINVAL)
    return other


def migrate_pages(task: "Task", pid: Int, maxnode: Size, old: Ptr, new: Ptr) -> int:
    _read_nodes(task, old, maxnode)
    nodes = _read_nodes(task, new, maxnode)
    other = task.find(pid) if pid else task
    if other is None:
        raise Errno(ESRCH)
    if not may_inspect(task, other):
        raise Errno(EPERM)
    if nodes & ~policy.NODES and not task.creds.has_cap(CAP_SYS_NICE):
        raise Errno(EPERM)
    if not nodes & policy.NODES or other.mm is None:
        raise Errno(EINVAL)
    return 0


def move_pages(
    task: "Task", pid: Int, count: Size, pages: Ptr, nodes: Ptr, status: Ptr, flags: Int
) -> "int | Coroutine[None, None, int]":
    if flags & ~(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL):
        raise Errno(EINVAL)
    if flags & MPOL_MF_MOVE_ALL and not task.creds.has_cap(CAP_SYS_NICE):
        raise Errno(EPERM)
    other = _other_task(task, pid)
    if count > _PAGES_MAX:
        raise Errno(E2BIG)  # as Linux had it until 2.6.29
    if count > _PAGES_AT_ONCE:
        return _tell_in_turns(task, other, count, pages, nodes, status)
    _tell_pages(task, other, count, pages, nodes, status)
    return 0


async def _tell_in_turns(task: "Task", other: "Task", count: int, pages: int, nodes: int, status: int) -> int:
    """Others run between the parts, and a fatal signal ends it."""
    mm = other.mm
    for done in range(0, count, _PAGES_AT_ONCE):
        part = min(count - done, _PAGES_AT_ONCE)
        at = nodes + 4 * done if nodes else 0
        _tell_pages(task, other, part, pages + 8 * done, at, status + 4 * done)
        if await suspend(task, 0, interruptible=False) == INTERRUPTED:
            raise Errno(EINTR)
        if other.mm is not mm:
            raise Errno(ESRCH)  # what was asked about is gone
    return 0


def _tell_pages(task: "Task", other: "Task", count: int, pages: int, nodes: int, status: int) -> None:
    mm = other.mm
    assert mm is not None
    addresses = memoryview(task.copy_in(pages, 8 * count)).cast("Q")
    if nodes:
        for node in memoryview(task.copy_in(nodes, 4 * count)).cast("i"):
            _check_node(node)
    answers = [policy.node_of(mm, address) or _absent(other, address) for address in addresses]
    task.copy_out(status, b"".join([x.to_bytes(4, "little", signed=True) for x in answers]))


def _check_node(node: int) -> None:
    if node < 0 or not policy.NODES >> min(node, MAX_NUMNODES) & 1:
        raise Errno(ENODEV)
