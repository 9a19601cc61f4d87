"""Readiness events, epoll, eventfd, timerfd and signalfd: numbers and structures of x86-64 Linux."""

from __future__ import annotations

from struct import Struct

POLLIN = 0x0001
POLLPRI = 0x0002
POLLOUT = 0x0004
POLLERR = 0x0008
POLLHUP = 0x0010
POLLNVAL = 0x0020
POLLRDNORM = 0x0040
POLLRDBAND = 0x0080
POLLWRNORM = 0x0100
POLLWRBAND = 0x0200
POLLRDHUP = 0x2000

READABLE = POLLIN | POLLRDNORM
WRITABLE = POLLOUT | POLLWRNORM
POLLMSG = 0x400
ANY_EVENT = 0xFFFF  # wakes whoever waits, whatever for: something has come to its end

# select(2)'s three sets in terms of poll events.
SELECT_READ = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR
SELECT_WRITE = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR
SELECT_EXCEPT = POLLPRI

POLLFD = Struct("<ihH")  # fd, events, revents

EPOLL_CTL_ADD = 1
EPOLL_CTL_DEL = 2
EPOLL_CTL_MOD = 3
EPOLLEXCLUSIVE = 1 << 28
EPOLLWAKEUP = 1 << 29
EPOLLONESHOT = 1 << 30
EPOLLET = 1 << 31
EPOLL_EVENT = Struct("<IQ")  # events, data; packed on x86-64
EPOLL_CLOEXEC = 0o2000000

EFD_SEMAPHORE = 1
EVENTFD_MAX = 2**64 - 2  # the largest value of an eventfd's counter

TFD_TIMER_ABSTIME = 1
TFD_TIMER_CANCEL_ON_SET = 2

SIGNALFD_SIGINFO = Struct("<IiiIIiIIIIiIQQQQ")  # struct signalfd_siginfo up to ssi_addr
SIGNALFD_SIGINFO_SIZE = 128
