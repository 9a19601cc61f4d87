"""personality(2): bits that have an effect on 64-bit programs."""

UNAME26 = 0x20000  # a version number for programs that can't read those of today
ADDR_NO_RANDOMIZE = 0x40000
READ_IMPLIES_EXEC = 0x400000
STICKY_TIMEOUTS = 0x4000000
PER_CLEAR_ON_SETID = 0x0F740000  # what a set-id program does not inherit
