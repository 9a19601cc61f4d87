"""The files of /proc about the sandbox as a whole; formats as in proc(5)."""

from __future__ import annotations

from time import CLOCK_BOOTTIME, CLOCK_REALTIME, clock_gettime_ns

from sentry import _core
from sentry.abi.fcntl import POLLIN, POLLRDNORM
from sentry.abi.time import NSEC, NSEC_PER_TICK
from sentry.fs.host_facts import host_facts
from sentry.fs.pressure import PROC_FILE
from sentry.fs.proc_ipc import SYSVIPC
from sentry.fs.proc_keys import show_keys, show_users
from sentry.fs.proc_locks import show_locks
from sentry.fs.pseudo import Unspliced, fixed
from sentry.kernel import cpus, version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.fs.pseudo import Tree
    from sentry.kernel.kernel import Kernel
    from sentry.kernel.task import Task

_LOAD_PERIODS = (60, 300, 900)  # seconds
_E = 2.718281828459045  # not math.e: one shared library less to load
_NODEV = (
    b"sysfs", b"tmpfs", b"proc", b"cgroup2", b"devtmpfs", b"sockfs", b"pipefs", b"ramfs", b"devpts",
    b"anon_inodefs", b"mqueue", b"overlay",
)  # fmt: skip
_CHARACTER_DEVICES = ((1, b"mem"), (4, b"/dev/vc/0"), (5, b"/dev/tty"), (5, b"/dev/console"), (5,
b"/dev/ptmx"),
                      (10, b"misc"), (128, b"ptm"), (136, b"pts"))  # fmt: skip
_TTY_DRIVERS = (
    b"/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
    b"/dev/console         /dev/console    5       1 system:console\n"
    b"/dev/ptmx            /dev/ptmx       5       2 system\n"
    b"pty_slave            /dev/pts      136 0-1048575 pty:slave\n"
    b"pty_master           /dev/ptm      128 0-1048575 pty:master\n"
)


def file_system_names() -> list[bytes]:
    """What /proc/filesystems lists, in its order."""
    return list(_NODEV)


class SystemView:
    """What the files below tell, from the host's facts and the running averages kept here."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.facts = host_facts()
        self._loads = [0.0, 0.0, 0.0]
        self._load_time = _core.monotonic()
        self._load_used = 0
        self._used = 0

    # Time

    def used(self) -> int:
        """CPU time in ns of all that has run, dead processes included; never goes back."""
        groups = self.kernel.groups.values()
        self._used = max(self._used, sum(group.usage.cpu() + group.usage.children.cpu for group in groups))
        return self._used

    def uptime(self, task: Task) -> bytes:
        """Seconds since boot, as the clocks have it, and the idle time of all CPUs."""
        up = clock_gettime_ns(CLOCK_BOOTTIME) + task.ns.time.boottime
        idle = max(up * self.kernel.cpus.bit_count() - self.used(), 0)
        return b"%b %b\n" % (_hundredths(up), _hundredths(idle))

    def loadavg(self, task: Task) -> bytes:
        """The CPUs in use, averaged as Linux averages its run queue; brought up to date when read."""
        now, used = _core.monotonic(), self.used()
        elapsed = (now - self._load_time) / NSEC
        if elapsed > 0.01:
            rate = (used - self._load_used) / (now - self._load_time)
            for index, period in enumerate(_LOAD_PERIODS):
                kept = _E ** (-elapsed / period)
                self._loads[index] = self._loads[index] * kept + rate * (1 - kept)
            self._load_time, self._load_used = now, used
        loads = b" ".join([f"{load:.2f}".encode() for load in self._loads])
        tasks = self.kernel.tasks.values()
        running = sum(task.state == "running" for task in tasks)
        return b"%b %d/%d %d\n" % (loads, running, len(tasks), self.kernel.pids.last)

    def stat(self, task: Task) -> bytes:
        ticks = self.used() // NSEC_PER_TICK
        up = clock_gettime_ns(CLOCK_BOOTTIME) // NSEC_PER_TICK
        line = b"%b %d 0 0 %d 0 0 0 0 0 0\n"
        numbers = cpus.numbers(self.kernel.cpus)
        lines = [line % (b"cpu ", ticks, max(up * len(numbers) - ticks, 0))]
        share = ticks // len(numbers)
        lines += [line % (b"cpu%d" % number, share, max(up - share, 0)) for number in numbers]
        machine = self.kernel.machine
        boot = (clock_gettime_ns(CLOCK_REALTIME) - clock_gettime_ns(CLOCK_BOOTTIME)) // NSEC
        states = [task.state for task in self.kernel.tasks.values()]
        lines += [
            b"intr 0\n",
            b"ctxt %d\n" % (machine.hot_calls + machine.cold_calls),
            b"btime %d\n" % boot,
            b"processes %d\n" % self.kernel.pids.last,
            b"procs_running %d\n" % states.count("running"),
            b"procs_blocked 0\n",
            b"softirq 0 0 0 0 0 0 0 0 0 0 0\n",
        ]
        return b"".join(lines)

    # Memory and processors

    def meminfo(self, task: Task) -> bytes:
        sizes = self.facts.memory(self.kernel)
        total, free = sizes[b"MemTotal"], sizes[b"MemFree"]
        cached = min(sizes[b"Cached"], total - free)
        used = max(total - free - cached - sizes[b"Buffers"] - sizes[b"SReclaimable"], 0)
        fields = (
            (b"MemTotal", total), (b"MemFree", free), (b"MemAvailable", sizes[b"MemAvailable"]),
            (b"Buffers", sizes[b"Buffers"]), (b"Cached", cached), (b"SwapCached", 0), (b"Active", used),
            (b"Inactive", cached), (b"Active(anon)", used), (b"Inactive(anon)", 0), (b"Active(file)", 0),
            (b"Inactive(file)", cached), (b"Unevictable", 0), (b"Mlocked", 0), (b"SwapTotal", 0),
            (b"SwapFree", 0), (b"Zswap", 0), (b"Zswapped", 0), (b"Dirty", 0), (b"Writeback", 0),
            (b"AnonPages", used), (b"Mapped", 0),
            (b"Shmem", 0), (b"KReclaimable", sizes[b"SReclaimable"]), (b"Slab", sizes[b"SReclaimable"]),
            (b"SReclaimable", sizes[b"SReclaimable"]), (b"SUnreclaim", 0), (b"KernelStack", 0),
            (b"PageTables", 0), (b"SecPageTables", 0), (b"NFS_Unstable", 0), (b"Bounce", 0),
            (b"WritebackTmp", 0), (b"CommitLimit", total // 2), (b"Committed_AS", used),
            (b"VmallocTotal", 34359738367), (b"VmallocUsed", 0),
            (b"VmallocChunk", 0), (b"Percpu", 0), (b"AnonHugePages", 0),
            (b"ShmemHugePages", 0), (b"ShmemPmdMapped", 0), (b"FileHugePages", 0), (b"FilePmdMapped", 0),
        )  # fmt: skip
        lines = [b"%-16b%8d kB\n" % (name + b":", size) for name, size in fields]
        for name in (b"HugePages_Total", b"HugePages_Free", b"HugePages_Rsvd", b"HugePages_Surp"):
            lines.append(b"%-16b%8d\n" % (name + b":", 0))
        lines.append(b"Hugepagesize:       2048 kB\nHugetlb:               0 kB\n")
        return b"".join(lines)

    def cpuinfo(self, task: Task) -> bytes:
        return self.facts.cpuinfo(self.kernel.cpus)

    def vmstat(self, task: Task) -> bytes:
        sizes = self.facts.memory(self.kernel)
        fields = (
            (b"nr_free_pages", sizes[b"MemFree"] // 4), (b"nr_file_pages", sizes[b"Cached"] // 4),
            (b"nr_dirty", 0), (b"nr_writeback", 0), (b"pgpgin", 0), (b"pgpgout", 0), (b"pswpin", 0),
            (b"pswpout", 0), (b"pgfault", 0), (b"pgmajfault", 0), (b"oom_kill", 0),
        )  # fmt: skip
        return b"".join([b"%b %d\n" % field for field in fields])

    def zoneinfo(self, task: Task) -> bytes:
        """One zone with all memory."""
        sizes = self.facts.memory(self.kernel)
        total, free = sizes[b"MemTotal"] // 4, sizes[b"MemFree"] // 4
        low = total // 256
        rows = (
            (b"pages free", free), (b"boost", 0), (b"min", low), (b"low", low * 5 // 4),
            (b"high", low * 3 // 2), (b"spanned", total), (b"present", total), (b"managed", total),
        )  # fmt: skip
        lines = [b"  %b%d\n" % (name.rjust(8).ljust(13) if index else b"pages free     ", value)
                 for index, (name, value) in enumerate(rows)]  # fmt: skip
        return b"Node 0, zone   Normal\n" + b"".join(lines) + b"        protection: (0, 0, 0)\n"

    def buddyinfo(self, task: Task) -> bytes:
        """Free memory as blocks of the largest order."""
        blocks = self.facts.memory(self.kernel)[b"MemFree"] // 4096
        return b"Node 0, zone   Normal " + b"%6d " * 11 % (*(0,) * 10, blocks) + b"\n"


def _hundredths(time: int) -> bytes:
    seconds, rest = divmod(time, NSEC)
    return b"%d.%02d" % (seconds, rest // 10_000_000)


def _devices() -> bytes:
    lines = [b"%3d %b\n" % device for device in _CHARACTER_DEVICES]
    return b"Character devices:\n" + b"".join(lines) + b"\nBlock devices:\n"


def _cgroups() -> bytes:
    names = (b"cpuset", b"cpu", b"cpuacct", b"blkio", b"memory", b"pids")
    head = b"#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
    return head + b"".join([b"%b\t0\t1\t1\n" % name for name in names])


def system_files(view: SystemView) -> Tree:
    """The files of /proc's root directory."""
    numbers = cpus.numbers(view.kernel.cpus)
    return {
        b"cgroups": _cgroups(),
        b"buddyinfo": view.buddyinfo,
        b"cmdline": b"runsc-py\n",
        b"consoles": b"",
        b"cpuinfo": view.cpuinfo,
        b"crypto": b"",
        b"devices": _devices(),
        b"diskstats": b"",
        b"execdomains": b"0-0\tLinux           \t[kernel]\n",
        b"filesystems": b"".join([b"nodev\t%b\n" % name for name in _NODEV]),
        b"kallsyms": Unspliced(fixed(b"")),
        b"interrupts": b"     " + b"".join([b"      CPU%d" % number for number in numbers]) + b"\n",
        b"key-users": show_users,
        b"keys": show_keys,
        b"loadavg": view.loadavg,
        b"locks": show_locks,
        b"meminfo": view.meminfo,
        b"misc": b"",
        b"modules": Unspliced(fixed(b"")),
        b"partitions": b"major minor  #blocks  name\n\n",
        b"pressure": dict.fromkeys((b"cpu", b"io", b"memory"), PROC_FILE),
        b"softirqs": b"                    " + b"".join([b"CPU%-8d" % number for number in numbers]) + b"\n",
        b"stat": view.stat,
        b"swaps": Unspliced(
            fixed(b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"), POLLIN | POLLRDNORM
        ),
        b"sysvipc": SYSVIPC,
        b"tty": {b"driver": {}, b"drivers": _TTY_DRIVERS, b"ldisc": {}, b"ldiscs": b"n_tty       0\n"},
        b"uptime": view.uptime,
        b"version": version.PROC_VERSION + b"\n",
        b"vmstat": view.vmstat,
        b"zoneinfo": view.zoneinfo,
    }
