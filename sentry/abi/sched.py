"""Scheduling policies and structures (sched(7), sched_setattr(2))."""

from __future__ import annotations

from struct import Struct

SCHED_OTHER = 0
SCHED_FIFO = 1
SCHED_RR = 2
SCHED_BATCH = 3
SCHED_IDLE = 5
SCHED_DEADLINE = 6
SCHED_EXT = 7
SCHED_RESET_ON_FORK = 0x40000000

# sched_attr.sched_flags
SCHED_FLAG_RESET_ON_FORK = 0x01
SCHED_FLAG_RECLAIM = 0x02
SCHED_FLAG_DL_OVERRUN = 0x04
SCHED_FLAG_KEEP_POLICY = 0x08
SCHED_FLAG_KEEP_PARAMS = 0x10
SCHED_FLAG_UTIL_CLAMP = 0x60
SCHED_FLAG_ALL = 0x7F

SCHED_PARAM = Struct("<i")
# size, policy, flags, nice, priority, runtime, deadline, period, util_min, util_max
SCHED_ATTR = Struct("<IIQiIQQQII")
SCHED_ATTR_SIZE_VER0 = 48
