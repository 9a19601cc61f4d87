"""NETLINK_SOCK_DIAG (sock_diag(7)): numbers and layouts."""

from __future__ import annotations

from struct import Struct

SOCK_DIAG_BY_FAMILY = 20

# sdiag_family sdiag_protocol pad udiag_states udiag_ino udiag_show udiag_cookie
UNIX_DIAG_REQ = Struct("=BBHIIIQ")
UNIX_DIAG_MSG = Struct("=BBBBIQ")  # udiag_family udiag_type udiag_state pad udiag_ino udiag_cookie
UNIX_DIAG_PAIR = Struct("=II")  # of UNIX_DIAG_VFS: inode, device; of UNIX_DIAG_RQLEN: the two queues

UNIX_DIAG_NAME = 0
UNIX_DIAG_VFS = 1
UNIX_DIAG_PEER = 2
UNIX_DIAG_ICONS = 3
UNIX_DIAG_RQLEN = 4
UNIX_DIAG_MEMINFO = 5
UNIX_DIAG_SHUTDOWN = 6
UNIX_DIAG_UID = 7

UDIAG_SHOW_NAME = 1
UDIAG_SHOW_VFS = 2
UDIAG_SHOW_PEER = 4
UDIAG_SHOW_ICONS = 8
UDIAG_SHOW_RQLEN = 16
UDIAG_SHOW_MEMINFO = 32
UDIAG_SHOW_UID = 64

TCP_ESTABLISHED = 1
TCP_CLOSE = 7
TCP_LISTEN = 10

NO_COOKIE = 0xFFFFFFFFFFFFFFFF
