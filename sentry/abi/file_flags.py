"""The flags of an inode: FS_*_FL (ioctl_iflags(2)), FS_XFLAG_* and the records of both (file_getattr(2))."""

from __future__ import annotations

from struct import Struct

FS_IMMUTABLE_FL = 0x10
FS_APPEND_FL = 0x20
FS_NODUMP_FL = 0x40
FS_NOATIME_FL = 0x80
FS_MEMORY_FL = FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL  # those that tmpfs has
FS_INHERITED_FL = FS_NODUMP_FL | FS_NOATIME_FL  # from the directory, by a new file

FS_XFLAG_SYNC = 0x20
FS_XFLAG_EXTSIZE = 0x800
FS_XFLAG_EXTSZINHERIT = 0x1000
FS_XFLAG_COWEXTSIZE = 0x10000
FS_XFLAG_READ_ONLY = 0x80000002  # told, never set: preallocated, has attributes
FS_XFLAG_KNOWN = 0x8001FFFB

# The two families' names for one thing
FLAG_PAIRS = (
    (FS_IMMUTABLE_FL, 0x08),
    (FS_APPEND_FL, 0x10),
    (FS_NODUMP_FL, 0x80),
    (FS_NOATIME_FL, 0x40),
)

FSXATTR = Struct("=IIIII8x")  # xflags extsize nextents projid cowextsize
FILE_ATTR = Struct("=QIIII")  # the same for file_getattr(2)
