"""Doubles for the memory manager's tests: a host that keeps a table of pages, and a task that has limits."""

from __future__ import annotations

from errno import EFAULT, ENOMEM
from types import SimpleNamespace
from typing import Any

import pytest

from sentry.abi.mman import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_PRIVATE,
    MAP_SHARED,
    MREMAP_DONTUNMAP,
    PROT_READ,
    PROT_WRITE,
)
from sentry.abi.resource import RLIM_INFINITY, RLIM_NLIMITS, RLIMIT_STACK
from sentry.errors import Errno
from sentry.mm.space import AddressSpace
from sentry.mm.vma import map_kind

PAGE = 4096
RW = PROT_READ | PROT_WRITE
ANON = MAP_PRIVATE | MAP_ANONYMOUS
SHARED_ANON = MAP_SHARED | MAP_ANONYMOUS
BASE = 0x7F0000000000


class HostContext:
    """A Context whose address space is a dict of pages; it records orders and refuses what it is told to."""

    def __init__(self) -> None:
        self.pages: dict[int, tuple[int, bool, int, int]] = {}  # page -> prot, shared, fd, offset
        self.bytes: dict[int, bytes] = {}
        self.orders: list[tuple[Any, ...]] = []
        self.refuse: dict[str, int] = {}  # order -> errno of its next use
        self.advised: list[tuple[int, int, int]] = []

    def _order(self, name: str, *args: int) -> None:
        self.orders.append((name, *args))
        error = self.refuse.pop(name, 0)
        if error:
            raise Errno(error)

    def map(self, addr: int, length: int, prot: int, flags: int, fd: int = -1, offset: int = 0) -> None:
        self._order("map", addr, length, prot, flags, fd, offset)
        assert flags & MAP_FIXED
        assert addr % PAGE == length % PAGE == offset % PAGE == 0
        assert length
        assert (fd < 0) == bool(flags & MAP_ANONYMOUS)
        for page in range(addr, addr + length, PAGE):
            self.pages[page] = (prot, bool(flags & MAP_SHARED), fd, offset + page - addr)

    def unmap(self, addr: int, length: int) -> None:
        self._order("unmap", addr, length)
        assert addr % PAGE == length % PAGE == 0
        for page in range(addr, addr + length, PAGE):
            self.pages.pop(page, None)

    def protect(self, addr: int, length: int, prot: int) -> None:
        self._order("protect", addr, length, prot)
        for page in range(addr, addr + length, PAGE):
            if page not in self.pages:
                raise Errno(ENOMEM)
            self.pages[page] = (prot, *self.pages[page][1:])

    def remap(self, old: int, old_length: int, new_length: int, flags: int, target: int) -> None:
        self._order("remap", old, old_length, new_length, flags, target)
        assert target + new_length <= old or old + max(old_length, PAGE) <= target
        moved = [self.pages[page] for page in range(old, old + max(old_length, PAGE), PAGE)]
        if old_length and not flags & MREMAP_DONTUNMAP:
            for page in range(old, old + old_length, PAGE):
                del self.pages[page]
        prot, shared, fd, offset = moved[0]
        for index in range(new_length // PAGE):
            self.pages[target + index * PAGE] = (prot, shared, fd, offset + index * PAGE)

    def advise(self, addr: int, length: int, advice: int) -> None:
        self._order("advise", addr, length, advice)
        self.advised.append((addr, length, advice))

    def sync(self, addr: int, length: int, flags: int) -> None:
        self._order("sync", addr, length, flags)

    def write(self, addr: int, data: bytes) -> int:
        self._order("write", addr, len(data))
        for page in range(addr & -PAGE, addr + len(data), PAGE):
            if not self.pages.get(page, (0,))[0] & 2:
                raise Errno(EFAULT)
        self.bytes[addr] = bytes(data)
        return len(data)


class FakeGroup:
    def __init__(self) -> None:
        self.rlimits = [(RLIM_INFINITY, RLIM_INFINITY)] * RLIM_NLIMITS
        self.rlimits[RLIMIT_STACK] = (8 << 20, RLIM_INFINITY)
        self.dead = False

    def limit(self, resource: int, value: int) -> None:
        self.rlimits[resource] = (value, RLIM_INFINITY)


class FakeCreds:
    uid = euid = suid = fsuid = 1000
    gid = egid = sgid = fsgid = 1000
    groups = ()
    landlock = ()
    idmap = None

    def __init__(self) -> None:
        self.capabilities: set[int] = set()

    def has_cap(self, capability: int) -> bool:
        return capability in self.capabilities

    def has_cap_over(self, capability: int, inode: Any) -> bool:
        return capability in self.capabilities

    def in_group(self, gid: int) -> bool:
        return gid == self.fsgid


class FakeTask:
    """What the memory manager needs of a Task."""

    shifted = reads_execute = False

    def __init__(self, base: int = 0x7F0000000000) -> None:
        self.ctx = HostContext()
        self.group = FakeGroup()
        self.creds = FakeCreds()
        self.mm = AddressSpace(base)
        self.root: Any = None

    def agrees(self) -> bool:
        """Whether the list says what the host has, page by page."""
        expected = {}
        for vma in self.mm.areas:
            for page in range(vma.start, vma.end, PAGE):
                expected[page] = (vma.prot, map_kind(vma.flags, vma.file is not None) == MAP_SHARED)
        return expected == {page: entry[:2] for page, entry in self.ctx.pages.items()}


class FakeMount:
    flags = 0
    idmap = None


class FakePath:
    def __init__(self, inode: Any) -> None:
        self.inode = inode
        self.mount = FakeMount()
        self.dentry = SimpleNamespace(inode=inode)
        self.text = b"/bin/program"

    def shown(self, root: Any) -> bytes:
        return self.text


class FakeInode:
    ino = 77
    dev = 0x802
    fsuid = 0
    volatile = False
    guarded = False
    acls = None
    uid = gid = 0
    fs_flags = writers = 0

    def __init__(self, content: bytes = b"", mode: int = 0o100755) -> None:
        self.content = content
        self.mode = mode

    def open(self, task: Any, path: Any, flags: int) -> FakeFile:
        return FakeFile(path, flags)


class Source:
    def __init__(self, fd: int, inode: Any) -> None:
        self.fd = fd
        self.key = self.inode = inode
        self.name = b"/file"


class FakeFile:
    """An open regular file of host descriptor 5."""

    noexec = False
    page_size = 4096
    mapping_flags = 0

    def __init__(self, path: Any = None, flags: int = 0, fd: int = 5) -> None:
        self.path = path if path is not None else FakePath(FakeInode())
        self.inode = self.path.inode
        self.flags = flags
        self.readable = flags & 3 != 1
        self.writable = flags & 3 != 0
        self.fd = fd

    def read(self, task: Any, count: int, pos: int) -> bytes:
        content: bytes = self.inode.content
        return content[pos : pos + count]

    def mmap(self, task: Any, prot: int, flags: int, offset: int, length: int) -> Source:
        return Source(self.fd, self.inode)


# What the tests say with them


def errno_of(call: Any, *args: Any) -> int:
    """The errno with which a call fails."""
    with pytest.raises(Errno) as caught:
        call(*args)
    return caught.value.code


def ranges(task: Any) -> list[tuple[int, int]]:
    return [(vma.start, vma.end) for vma in task.mm.areas]


def mmap(
    task: Any, addr: int, pages: int, prot: int = RW, flags: int = ANON, file: Any = None, offset: int = 0
) -> int:
    result: int = task.mm.mmap(task, addr, pages * PAGE, prot, flags, file, offset)
    return result
