"""sysfs(5): the little of it that programs probe: CPUs, memory, huge pages, the loopback interface, and empty
classes of devices.
"""

from __future__ import annotations

from sentry.abi.mount import MS_NODEV, MS_NOEXEC
from sentry.fs.host_facts import HostFacts, host_facts
from sentry.fs.kernfs import KernfsDirectory
from sentry.fs.sysfs_cpu import cpu_directory
from sentry.fs.sysfs_net import class_directory, interface_directory
from sentry.kernel import cpus
from sentry.vfs.mounts.mount import FileSystem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.fs.pseudo import Tree
    from sentry.kernel.kernel import Kernel
    from sentry.kernel.task import Task

SYSFS_MAGIC = 0x62656572


class SysFs(FileSystem):
    """One mount of sysfs; its names don't change."""

    imposed = MS_NOEXEC | MS_NODEV

    def __init__(self, mask: int) -> None:
        """`mask`: the CPUs of the sandbox."""
        super().__init__(b"sysfs", SYSFS_MAGIC)
        facts = host_facts()
        self.set_root(KernfsDirectory(self, lambda: _tree(self, facts, mask)))


def _tree(fs: SysFs, facts: HostFacts, mask: int) -> Tree:
    return {
        b"block": {},
        b"bus": {},
        b"class": {
            b"block": {},
            b"drm": {},
            b"net": class_directory(fs),
            b"power_supply": {},
            b"thermal": {},
            b"tty": {},
        },
        b"dev": {b"block": {}, b"char": {}},
        b"devices": {
            b"system": {b"cpu": cpu_directory(mask), b"node": _node_directory(facts, mask)},
            b"virtual": {b"dmi": {b"id": {}}, b"net": {b"lo": interface_directory(fs)}},
        },
        b"firmware": {},
        b"fs": {b"cgroup": {}},
        b"hypervisor": {},
        b"kernel": {
            b"debug": {},
            b"mm": {
                b"hugepages": {b"hugepages-2048kB": _huge_pages(), b"hugepages-1048576kB": _huge_pages()},
                b"transparent_hugepage": {
                    b"enabled": b"always [madvise] never\n",
                    b"defrag": b"always defer defer+madvise [madvise] never\n",
                    b"hpage_pmd_size": b"2097152\n",
                    b"shmem_enabled": b"always within_size advise [never] deny force\n",
                },
            },
            b"security": {},
        },
        b"module": {},
        b"power": {},
    }


def _huge_pages() -> Tree:
    """A pool of huge pages: there are none (see vfs.hugetlb)."""
    names = (
        b"free_hugepages", b"nr_hugepages", b"nr_hugepages_mempolicy", b"nr_overcommit_hugepages",
        b"resv_hugepages", b"surplus_hugepages",
    )  # fmt: skip
    return dict.fromkeys(names, b"0\n")


def _node_directory(facts: HostFacts, mask: int) -> Tree:
    def meminfo(task: Task) -> bytes:
        sizes = facts.memory(task.kernel)
        fields = (b"MemTotal", b"MemFree")
        return b"".join([b"Node 0 %-16b%8d kB\n" % (field + b":", sizes[field]) for field in fields])

    one = b"0\n"
    return {
        b"has_cpu": one,
        b"has_memory": one,
        b"node0": {
            b"cpulist": cpus.list_text(mask) + b"\n",
            b"cpumap": cpus.mask_text(mask, mask) + b"\n",
            b"distance": b"10\n",
            b"meminfo": meminfo,
        },
        b"online": one,
        b"possible": one,
    }


def mount(kernel: Kernel, options: list[str]) -> FileSystem:
    """A sysfs; it has no options."""
    return SysFs(kernel.cpus)
