"""What the system is: uname(2), sysinfo(2), host and domain name, getcpu(2)."""

import errno
from struct import Struct

from sentry.abi.capability import CAP_SYS_ADMIN
from sentry.abi.personality import PER_LINUX32, PER_MASK, UNAME26
from sentry.abi.time import CLOCK_BOOTTIME, NSEC
from sentry.errors import Errno
from sentry.fs.host_facts import host_facts
from sentry.kernel import version
from sentry.kernel.namespaces import uts_names
from sentry.kernel.timekeeping import clock
from sentry.kernel.usage import last_cpu
from sentry.syscalls.args import Int, Ptr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

_UTS_LENGTH = 64
_UTSNAME = Struct("65s65s65s65s65s65s")
# uptime, loads[3], total, free, shared, buffer, total swap, free swap, processes, total high, free high, unit
_SYSINFO = Struct("<q9QH6xQQI4x")


def uname(task: "Task", address: Ptr) -> int:
    uts = task.ns.uts
    names = (
        version.SYSNAME,
        uts.hostname,
        version.RELEASE if not task.personality & UNAME26 else version.RELEASE_26,
        version.VERSION,
        version.MACHINE if task.personality & PER_MASK != PER_LINUX32 else version.MACHINE_32,
        uts.domainname,
    )
    task.copy_out(address, _UTSNAME.pack(*names))
    return 0


def _read_name(task: "Task", address: int, length: int) -> bytes:
    if not task.creds.has_cap(CAP_SYS_ADMIN, task.ns.uts.owner):
        raise Errno(errno.EPERM)
    if not 0 <= length <= _UTS_LENGTH:
        raise Errno(errno.EINVAL)
    return task.copy_in(address, length) if length else b""


def sethostname(task: "Task", address: Ptr, length: Int) -> int:
    uts_names.HOST.set(task, _read_name(task, address, length))
    return 0


def setdomainname(task: "Task", address: Ptr, length: Int) -> int:
    uts_names.DOMAIN.set(task, _read_name(task, address, length))
    return 0


def sysinfo(task: "Task", address: Ptr) -> int:
    sizes = host_facts().memory(task.kernel)
    total, free = sizes[b"MemTotal"] * 1024, sizes[b"MemFree"] * 1024
    uptime = clock.read(task, CLOCK_BOOTTIME) // NSEC
    processes = min(len(task.kernel.tasks), 0xFFFF)
    task.copy_out(address, _SYSINFO.pack(uptime, 0, 0, 0, total, free, 0, 0, 0, 0, processes, 0, 0, 1))
    return 0


def getcpu(task: "Task", cpu: Ptr, node: Ptr, cache: Ptr) -> int:
    if cpu:
        task.write_u32(cpu, last_cpu(task))
    if node:
        task.write_u32(node, 0)
    return 0
