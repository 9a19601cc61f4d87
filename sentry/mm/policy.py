"""Memory policies: on which node memory is to be (numa(7), set_mempolicy(2)).

A sandbox has one memory node, number 0, so that a policy changes nothing about where memory is; but it is
checked, kept and told as on Linux.  A task has a policy (None: the default) and so has each mapping: there it
is a number in the upper bits of Vma.flags, so that neighbours with different policies stay apart and copies
keep it.
"""

from __future__ import annotations

from errno import EFAULT, EINVAL, ENOENT, ENOMEM, EOPNOTSUPP

from sentry._core import VM_POLICY_SHIFT
from sentry.abi.mempolicy import (
    MPOL_BIND,
    MPOL_DEFAULT,
    MPOL_F_NUMA_BALANCING,
    MPOL_F_RELATIVE_NODES,
    MPOL_F_STATIC_NODES,
    MPOL_LOCAL,
    MPOL_MODE_FLAGS,
    MPOL_PREFERRED,
    MPOL_PREFERRED_MANY,
    MPOL_WEIGHTED_INTERLEAVE,
)
from sentry.abi.mman import PAGE_MASK, PAGE_SIZE, PROT_NONE
from sentry.errors import Errno
from sentry.mm.vma import VM_SPECIAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.mm.space import AddressSpace
    from sentry.mm.vma import Vma

NODES = 1  # the nodes with memory, as a mask
_COUNT_MAX = 1 << 32 - VM_POLICY_SHIFT
_FLAGS_MASK = (1 << VM_POLICY_SHIFT) - 1
_USERS_MASK = MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES  # the mask is told as it was given


class Policy:
    """One policy, never changed: its mode without and its flags, and the nodes as told to who asks."""

    __slots__ = ("mode", "nodes", "word")

    def __init__(self, mode: int, flags: int, nodes: int) -> None:
        self.mode = mode
        self.word = mode | flags  # as get_mempolicy(2) tells it
        self.nodes = nodes


# Every policy that some mapping ever had, by its number less one: there are few, since there is one node.
_known: list[Policy] = []


def make(word: int, nodes: int) -> Policy | None:
    """The policy that set_mempolicy(2) or mbind(2) describe, None: the default one; EINVAL."""
    mode, flags = word & ~MPOL_MODE_FLAGS, word & MPOL_MODE_FLAGS
    if not 0 <= mode <= MPOL_WEIGHTED_INTERLEAVE or flags & _USERS_MASK == _USERS_MASK:
        raise Errno(EINVAL)
    if flags & MPOL_F_NUMA_BALANCING and mode not in (MPOL_BIND, MPOL_PREFERRED_MANY):
        raise Errno(EINVAL)
    if mode == MPOL_DEFAULT:
        if nodes:
            raise Errno(EINVAL)
        return None
    if mode == MPOL_LOCAL or (mode == MPOL_PREFERRED and not nodes):
        if nodes or flags & _USERS_MASK:
            raise Errno(EINVAL)
        return Policy(MPOL_LOCAL, flags, 0)
    # Relative nodes are folded onto those that there are; otherwise only existing ones count.
    usable = nodes if flags & MPOL_F_RELATIVE_NODES else nodes & NODES
    if not usable:
        raise Errno(EINVAL)
    return Policy(mode, flags, nodes if flags & _USERS_MASK else NODES)


def of(vma: Vma) -> Policy | None:
    """The mapping's own policy."""
    number = vma.flags >> VM_POLICY_SHIFT
    return _known[number - 1] if number else None


def _number(policy: Policy | None) -> int:
    if policy is None:
        return 0
    for number, known in enumerate(_known, 1):
        if known.word == policy.word and known.nodes == policy.nodes:
            return number
    if len(_known) + 1 >= _COUNT_MAX:
        raise Errno(ENOMEM)
    _known.append(policy)
    return len(_known)


def bind(mm: AddressSpace, addr: int, length: int, policy: Policy | None) -> None:
    """Give a range's mappings a policy (mbind(2)); EINVAL, EFAULT: a hole."""
    end = (addr + (length + PAGE_SIZE - 1 & 2**64 - 1 & PAGE_MASK)) & 2**64 - 1
    if addr & ~PAGE_MASK or end < addr:
        raise Errno(EINVAL)
    if end == addr:
        return
    areas = mm.areas
    # For the default policy Linux passes over holes, but for one at the start.
    if areas.find(addr) is None if policy is None else areas.covered(addr, end) < end:
        raise Errno(EFAULT)
    bits = _number(policy) << VM_POLICY_SHIFT
    if bits or any(vma.flags >> VM_POLICY_SHIFT for vma in areas.overlapping(addr, end)):
        areas.update(addr, end, lambda vma: vma.changed(vma.prot, vma.flags & _FLAGS_MASK | bits))


def set_home_node(mm: AddressSpace, addr: int, length: int) -> None:
    """set_mempolicy_home_node(2) for node 0; EINVAL, EOPNOTSUPP for other modes, ENOENT without a policy."""
    end = (addr + (length + PAGE_SIZE - 1 & 2**64 - 1 & PAGE_MASK)) & 2**64 - 1
    if end < addr:
        raise Errno(EINVAL)
    if end == addr:
        return
    result = ENOENT
    for vma in mm.areas.overlapping(addr, end):
        policy = of(vma)
        if policy is None:
            continue
        if policy.mode not in (MPOL_BIND, MPOL_PREFERRED_MANY):
            raise Errno(EOPNOTSUPP)
        result = 0
    if result:
        raise Errno(result)


def node_of(mm: AddressSpace, addr: int) -> int:
    """Where the page at `addr` is, as move_pages(2) tells: node 0, or the negative errno EFAULT."""
    vma = mm.find(addr)
    if vma is None or vma.flags & VM_SPECIAL or vma.prot == PROT_NONE:
        return -EFAULT
    return 0
