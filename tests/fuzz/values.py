"""The constants that random programs are made of."""

from __future__ import annotations

PATHS = (
    "a", "b", "c", "d", "d/a", "d/b", "d/e", "d/e/f", "l", "l/..", "./a", "..", ".", "/", "", "/tmp",
    "/tmp/play/a", "/tmp/play/d/../a", "fifo", "sock", "/proc/self", "/proc/self/fd/0", "/proc/self/fd/3",
    "/proc/self/fd/4", "/proc/self/exe", "/proc/self/maps", "/proc/self/status", "/proc/self/task",
    "/proc/1/root", "/proc/2/stat", "/proc/self/environ", "/proc/self/mem", "/proc/self/comm",
    "/proc/self/oom_score_adj", "/proc/sys/kernel/hostname", "/proc/mounts", "/proc", "/dev/null",
    "/dev/zero", "/dev/full", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts/0", "/dev/pts/1",
    "/dev/fd/3", "/dev/shm/x", "/etc/passwd", "/usr/bin/true", "/usr", "/host", "/host/a", "/host/d",
    "/host/d/x", "/host/../tmp", "/nowhere/x", "x" * 255, "y" * 256, "a/", "d/", "a/b", "\udcff\udcfe",
    "/proc/self/cwd/a", "/proc/self/ns/user", "/proc/self/ns/mnt", "/proc/self/uid_map", "/proc/sysvipc/shm",
    "/proc/self/setgroups", "/proc/self/mountinfo", "/sys/fs/cgroup", "/dev/mqueue",
    "/proc/thread-self/fd", "/sys", "/sys/kernel", "d/m", "d/m/x",
)  # fmt: skip
NAMES = ("user.a", "user.b", "trusted.x", "security.y", "system.posix_acl_access", "user.", "z" * 300, "name")
FSTYPES = ("tmpfs", "proc", "sysfs", "devpts", "ext4", "devtmpfs", "mqueue", "overlay", "cgroup2")
TEXTS = {
    "name": NAMES,
    "mqname": ("q", "r", "", "x/y", "m" * 256),
    "keytype": ("user", "keyring", "logon", "nothing"),
    "keyname": ("k", "a:b", "", "_ses", "n" * 5000),
}
LENGTHS = (
    0,
    1,
    2,
    4,
    7,
    8,
    16,
    64,
    100,
    128,
    1000,
    4095,
    4096,
    4097,
    8192,
    65536,
    65537,
    200000,
    1 << 20,
    1 << 31,
    1 << 63,
    (1 << 64) - 1,
)
OFFSETS = (
    0,
    0,
    1,
    10,
    100,
    4095,
    4096,
    8192,
    65536,
    1 << 20,
    1 << 24,
    (1 << 24) + 1,
    1 << 31,
    1 << 40,
    (1 << 63) - 1,
    1 << 63,
    (1 << 64) - 1,
)
MODES = (0, 0o400, 0o600, 0o644, 0o755, 0o777, 0o1777, 0o2755, 0o4755, 0o7777, 0o170000)
SIGNALS = (0, 1, 2, 3, 6, 9, 10, 11, 12, 13, 15, 17, 18, 19, 20, 23, 28, 32, 34, 40, 64, 65, -1)
TIMES = (0, 1, 1000, 100000, 2000000, 999999999, 1000000000, -1, 1 << 62)
