"""What uname(2) and /proc/version say that this kernel is."""

from __future__ import annotations

SYSNAME = b"Linux"
RELEASE = b"6.12.0-runsc-py"  # the Linux whose interfaces are modelled
RELEASE_26 = b"2.6.72-runsc-py"  # to who asks for such a number: 60 more than the minor one (personality(2))
VERSION = b"#1 SMP PREEMPT_DYNAMIC runsc-py"
MACHINE = b"x86_64"
MACHINE_32 = b"i686"  # to a program of PER_LINUX32 (personality(2))
NODENAME = b"localhost"  # where the bundle names no host
DOMAINNAME = b"(none)"
PROC_VERSION = b"%s version %s (runsc-py@sentry) (Python) %s" % (SYSNAME, RELEASE, VERSION)
