"""Requests and layouts of pidfds (pidfd_open(2), <linux/pidfd.h>)."""

from __future__ import annotations

from struct import Struct

PIDFS_MAGIC = 0x50494446
FD_PIDFS_ROOT = -10002  # open_by_handle_at(2): the file system of all pidfds
FILEID_KERNFS = 0xFE  # their handles: the inode number

PIDFD_GET_CGROUP_NAMESPACE = 0xFF01
PIDFD_GET_IPC_NAMESPACE = 0xFF02
PIDFD_GET_MNT_NAMESPACE = 0xFF03
PIDFD_GET_NET_NAMESPACE = 0xFF04
PIDFD_GET_PID_NAMESPACE = 0xFF05
PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE = 0xFF06
PIDFD_GET_TIME_NAMESPACE = 0xFF07
PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE = 0xFF08
PIDFD_GET_USER_NAMESPACE = 0xFF09
PIDFD_GET_UTS_NAMESPACE = 0xFF0A
PIDFD_GET_INFO = 0xC000FF0B  # with the size that the caller knows in bits 16 to 29

# struct pidfd_info: mask cgroupid pid tgid ppid ruid rgid euid egid suid sgid fsuid fsgid exit_code
# coredump_mask, padding
PIDFD_INFO = Struct("=QQ11IiI4x")
PIDFD_INFO_SIZE_VER0 = 64
PIDFD_INFO_PID = 0x1
PIDFD_INFO_CREDS = 0x2
PIDFD_INFO_CGROUPID = 0x4
PIDFD_INFO_EXIT = 0x8
PIDFD_INFO_COREDUMP = 0x10

PIDFD_COREDUMP_SKIP = 0x2
PIDFD_COREDUMP_USER = 0x4
PIDFD_COREDUMP_ROOT = 0x8
