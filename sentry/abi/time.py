"""Clocks and the time structures (time.h, sys/time.h); x86-64 kernel layouts."""

from __future__ import annotations

from struct import Struct

CLOCK_REALTIME = 0
CLOCK_MONOTONIC = 1
CLOCK_PROCESS_CPUTIME_ID = 2
CLOCK_THREAD_CPUTIME_ID = 3
CLOCK_MONOTONIC_RAW = 4
CLOCK_REALTIME_COARSE = 5
CLOCK_MONOTONIC_COARSE = 6
CLOCK_BOOTTIME = 7
CLOCK_REALTIME_ALARM = 8
CLOCK_BOOTTIME_ALARM = 9
CLOCK_TAI = 11

TIMER_ABSTIME = 1

ITIMER_REAL = 0
ITIMER_VIRTUAL = 1
ITIMER_PROF = 2

NSEC = 1_000_000_000
USEC = 1_000_000
NSEC_PER_TICK = 10_000_000  # USER_HZ is 100
KTIME_MAX = 2**63 - 1

TIMESPEC = Struct("<qq")  # seconds, nanoseconds
TIMEVAL = Struct("<qq")  # seconds, microseconds
ITIMERSPEC = Struct("<qqqq")  # interval, value
ITIMERVAL = Struct("<qqqq")
TIMEZONE = Struct("<ii")
# modes, offset, freq, maxerror, esterror, status, constant, precision, tolerance, time (2), tick, ppsfreq,
# jitter, shift, stabil, jitcnt, calcnt, errcnt, stbcnt, tai
TIMEX = Struct("<I4x4qi4x3q2q3qi4x5qi44x")
TIME_ERROR = 5  # the clock is not synchronised
STA_UNSYNC = 0x40
ADJ_OFFSET_SINGLESHOT = 0x0001
ADJ_OFFSET_READONLY = 0x2000
ADJ_ADJTIME = 0x8000
TMS = Struct("<qqqq")  # utime, stime, cutime, cstime in ticks
