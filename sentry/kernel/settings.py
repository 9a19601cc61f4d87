"""Numbers that root may change below /proc/sys, for those who obey them (sysctl(8), proc(5)).

One machine has one set, whatever the namespace of who writes.
"""

from __future__ import annotations

_INT_MAX = 2**31 - 1
TASKS_MAX = 8192  # each is a host thread: kernel.threads-max beyond it is only told
PID_MAX_MOST = 1 << 22

# name: (first value, least, most); what is out of bounds is refused: EINVAL
KERNEL = {
    "core_uses_pid": (0, -_INT_MAX, _INT_MAX),
    "pid_max": (32768, 301, PID_MAX_MOST),
    "sched_rr_timeslice_ms": (100, -_INT_MAX, _INT_MAX),
    "threads-max": (TASKS_MAX, 1, 0x3FFFFFFF),
}
# What may be done in directories that everybody may write to.  Distributions set more than the kernel does.
FS = {
    "protected_fifos": (0, 0, 2),
    "protected_hardlinks": (1, 0, 1),
    "protected_regular": (0, 0, 2),
    "protected_symlinks": (0, 0, 1),
}
# How a machine's memory is looked after: this one has no swap, no disk and no page cache of its own, so that
# nothing depends on them but what they tell.
VM = {
    "admin_reserve_kbytes": (8192, 0, _INT_MAX),
    "compaction_proactiveness": (20, 0, 100),
    "dirty_background_ratio": (10, 0, 100),
    "dirty_expire_centisecs": (3000, 0, _INT_MAX),
    "dirty_ratio": (20, 0, 100),
    "dirty_writeback_centisecs": (500, 0, _INT_MAX),
    "dirtytime_expire_seconds": (43200, 0, _INT_MAX),
    "drop_caches": (0, 1, 4),
    "laptop_mode": (0, 0, _INT_MAX),
    "legacy_va_layout": (0, 0, _INT_MAX),
    "min_free_kbytes": (67584, 0, _INT_MAX),
    "page-cluster": (3, 0, 31),
    "stat_interval": (1, 0, _INT_MAX),
    "swappiness": (60, 0, 200),
    "user_reserve_kbytes": (131072, 0, _INT_MAX),
    "vfs_cache_pressure": (100, 0, _INT_MAX),
    "watermark_scale_factor": (10, 1, 3000),
    "zone_reclaim_mode": (0, 0, _INT_MAX),
}

values: dict[str, int] = {name: first for name, (first, _, _) in (KERNEL | FS | VM).items()}
