"""POSIX message queues (mq_overview(7)): limits and structures."""

from __future__ import annotations

from struct import Struct

MQUEUE_MAGIC = 0x19800202
MQ_ATTR = Struct("<4q32x")  # flags maxmsg msgsize curmsgs
MQ_PRIO_MAX = 32768
HARD_MSG_MAX = 65536
HARD_MSGSIZE_MAX = 16 << 20
MIN_MSGSIZE_MAX = 128
DFLT_QUEUES_MAX = 256
DFLT_MSG_MAX = 10
DFLT_MSGSIZE_MAX = 8192

# What Linux's bookkeeping of a message and of a priority takes, which RLIMIT_MSGQUEUE counts (getrlimit(2)).
MESSAGE_SIZE = 48
TREE_NODE_SIZE = 48

COOKIE_SIZE = 32  # mq_notify(2) with SIGEV_THREAD: what goes through the netlink socket
NOTIFY_WOKENUP = 1  # its last byte: a message has come
NOTIFY_REMOVED = 2  # the registration has ended
