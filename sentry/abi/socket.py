"""Sockets: families, types, flags, options and structures of x86-64 Linux (socket(2), socket(7), unix(7))."""

from __future__ import annotations

from struct import Struct

AF_UNSPEC = 0
AF_UNIX = 1
AF_INET = 2
AF_INET6 = 10
AF_NETLINK = 16
AF_PACKET = 17
AF_MAX = 46

SOCK_STREAM = 1
SOCK_DGRAM = 2
SOCK_RAW = 3
SOCK_SEQPACKET = 5
SOCK_TYPE_MASK = 0xF
SOCK_MAX = 11
SOCK_NONBLOCK = 0o4000
SOCK_CLOEXEC = 0o2000000

SHUT_RD = 0
SHUT_WR = 1
SHUT_RDWR = 2

MSG_OOB = 0x1
MSG_PEEK = 0x2
MSG_CTRUNC = 0x8
MSG_TRUNC = 0x20
MSG_DONTWAIT = 0x40
MSG_EOR = 0x80
MSG_WAITALL = 0x100
MSG_NOSIGNAL = 0x4000
MSG_MORE = 0x8000
MSG_WAITFORONE = 0x10000
MSG_CMSG_CLOEXEC = 0x40000000

SOL_SOCKET = 1
SO_DEBUG = 1
SO_REUSEADDR = 2
SO_TYPE = 3
SO_ERROR = 4
SO_DONTROUTE = 5
SO_BROADCAST = 6
SO_SNDBUF = 7
SO_RCVBUF = 8
SO_KEEPALIVE = 9
SO_OOBINLINE = 10
SO_PRIORITY = 12
SO_LINGER = 13
SO_REUSEPORT = 15
SO_PASSCRED = 16
SO_PEERCRED = 17
SO_RCVLOWAT = 18
SO_SNDLOWAT = 19
SO_RCVTIMEO = 20
SO_SNDTIMEO = 21
SO_TIMESTAMP = 29
SO_ACCEPTCONN = 30
SO_PEERSEC = 31
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33
SO_PASSSEC = 34
SO_TIMESTAMPNS = 35
SO_MARK = 36
SO_PROTOCOL = 38
SO_DOMAIN = 39
SO_PEERGROUPS = 59
SO_RCVTIMEO_NEW = 66
SO_SNDTIMEO_NEW = 67

SCM_RIGHTS = 1
SCM_CREDENTIALS = 2
SCM_MAX_FD = 253

SOCKADDR_MAX = 128  # struct sockaddr_storage
SUN_PATH = 108  # bytes of sockaddr_un's sun_path
UNIX_ADDRESS_MAX = 2 + SUN_PATH
SOMAXCONN = 4096  # /proc/sys/net/core/somaxconn
UIO_MAXIOV = 1024
OPTMEM_MAX = 131072  # /proc/sys/net/core/optmem_max: the most control data of one message

SIOCATMARK = 0x8905
FIONREAD = 0x541B
TIOCOUTQ = 0x5411

FAMILY = Struct("<H")
UCRED = Struct("<iII")  # pid, uid, gid
LINGER = Struct("<ii")
CMSGHDR = Struct("<Qii")  # length with this header, level, type
MSGHDR = Struct("<QI4xQQQQI4x")  # name, namelen, iov, iovlen, control, controllen, flags
MMSGHDR_SIZE = 64  # struct msghdr, msg_len, padding
