"""personality(2): bits that have an effect on 64-bit programs."""

PER_MASK = 0xFF
PER_LINUX32 = 8
UNAME26 = 0x20000  # a version number for programs that can't read those of today
ADDR_NO_RANDOMIZE = 0x40000
ADDR_COMPAT_LAYOUT = 0x200000  # mappings from the bottom upwards
READ_IMPLIES_EXEC = 0x400000
STICKY_TIMEOUTS = 0x4000000
PER_CLEAR_ON_SETID = 0x740000  # what a set-id program does not inherit
