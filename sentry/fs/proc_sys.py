"""/proc/sys: what this kernel's limits and settings are (sysctl(8), proc(5)).

Only names that something here obeys can be written; the rest tell a fact and are read-only.
"""

from __future__ import annotations

import os
from errno import EPERM

from sentry._core import count_files
from sentry.abi.aio import AIO_MAX_NR
from sentry.abi.capability import CAP_SYS_ADMIN, NAMES
from sentry.errors import Errno
from sentry.fs.dev import ENTROPY_BITS
from sentry.fs.devpts import PTYS_MAX, DevPts
from sentry.fs.proc_ipc import ipc_controls, mqueue_controls
from sentry.fs.proc_keys import key_controls
from sentry.fs.proc_sys_names import NameInode
from sentry.fs.proc_sys_namespaces import namespace_limits, show_last_pid, store_last_pid
from sentry.fs.pseudo import fixed, parse_decimal, parse_int
from sentry.ipc import aio
from sentry.kernel import acct, core_pattern, settings, version
from sentry.kernel.namespaces import uts_names
from sentry.mm.layout import GUEST_START, MAX_MAP_COUNT
from sentry.vfs import epoll, leases
from sentry.vfs.mounts.mount_namespace import MOUNTS_MAX
from sentry.vfs.notify import dnotify, fanotify, inotify
from sentry.vfs.pipe import PIPE_MAX_SIZE, USER_PAGES_SOFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.fs.pseudo import Show, Store, Tree
    from sentry.kernel.kernel import Kernel
    from sentry.kernel.task import Task
    from sentry.vfs.inode import Inode
    from sentry.vfs.mounts.mount import FileSystem

NR_OPEN = 1 << 20
NGROUPS_MAX = 65536
OVERFLOW_ID = 65534


def _uuid() -> bytes:
    """A random UUID (RFC 4122, version 4) and a newline."""
    data = bytearray(os.urandom(16))
    data[6] = data[6] & 0x0F | 0x40
    data[8] = data[8] & 0x3F | 0x80
    text = data.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:])).encode() + b"\n"


def _setting(values: dict[str, int], name: str, most: int = 0x7FFFFFFF) -> tuple[Show, Store]:
    """A number that root may change."""

    def show(task: Task) -> bytes:
        return b"%d\n" % values[name]

    def store(task: Task, data: bytes) -> None:
        if not task.creds.has_cap(CAP_SYS_ADMIN):
            raise Errno(EPERM)
        values[name] = parse_decimal(data, most)

    return show, store


def _settings(bounds: dict[str, tuple[int, int, int]]) -> dict[bytes, tuple[Show, Store]]:
    """Numbers that root may change within bounds (sentry.kernel.settings)."""

    def entry(name: str, least: int, most: int) -> tuple[Show, Store]:
        def store(task: Task, data: bytes) -> None:
            if not task.creds.has_cap(CAP_SYS_ADMIN):
                raise Errno(EPERM)
            settings.values[name] = parse_int(data, least, most)

        return lambda task: b"%d\n" % settings.values[name], store

    return {name.encode(): entry(name, least, most) for name, (_, least, most) in bounds.items()}


def _ptys(task: Task) -> bytes:
    mounts = task.ns.mnt.mounts
    return b"%d\n" % sum(len(fs.terminals) for fs in {mount.fs for mount in mounts} if isinstance(fs, DevPts))


def _numbers(**values: int | str | bytes) -> dict[bytes, Show]:
    """Files that tell a number or a text that never changes, by their names."""
    files = {}
    for name, value in values.items():
        text = value if isinstance(value, bytes) else str(value).encode()
        files[name.encode()] = fixed(text + b"\n")
    return files


def system_controls(kernel: Kernel, fs: FileSystem) -> Tree:
    """The tree below /proc/sys."""
    boot_id = _uuid()
    return {
        b"abi": {},
        b"debug": {},
        b"dev": {},
        b"fs": _fs(),
        b"kernel": _kernel(boot_id, fs),
        b"net": {
            b"core": _numbers(
                netdev_max_backlog=1000, optmem_max=131072, rmem_default=212992, rmem_max=212992,
                somaxconn=4096, wmem_default=212992, wmem_max=212992,
            ),
            b"unix": _numbers(max_dgram_qlen=512),
        },
        b"user": namespace_limits(),
        b"vm": _settings(settings.VM) | _numbers(
            compact_memory=0, dirty_background_bytes=0, dirty_bytes=0,
            max_map_count=MAX_MAP_COUNT, mmap_min_addr=GUEST_START,
            nr_hugepages=0, oom_kill_allocating_task=0, overcommit_kbytes=0, overcommit_memory=0,
            overcommit_ratio=50, nr_overcommit_hugepages=0, hugetlb_shm_group=0,
            panic_on_oom=0,
        ) | {b"memfd_noexec": (_show_memfd_noexec, _store_memfd_noexec)},
    }  # fmt: skip


def _fs() -> dict[bytes, Tree | Show | tuple[Show, Store]]:
    numbers: dict[str, int | str | bytes] = {
        "dentry-state": "0\t0\t45\t0\t0\t0", "file-max": count_files()[1],
        "inode-nr": "0\t0", "inode-state": "0\t0\t0\t0\t0\t0\t0", "mount-max": MOUNTS_MAX,
        "nr_open": NR_OPEN, "overflowgid": OVERFLOW_ID, "overflowuid": OVERFLOW_ID,
        "pipe-max-size": PIPE_MAX_SIZE, "pipe-user-pages-hard": 0, "pipe-user-pages-soft": USER_PAGES_SOFT,
        "suid_dumpable": 0,
    }  # fmt: skip
    tree: dict[bytes, Tree | Show | tuple[Show, Store]] = dict(_numbers(**numbers))
    tree |= _settings(settings.FS)
    tree[b"epoll"] = {
        name.encode(): _setting(epoll.settings, name, epoll.MAX_WATCHES) for name in epoll.settings
    }
    tree[b"file-nr"] = lambda task: b"%d\t0\t%d\n" % count_files()
    tree |= {name.encode(): _setting(leases.limits, name) for name in leases.limits}
    tree |= {name.encode(): _setting(dnotify.settings, name) for name in dnotify.settings}
    tree[b"inotify"] = {name.encode(): _setting(inotify.limits, name) for name in inotify.limits}
    tree[b"fanotify"] = {name.encode(): _setting(fanotify.limits, name) for name in fanotify.limits}
    tree[b"mqueue"] = mqueue_controls()
    tree[b"aio-nr"] = lambda task: b"%d\n" % aio.totals.events
    tree[b"aio-max-nr"] = (lambda task: b"%d\n" % aio.totals.limit, _store_aio_limit)
    return tree


def _show_memfd_noexec(task: Task) -> bytes:
    return b"%d\n" % task.group.pid_ns.memfd_noexec


def _store_memfd_noexec(task: Task, data: bytes) -> None:
    namespace = task.group.pid_ns
    if not task.creds.has_cap(CAP_SYS_ADMIN, namespace.owner):
        raise Errno(EPERM)
    above = namespace.parent.memfd_noexec if namespace.parent is not None else 0
    namespace.memfd_noexec = parse_int(data, above, 2)


def _store_aio_limit(task: Task, data: bytes) -> None:
    aio.totals.limit = parse_int(data, 0, AIO_MAX_NR)  # Linux takes more, which we have no memory for


def _store_accounting(task: Task, data: bytes) -> None:
    if not task.creds.has_cap(CAP_SYS_ADMIN):
        raise Errno(EPERM)
    words = data.split()
    values = [parse_int(word, -(2**31), 2**31 - 1) for word in words[:3]]
    acct.parameters[: len(values)] = values


def _show_core_pattern(task: Task) -> bytes:
    return core_pattern.pattern[0] + b"\n"


def _store_core_pattern(task: Task, data: bytes) -> None:
    core_pattern.set_pattern(data)


def _kernel(boot_id: bytes, fs: FileSystem) -> Tree:
    tree: dict[bytes, Tree | Show | tuple[Show, Store] | Inode] = dict(
        _numbers(
            cap_last_cap=len(NAMES) - 1, core_pipe_limit=0,
            dmesg_restrict=1, kptr_restrict=2,
            ngroups_max=NGROUPS_MAX, osrelease=version.RELEASE, ostype=version.SYSNAME,
            overflowgid=OVERFLOW_ID, overflowuid=OVERFLOW_ID, panic=0, panic_on_oops=0,
            printk="4\t4\t1\t7", randomize_va_space=2, sched_rt_period_us=1000000, sched_rt_runtime_us=950000,
            sysctl_writes_strict=1, tainted=0, version=version.VERSION,
        )
    )  # fmt: skip
    tree.update(_settings(settings.KERNEL))
    tree.update(ipc_controls())
    tree[b"acct"] = (lambda task: b"%d\t%d\t%d\n" % tuple(acct.parameters)), _store_accounting
    tree[b"core_pattern"] = _show_core_pattern, _store_core_pattern
    tree[b"keys"] = key_controls()
    tree[b"hostname"] = NameInode(fs, uts_names.HOST)
    tree[b"domainname"] = NameInode(fs, uts_names.DOMAIN)
    tree[b"ns_last_pid"] = show_last_pid, store_last_pid
    tree[b"pty"] = {**_numbers(max=PTYS_MAX, reserve=0), b"nr": _ptys}
    tree[b"seccomp"] = {
        b"actions_avail": b"kill_process kill_thread trap errno user_notif trace log allow\n",
        b"actions_logged": b"kill_process kill_thread trap errno user_notif trace log\n",
    }
    tree[b"random"] = {
        **_numbers(entropy_avail=ENTROPY_BITS, poolsize=ENTROPY_BITS, urandom_min_reseed_secs=60,
                   write_wakeup_threshold=ENTROPY_BITS),
        b"boot_id": fixed(boot_id),
        b"uuid": lambda task: _uuid(),
    }  # fmt: skip
    return tree
