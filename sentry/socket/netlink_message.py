"""Netlink messages: headers, attributes, and the conversation of a request with the kernel (netlink(7))."""

from __future__ import annotations

from errno import ENOBUFS, EOPNOTSUPP

from sentry.abi.netlink import (
    NLATTR,
    NLM_F_ACK,
    NLM_F_CAPPED,
    NLM_F_DUMP,
    NLM_F_MULTI,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSG_MIN_TYPE,
    NLMSGHDR,
)
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    # (type, flags, body) -> the messages of the answer, (type, body) each
    Handler = Callable[[int, int, bytes], list[tuple[int, bytes]]]

_DATAGRAM = 4096  # messages of a dump share datagrams up to this size


def align(length: int) -> int:
    return length + 3 & ~3


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    return NLATTR.pack(NLATTR.size + len(value), kind) + value + bytes(-len(value) % 4)


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes in `data` by type, the last of each; malformed ones end the list (rtnetlink(3))."""
    found: dict[int, bytes] = {}
    at = 0
    while len(data) - at >= NLATTR.size:
        length, kind = NLATTR.unpack_from(data, at)
        if not NLATTR.size <= length <= len(data) - at:
            break
        found[kind & 0x3FFF] = data[at + NLATTR.size : at + length]
        at += align(length)
    return found


def message(kind: int, flags: int, sequence: int, port: int, body: bytes) -> bytes:
    """One message, padded."""
    length = NLMSGHDR.size + len(body)
    return NLMSGHDR.pack(length, kind, flags, sequence, port) + body + bytes(-length % 4)


def converse(
    data: bytes,
    port: int,
    cap_ack: bool,
    handler: Handler,
    dumps: Callable[[int], bool],
    is_full: Callable[[], bool],
) -> Iterator[list[bytes]]:
    """The datagrams that answer the requests in `data`, which came from `port`; for each request in its turn.

    Args:
        cap_ack: errors repeat the request's header alone (NETLINK_CAP_ACK).
        dumps: whether requests of this type may ask for all there are (NLM_F_DUMP).
        is_full: whether who asked has no room for more answers: then nothing is dumped.
    """
    at = 0
    while len(data) - at >= NLMSGHDR.size:
        length, kind, flags, sequence, _ = NLMSGHDR.unpack_from(data, at)
        if not NLMSGHDR.size <= length <= len(data) - at:
            break
        answers: list[bytes] = []
        error = 0
        dumping = False
        if flags & NLM_F_REQUEST and kind >= NLMSG_MIN_TYPE:
            dumping = flags & NLM_F_DUMP == NLM_F_DUMP and dumps(kind)
            try:
                if dumping and is_full():
                    raise Errno(ENOBUFS)
                found = handler(kind, flags, data[at + NLMSGHDR.size : at + length])
                answers += _dump(found, sequence, port) if dumping else _plain(found, sequence, port)
            except Errno as failure:
                error = failure.code
                dumping = False
        if error or (flags & NLM_F_ACK and not dumping):
            repeated = data[at : at + NLMSGHDR.size] if not error or cap_ack else data[at : at + length]
            told = NLM_F_CAPPED if not error or cap_ack else 0
            body = (-error).to_bytes(4, "little", signed=True) + repeated
            answers.append(message(NLMSG_ERROR, told, sequence, port, body))
        yield answers
        at += align(length)


def _plain(found: list[tuple[int, bytes]], sequence: int, port: int) -> list[bytes]:
    return [message(kind, 0, sequence, port, body) for kind, body in found]


def _dump(found: list[tuple[int, bytes]], sequence: int, port: int) -> list[bytes]:
    """The messages in as few datagrams as Linux uses, and the one that says that it was all."""
    datagrams: list[bytes] = []
    pending = b""
    for kind, body in found:
        packed = message(kind, NLM_F_MULTI, sequence, port, body)
        if pending and len(pending) + len(packed) > _DATAGRAM:
            datagrams.append(pending)
            pending = b""
        pending += packed
    if pending:
        datagrams.append(pending)
    return [*datagrams, message(NLMSG_DONE, NLM_F_MULTI, sequence, port, bytes(4))]


def unsupported(kind: int, flags: int, body: bytes) -> list[tuple[int, bytes]]:
    """A handler that knows no request."""
    raise Errno(EOPNOTSUPP)
