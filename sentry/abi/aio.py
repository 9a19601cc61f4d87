"""Asynchronous I/O (io_submit(2)): numbers and structures."""

from __future__ import annotations

from struct import Struct

IOCB_CMD_PREAD = 0
IOCB_CMD_PWRITE = 1
IOCB_CMD_FSYNC = 2
IOCB_CMD_FDSYNC = 3
IOCB_CMD_POLL = 5
IOCB_CMD_PREADV = 7
IOCB_CMD_PWRITEV = 8

IOCB_FLAG_RESFD = 1
IOCB_FLAG_IOPRIO = 2
KIOCB_KEY = 0

# data key rw_flags opcode reqprio fildes buf nbytes offset reserved2 flags resfd
IOCB = Struct("<QIIHhIQQqQII")
IOCB_KEY_OFFSET = 8
IO_EVENT = Struct("<QQqq")  # data obj res res2

RING = Struct("<8I")  # id nr head tail magic compat_features incompat_features header_length
RING_MAGIC = 0xA10A10A1
RING_HEAD = 8  # offsets of the two words that change
RING_TAIL = 12
SETUP_MAX = 0x10000000 // 32  # events that io_setup may be asked for
AIO_MAX_NR = 65536
