"""The files of /proc/PID and /proc/PID/task/TID: the table, and the inodes made from it.

A line says name, mode, how the text is made, and whether the reader must pass the ptrace access check.
"""

from __future__ import annotations

from errno import EACCES, EINVAL, EIO, ENOENT, EPERM

from sentry.abi.capability import CAP_SYS_NICE, CAP_SYS_RESOURCE
from sentry.abi.stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from sentry.errors import Errno
from sentry.fs import nsfs, proc_maps, proc_mounts, proc_net, proc_status, proc_task, proc_time
from sentry.fs.proc_access import check_alive, check_inspect, owner
from sentry.fs.pseudo import PseudoInode, TextFile, TextInode, UnwatchedFile, parse_int
from sentry.kernel.namespaces.pid_namespace import INITIAL, PidNamespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.kernel.namespaces.namespaces import Namespace
    from sentry.kernel.task import Task
    from sentry.vfs.file import File
    from sentry.vfs.mounts.mount import FileSystem
    from sentry.vfs.path import Path

    Show = Callable[[Task, Task], bytes]  # (about whom, who reads)
    ShowNumbered = Callable[[Task, Task, PidNamespace], bytes]
    Store = Callable[[Task, Task, bytes], None]

COMM_MAX = 15
COREDUMP_BITS = 0x1FF  # of coredump_filter (core(5))
OOM_SCORE_ADJ_MIN, OOM_SCORE_ADJ_MAX = -1000, 1000


class Entry:
    """One name; `number` is its place in the task's inode numbers."""

    __slots__ = (
        "dtype",
        "follow",
        "inspect",
        "mode",
        "name",
        "names",
        "number",
        "numbered",
        "opened_as",
        "show",
        "store",
        "watchable",
    )

    _last = 0

    def __init__(
        self, name: bytes, mode: int, show: Show | None = None, store: Store | None = None,
        inspect: bool = False, follow: Callable[[Task, Task], Path | bytes] | None = None,
        names: list[Entry] | None = None, opened_as: type[proc_mounts.StatsFile] | None = None,
        numbered: ShowNumbered | None = None, watchable: bool = False,
    ) -> None:  # fmt: skip
        self.name = name
        self.mode = mode & 0o7777
        self.dtype = (mode & S_IFMT or S_IFREG) >> 12
        self.show = show
        self.store = store
        self.inspect = inspect
        self.follow = follow
        self.names = names
        self.numbered = numbered  # makes the text with the numbers of proc's PID namespace
        self.opened_as = opened_as  # the kind of open file, if it is one of the mounts' own
        self.watchable = watchable  # by epoll(7)
        Entry._last += 1
        self.number = Entry._last


class TaskText(TextInode):
    """A generated text about a task."""

    __slots__ = ("inspect", "opened_as", "spliceable", "task", "watchable")

    def __init__(self, fs: FileSystem, task: Task, entry: Entry, ino: int) -> None:
        self.spliceable = entry.opened_as is not None  # of Linux's, those of the mounts alone
        show, store, numbered = entry.show, entry.store, entry.numbered
        pid_ns: PidNamespace = getattr(fs, "pid_ns", INITIAL)

        def read(reader: Task) -> bytes:
            check_alive(task)
            if numbered is not None:
                return numbered(task, reader, pid_ns)
            assert show is not None
            return show(task, reader)

        def write(writer: Task, data: bytes) -> None:
            check_alive(task)
            assert store is not None
            store(task, writer, data)

        uid, gid = owner(task)
        super().__init__(fs, read, write if store is not None else None, entry.mode, ino, uid, gid)
        self.task = task
        self.inspect = entry.inspect
        self.watchable = entry.watchable
        self.opened_as = entry.opened_as

    def open(self, task: Task, path: Path, flags: int) -> File:
        check_alive(self.task)
        if self.inspect:
            check_inspect(task, self.task)
        if self.opened_as is not None:
            return self.opened_as(flags, path, self, self.task)
        return (TextFile if self.watchable else UnwatchedFile)(flags, path, self)


class TaskLink(PseudoInode):
    """A magic link: it leads to a file itself, whatever its name is now (proc(5))."""

    __slots__ = ("_follow", "task")

    def __init__(self, fs: FileSystem, task: Task, entry: Entry, ino: int) -> None:
        super().__init__(fs, S_IFLNK | 0o777, ino=ino)
        assert entry.follow is not None
        self._follow = entry.follow
        self.task = task

    def follow(self, task: Task) -> Path | bytes:
        check_alive(self.task)
        check_inspect(task, self.task)
        return self._follow(self.task, task)


# Links


def _exe(target: Task, reader: Task) -> Path:
    mm = target.mm
    exe = mm.exe if mm is not None else None
    if exe is None:
        raise Errno(ENOENT)
    return exe.place()


def _cwd(target: Task, reader: Task) -> Path:
    if target.fs is None:
        raise Errno(ENOENT)
    return target.fs.cwd


def _root(target: Task, reader: Task) -> Path:
    if target.fs is None:
        raise Errno(ENOENT)
    return target.fs.root


def _namespace(name: bytes) -> Entry:
    def follow(target: Task, reader: Task) -> Path:
        return nsfs.place(_namespace_of(target, name))

    return Entry(name, S_IFLNK | 0o777, follow=follow)


def _namespace_of(target: Task, name: bytes) -> Namespace:
    """What the link `name` in /proc/PID/ns leads to; ENOENT when there is none (any more)."""
    if name == b"user":
        return target.creds.user_ns
    if name == b"pid":
        return target.group.pid_ns
    if target.ns is None:
        raise Errno(ENOENT)
    namespace: Namespace = getattr(target.ns, name.decode())
    if isinstance(namespace, PidNamespace) and namespace.level and namespace.init is None:
        raise Errno(ENOENT)  # it takes shape with its first process
    return namespace


# Settings


def _set_comm(target: Task, writer: Task, data: bytes) -> None:
    if writer.group is not target.group:
        raise Errno(EINVAL)
    target.comm = data.split(b"\0")[0].rstrip(b"\n")[:COMM_MAX]


def _set_oom_score_adj(target: Task, writer: Task, data: bytes) -> None:
    value = parse_int(data, OOM_SCORE_ADJ_MIN, OOM_SCORE_ADJ_MAX)
    if value < target.group.oom_score_adj and not writer.creds.has_cap(CAP_SYS_RESOURCE):
        raise Errno(EACCES)
    target.group.oom_score_adj = value


def _set_oom_adj(target: Task, writer: Task, data: bytes) -> None:
    value = parse_int(data, -17, 15)
    scaled = OOM_SCORE_ADJ_MAX if value == 15 else value * OOM_SCORE_ADJ_MAX // 17
    _set_oom_score_adj(target, writer, b"%d" % scaled)


def _set_coredump_filter(target: Task, writer: Task, data: bytes) -> None:
    """Remembered only: no core is ever dumped."""
    target.group.coredump_filter = parse_int(data, 0, 2**32 - 1) & COREDUMP_BITS


def _refuse(target: Task, writer: Task, data: bytes) -> None:
    """A setting that is fixed in a sandbox: user namespace maps, security labels."""
    raise Errno(EPERM)


def _set_timer_slack(target: Task, writer: Task, data: bytes) -> None:
    if target is not writer and not writer.creds.has_cap(CAP_SYS_NICE, target.creds.user_ns):
        raise Errno(EPERM)
    slack = parse_int(data, 0, 2**63) or target.default_timer_slack
    target.timer_slack = 0 if target.sched.is_realtime() else slack


def _ignore_clear(target: Task, writer: Task, data: bytes) -> None:
    """clear_refs: the host keeps the referenced bits; a wrong value is still an error."""
    parse_int(data, 1, 5)


def _fixed(text: bytes) -> Show:
    return lambda target, reader: text


def _no_memory_file(target: Task, reader: Task) -> bytes:
    raise Errno(EIO)


_DIRECTORY = S_IFDIR | 0o555

_COMMON = [
    Entry(b"fd", S_IFDIR | 0o500),
    Entry(b"fdinfo", S_IFDIR | 0o555),
    Entry(
        b"ns",
        S_IFDIR | 0o511,
        names=[
            _namespace(b"cgroup"),
            _namespace(b"ipc"),
            _namespace(b"mnt"),
            _namespace(b"net"),
            _namespace(b"pid"),
            _namespace(b"pid_for_children"),
            _namespace(b"time"),
            _namespace(b"time_for_children"),
            _namespace(b"user"),
            _namespace(b"uts"),
        ],
    ),
    Entry(
        b"net",
        _DIRECTORY,
        names=[
            *(Entry(name, 0o444, _fixed(text), watchable=True) for name, text in proc_net.TABLES.items()),
            *(Entry(name, 0o444, show, watchable=True) for name, show in proc_net.SHOWN.items()),
        ],
    ),
    Entry(
        b"attr",
        _DIRECTORY,
        names=[
            Entry(name, 0o666, proc_task.no_label, _refuse)
            for name in (b"current", b"prev", b"exec", b"fscreate", b"keycreate", b"sockcreate")
        ],
    ),
    Entry(b"mem", 0o600),
    Entry(b"pagemap", 0o400),
    Entry(b"environ", 0o400, proc_task.environ, inspect=True),
    Entry(b"auxv", 0o400, proc_task.auxv, inspect=True),
    Entry(b"personality", 0o400, proc_task.personality, inspect=True),
    Entry(b"limits", 0o444, proc_task.limits),
    Entry(b"sched", 0o644, store=_refuse, numbered=proc_task.sched),
    Entry(b"comm", 0o644, proc_task.comm, _set_comm),
    Entry(b"syscall", 0o400, proc_task.syscall, inspect=True),
    Entry(b"cmdline", 0o444, proc_task.cmdline),
    Entry(b"maps", 0o444, proc_maps.maps, inspect=True),
    Entry(b"smaps", 0o444, proc_maps.smaps, inspect=True),
    Entry(b"smaps_rollup", 0o444, proc_maps.smaps_rollup, inspect=True),
    Entry(b"numa_maps", 0o444, proc_maps.numa_maps, inspect=True),
    Entry(b"statm", 0o444, proc_maps.statm),
    Entry(b"cwd", S_IFLNK, follow=_cwd),
    Entry(b"root", S_IFLNK, follow=_root),
    Entry(b"exe", S_IFLNK, follow=_exe),
    Entry(b"mounts", 0o444, proc_mounts.mounts, opened_as=proc_mounts.MountsFile),
    Entry(b"mountinfo", 0o444, proc_mounts.mountinfo, opened_as=proc_mounts.MountsFile),
    Entry(b"clear_refs", 0o200, _no_memory_file, _ignore_clear),
    Entry(b"wchan", 0o444, proc_task.wchan),
    Entry(b"stack", 0o400, proc_task.stack, inspect=True),
    Entry(b"schedstat", 0o444, proc_task.schedstat),
    Entry(b"cpuset", 0o444, proc_task.cpuset),
    Entry(b"cgroup", 0o444, proc_task.cgroup),
    Entry(b"oom_score", 0o444, proc_task.oom_score),
    Entry(b"oom_adj", 0o644, proc_task.oom_adj, _set_oom_adj),
    Entry(b"oom_score_adj", 0o644, proc_task.oom_score_adj, _set_oom_score_adj),
    Entry(b"loginuid", 0o644, proc_task.loginuid, _refuse),
    Entry(b"sessionid", 0o444, proc_task.loginuid),
    Entry(b"ksm_merging_pages", 0o400, _fixed(b"0\n")),
    Entry(b"ksm_stat", 0o400, proc_task.ksm_stat),
    Entry(b"uid_map", 0o644),
    Entry(b"gid_map", 0o644),
    Entry(b"projid_map", 0o644),
    Entry(b"setgroups", 0o644),
]

_PROCESS = [
    Entry(b"task", S_IFDIR | 0o555),
    Entry(b"map_files", S_IFDIR | 0o500),
    Entry(b"status", 0o444, numbered=proc_status.status),
    Entry(b"stat", 0o444, numbered=proc_status.process_stat),
    Entry(b"io", 0o400, proc_task.io, inspect=True),
    Entry(b"mountstats", 0o400, proc_mounts.mountstats, opened_as=proc_mounts.StatsFile),
    Entry(b"autogroup", 0o644, proc_task.autogroup, _refuse),
    Entry(b"coredump_filter", 0o644, proc_task.coredump_filter, _set_coredump_filter),
    Entry(b"timens_offsets", 0o644, proc_time.show_offsets, proc_time.store_offsets),
    Entry(b"timers", 0o444, numbered=proc_task.timers),
    Entry(b"timerslack_ns", 0o666, proc_task.timerslack, _set_timer_slack),
]

_THREAD = [
    Entry(b"status", 0o444, numbered=proc_status.status),
    Entry(b"stat", 0o444, numbered=proc_status.thread_stat),
    Entry(b"io", 0o400, proc_task.thread_io, inspect=True),
    Entry(b"children", 0o444, numbered=proc_task.children),
]

PROCESS_FILES = {entry.name: entry for entry in _PROCESS + _COMMON}
THREAD_FILES = {entry.name: entry for entry in _THREAD + _COMMON}
