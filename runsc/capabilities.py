"""Linux capabilities by name (capabilities(7)); the kernel and the sentry know them as bits."""

from __future__ import annotations

NAMES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
)  # fmt: skip
ALL = (1 << len(NAMES)) - 1


def mask(names: list[str] | tuple[str, ...]) -> int:
    """The bits of capabilities named with or without `CAP_`.  Raises KeyError with an unknown name."""
    bits = 0
    for name in names:
        try:
            bits |= 1 << NAMES.index(name.removeprefix("CAP_"))
        except ValueError:
            raise KeyError(name) from None
    return bits


def names(bits: int) -> list[str]:
    """The names, with `CAP_`, of a mask's bits."""
    return [f"CAP_{name}" for number, name in enumerate(NAMES) if bits >> number & 1]
