"""File types, modes and the records that describe files: stat(2), statx(2), statfs(2), getdents(2)."""

from __future__ import annotations

from struct import Struct

S_IFMT = 0o170000
S_IFSOCK = 0o140000
S_IFLNK = 0o120000
S_IFREG = 0o100000
S_IFBLK = 0o060000
S_IFDIR = 0o040000
S_IFCHR = 0o020000
S_IFIFO = 0o010000

S_ISUID = 0o4000
S_ISGID = 0o2000
S_ISVTX = 0o1000
S_IXGRP = 0o010

ACCESS_EXEC = 1  # access(2): X_OK, W_OK, R_OK, and the bits of one permission triple
ACCESS_WRITE = 2
ACCESS_READ = 4

# d_type of a directory entry is the file type's four bits (readdir(3)).
DT_UNKNOWN = 0
DT_FIFO = 1
DT_CHR = 2
DT_DIR = 4
DT_BLK = 6
DT_REG = 8
DT_LNK = 10
DT_SOCK = 12

SECOND = 1_000_000_000  # nanoseconds

# statx(2)
STATX_TYPE = 0x001
STATX_BASIC_STATS = 0x7FF
STATX_BTIME = 0x800
STATX_MNT_ID = 0x1000
STATX_MNT_ID_UNIQUE = 0x4000
STATX_RESERVED = 0x80000000
STATX_ATTR_MOUNT_ROOT = 0x2000
STATX_ATTR_EVERY = 0x203000  # those that every file tells of: automount, mount root, DAX
STATX_ATTR_FLAGS = 0x70  # immutable, append, nodump: the FS_*_FL of the same number
STATX = Struct("=IIQIIIHxxQQQQ qIi qIi qIi qIi IIII QII 96x")

# struct statfs, x86-64: type bsize blocks bfree bavail files ffree fsid namelen frsize flags spare[4]
STATFS = Struct("=qqQQQQQQqqq32x")

DIRENT = Struct("=QQH")  # d_ino d_off d_reclen, name, NUL, then d_type in the record's last byte
DIRENT_MIN = 24  # bytes of the shortest record

ST_RDONLY = 1  # statfs(2) f_flags
ST_NOSUID = 2
ST_NODEV = 4
ST_NOEXEC = 8
ST_SYNCHRONOUS = 0x10
ST_VALID = 0x20
ST_MANDLOCK = 0x40
ST_NOATIME = 0x400
ST_NODIRATIME = 0x800
ST_RELATIME = 0x1000
ST_NOSYMFOLLOW = 0x2000

SECRETMEM_MAGIC = 0x5345434D
HUGETLBFS_MAGIC = 0x958458F6
TMPFS_MAGIC = 0x01021994
OVERLAYFS_MAGIC = 0x794C7630


UNIX98_SLAVE_MAJOR = 136  # of eight such numbers, from which slaves of pseudo-terminals have theirs


def makedev(major: int, minor: int) -> int:
    """Linux's 64-bit device number (makedev(3))."""
    return (minor & 0xFF) | (major & 0xFFF) << 8 | (minor & ~0xFF) << 12 | (major & ~0xFFF) << 32


def major(dev: int) -> int:
    return (dev >> 8 & 0xFFF) | (dev >> 32 & ~0xFFF)


def minor(dev: int) -> int:
    return (dev & 0xFF) | (dev >> 12 & ~0xFF)


def kernel_dev(dev: int) -> int:
    """A device number as the kernel keeps it and shows it in /proc: twelve bits of major, twenty of minor."""
    return major(dev) << 20 | minor(dev)
