"""UNIX sockets: connections, datagrams, what goes along with bytes, and what is left when they close."""

from __future__ import annotations

import errno
import gc
import weakref
from typing import Any

import pytest

from sentry.abi.fcntl import O_NONBLOCK
from sentry.abi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP
from sentry.abi.signal import SIGPIPE, SIGUSR1
from sentry.abi.socket import (
    AF_INET,
    AF_UNIX,
    CMSGHDR,
    FIONREAD,
    MSG_CTRUNC,
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    MSG_PEEK,
    MSG_TRUNC,
    MSG_WAITALL,
    MSGHDR,
    SCM_CREDENTIALS,
    SCM_RIGHTS,
    SO_ACCEPTCONN,
    SO_DOMAIN,
    SO_ERROR,
    SO_PASSCRED,
    SO_PEERCRED,
    SO_RCVTIMEO,
    SO_SNDBUF,
    SO_TYPE,
    SOCK_CLOEXEC,
    SOCK_DGRAM,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOL_SOCKET,
    UCRED,
)
from sentry.abi.time import TIMEVAL
from sentry.socket import rights
from sentry.syscalls import socket as calls
from sentry.syscalls import socket_io as io
from sentry.vfs import pipe as pipes
from sentry.vfs.path import Path
from tests.unit.ipc_doubles import BASE, SUSPENDED, FakeTask, World, world

__all__ = ["world"]

CONTROL = BASE + 0x8000
DATA = BASE + 0x10000
LENGTH = BASE + 0x7000


def pair(task: FakeTask, type: int = SOCK_STREAM) -> tuple[int, int]:
    assert task.run(lambda: calls.socketpair(task, AF_UNIX, type, 0, BASE)) == 0
    return task.read_u32(BASE), task.read_u32(BASE + 4)


def new(task: FakeTask, type: int = SOCK_STREAM) -> int:
    fd: int = task.run(lambda: calls.socket(task, AF_UNIX, type, 0))
    return fd


def named(task: FakeTask, call: Any, fd: int, name: bytes) -> Any:
    """bind or connect to an address given by what follows sun_family."""
    task.copy_out(BASE, AF_UNIX.to_bytes(2, "little") + name)
    return task.run(lambda: call(task, fd, BASE, 2 + len(name)))


def listener(task: FakeTask, name: bytes, backlog: int = 5, type: int = SOCK_STREAM) -> int:
    fd = new(task, type)
    assert named(task, calls.bind, fd, name) == 0
    assert task.run(lambda: calls.listen(task, fd, backlog)) == 0
    return fd


def accept(task: FakeTask, fd: int, address: int = 0) -> Any:
    return task.run(lambda: calls.accept4(task, fd, address, LENGTH, 0))


def send(task: FakeTask, fd: int, data: bytes, flags: int = MSG_NOSIGNAL) -> Any:
    task.copy_out(DATA, data)
    return task.run(lambda: io.sendto(task, fd, DATA, len(data), flags, 0, 0))


def receive(task: FakeTask, fd: int, count: int, flags: int = MSG_DONTWAIT) -> Any:
    answer = task.run(lambda: io.recvfrom(task, fd, DATA, count, flags, 0, 0))
    return task.copy_in(DATA, min(answer, count)) if isinstance(answer, int) and answer >= 0 else answer


def header(task: FakeTask, count: int, control: int) -> None:
    task.write_u64(BASE + 64, DATA)
    task.write_u64(BASE + 72, count)
    task.copy_out(BASE, MSGHDR.pack(0, 0, BASE + 64, 1, CONTROL if control else 0, control, 0))


def cmsg(kind: int, body: bytes) -> bytes:
    return CMSGHDR.pack(16 + len(body), SOL_SOCKET, kind) + body + bytes(-len(body) % 8)


def send_message(task: FakeTask, fd: int, data: bytes, control: bytes) -> Any:
    task.copy_out(DATA, data)
    task.copy_out(CONTROL, control)
    header(task, len(data), len(control))
    return task.run(lambda: io.sendmsg(task, fd, BASE, MSG_NOSIGNAL))


def receive_message(task: FakeTask, fd: int, count: int, control: int, flags: int = MSG_DONTWAIT) -> Any:
    """(data, control bytes, msg_flags) or negative errno."""
    header(task, count, control)
    answer = task.run(lambda: io.recvmsg(task, fd, BASE, flags))
    if answer < 0:
        return answer
    return (
        task.copy_in(DATA, answer),
        task.copy_in(CONTROL, task.read_u64(BASE + 40)),
        task.read_u32(BASE + 48),
    )


def passed(control: bytes) -> list[int]:
    assert CMSGHDR.unpack_from(control)[1:] == (SOL_SOCKET, SCM_RIGHTS)
    length = CMSGHDR.unpack_from(control)[0]
    return [int.from_bytes(control[at : at + 4], "little") for at in range(16, length, 4)]


def option(task: FakeTask, fd: int, name: int, size: int = 4) -> bytes:
    task.write_u32(LENGTH, size)
    assert task.run(lambda: calls.getsockopt(task, fd, SOL_SOCKET, name, BASE, LENGTH)) == 0
    return task.copy_in(BASE, task.read_u32(LENGTH))


def set_option(task: FakeTask, fd: int, name: int, value: bytes) -> Any:
    task.copy_out(BASE, value)
    return task.run(lambda: calls.setsockopt(task, fd, SOL_SOCKET, name, BASE, len(value)))


def int_option(task: FakeTask, fd: int, name: int) -> int:
    return int.from_bytes(option(task, fd, name), "little", signed=True)


# Streams


def test_a_stream_has_no_boundaries(world: World) -> None:
    task = world.task()
    here, there = pair(task)
    assert send(task, here, b"one") == 3
    assert send(task, here, b"two") == 3
    assert receive(task, there, 4, MSG_PEEK) == b"onet"
    assert receive(task, there, 4) == b"onet"
    assert receive(task, there, 10) == b"wo"
    assert receive(task, there, 10) == -errno.EAGAIN
    assert task.write(there, b"back") == 4
    assert task.read(here, 10) == b"back"


def test_waitall_waits_for_everything(world: World) -> None:
    task, other = world.task(), world.task()
    here, there = pair(task)
    other.files = task.files
    send(task, here, b"abc")
    assert other.run(lambda: io.recvfrom(other, there, DATA, 6, MSG_WAITALL, 0, 0)) == SUSPENDED
    send(task, here, b"de")
    world.settle()
    assert other.result == SUSPENDED
    send(task, here, b"fgh")
    world.settle()
    assert other.result == 6
    assert other.copy_in(DATA, 6) == b"abcdef"
    assert receive(task, there, 9) == b"gh"


def test_a_full_stream_takes_a_part_or_waits(world: World) -> None:
    task, writer = world.task(), world.task()
    here, there = pair(task)
    writer.files = task.files
    assert set_option(task, here, SO_SNDBUF, (4000).to_bytes(4, "little")) == 0
    assert int_option(task, here, SO_SNDBUF) == 8000
    assert send(task, here, bytes(100_000), MSG_DONTWAIT) == 65536
    assert send(task, here, b"x", MSG_DONTWAIT) == -errno.EAGAIN
    assert task.files.get(here).poll() & POLLOUT == 0
    assert send(writer, here, bytes(100_000)) == SUSPENDED
    total = 0
    while writer.result == SUSPENDED:
        total += len(receive(task, there, 30_000))
        world.settle()
    assert writer.result == 100_000
    while True:
        data = receive(task, there, 30_000)
        if not isinstance(data, bytes):
            break
        total += len(data)
    assert total == 165_536
    assert task.files.get(here).endpoint.sent == 0


def test_the_end_follows_the_bytes_and_the_writer_gets_EPIPE(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(pipes, "send_self", lambda task, signo, **options: sent.append(signo))
    task = world.task()
    here, there = pair(task)
    send(task, there, b"last words")
    task.files.remove(there)
    assert task.files.get(here).poll() & (POLLIN | POLLHUP | POLLRDHUP) == POLLIN | POLLHUP | POLLRDHUP
    assert send(task, here, b"x") == -errno.EPIPE
    assert sent == []
    assert send(task, here, b"x", 0) == -errno.EPIPE
    assert task.write(here, b"x") == -errno.EPIPE
    assert sent == [SIGPIPE, SIGPIPE]
    assert receive(task, here, 100) == b"last words"
    assert receive(task, here, 100) == b""


def test_closing_with_unread_bytes_resets(world: World) -> None:
    task = world.task()
    here, there = pair(task)
    send(task, here, b"never read")
    task.files.remove(there)
    assert task.files.get(here).poll() & POLLERR
    assert receive(task, here, 1) == -errno.ECONNRESET
    assert receive(task, here, 1) == b""
    assert int_option(task, here, SO_ERROR) == 0


def test_shutdown_closes_one_direction(world: World) -> None:
    task = world.task()
    here, there = pair(task)
    send(task, here, b"x")
    assert task.run(lambda: calls.shutdown(task, here, 1)) == 0
    assert send(task, here, b"y") == -errno.EPIPE
    assert receive(task, there, 10) == b"x"
    assert receive(task, there, 10) == b""
    assert send(task, there, b"still") == 5
    assert receive(task, here, 10) == b"still"
    assert task.run(lambda: calls.shutdown(task, here, 3)) == -errno.EINVAL


# Connecting


def test_connect_accept_and_the_names_on_both_sides(world: World) -> None:
    server, client = world.task(), world.task(uid=1000)
    name = b"\0here"
    sock = listener(server, name)
    assert server.files.get(sock).poll() == 0
    fd = new(client)
    assert named(client, calls.connect, fd, name) == 0
    assert server.files.get(sock).poll() & POLLIN
    send(client, fd, b"early")
    server.write_u32(LENGTH, 100)
    conn = accept(server, sock, BASE)
    assert server.read_u32(LENGTH) == 2  # an unnamed client: the family alone
    assert receive(server, conn, 10) == b"early"
    for task, end, call, expected in (
        (client, fd, calls.getpeername, name),
        (server, conn, calls.getsockname, name),
        (server, conn, calls.getpeername, b""),
        (client, fd, calls.getsockname, b""),
    ):
        task.write_u32(LENGTH, 100)
        assert task.run(lambda: call(task, end, BASE, LENGTH)) == 0  # noqa: B023
        assert task.copy_in(BASE, task.read_u32(LENGTH)) == b"\1\0" + expected
    assert UCRED.unpack(option(server, conn, SO_PEERCRED, 12)) == (client.group.tgid, 1000, 1000)
    assert UCRED.unpack(option(client, fd, SO_PEERCRED, 12)) == (server.group.tgid, 0, 0)
    assert named(client, calls.connect, fd, name) == -errno.EISCONN
    assert int_option(server, sock, SO_ACCEPTCONN) == 1
    assert int_option(server, conn, SO_ACCEPTCONN) == 0
    assert (int_option(server, conn, SO_TYPE), int_option(server, conn, SO_DOMAIN)) == (SOCK_STREAM, AF_UNIX)


def test_accept_waits_for_a_client(world: World) -> None:
    server, client = world.task(), world.task()
    sock = listener(server, b"\0wait")
    assert accept(server, sock) == SUSPENDED
    fd = new(client)
    assert named(client, calls.connect, fd, b"\0wait") == 0
    world.settle()
    assert server.result == 1
    server.files.get(sock).flags |= O_NONBLOCK
    assert accept(server, sock) == -errno.EAGAIN


def test_connect_waits_for_room_in_the_backlog(world: World) -> None:
    server, client = world.task(), world.task()
    sock = listener(server, b"\0full", backlog=0)
    assert named(client, calls.connect, new(client), b"\0full") == 0
    late = new(client)
    client.files.get(late).flags |= O_NONBLOCK
    assert named(client, calls.connect, late, b"\0full") == -errno.EAGAIN
    client.files.get(late).flags &= ~O_NONBLOCK
    assert named(client, calls.connect, late, b"\0full") == SUSPENDED
    assert accept(server, sock) == 1
    world.settle()
    assert client.result == 0
    assert named(client, calls.connect, new(client), b"\0full") == SUSPENDED
    server.files.remove(sock)
    world.settle()
    assert client.result == -errno.ECONNREFUSED
    assert receive(client, late, 1) == -errno.ECONNRESET  # it was never accepted


def test_refusals(world: World) -> None:
    task = world.task()
    fd = new(task)
    assert named(task, calls.connect, fd, b"\0nobody") == -errno.ECONNREFUSED
    assert task.run(lambda: calls.listen(task, fd, 1)) == -errno.EINVAL  # not bound
    assert accept(task, fd) == -errno.EINVAL
    assert send(task, fd, b"x") == -errno.ENOTCONN
    assert receive(task, fd, 1) == -errno.EINVAL
    assert task.run(lambda: calls.getpeername(task, fd, BASE, LENGTH)) == -errno.ENOTCONN
    assert named(task, calls.bind, fd, b"\0taken") == 0
    assert named(task, calls.bind, fd, b"\0again") == -errno.EINVAL
    assert named(task, calls.bind, new(task), b"\0taken") == -errno.EADDRINUSE
    assert named(task, calls.connect, new(task), b"\0taken") == -errno.ECONNREFUSED  # does not listen
    assert named(task, calls.bind, new(task), bytes(109)) == -errno.EINVAL
    assert task.run(lambda: calls.socket(task, AF_INET, SOCK_STREAM, 0)) == -errno.EAFNOSUPPORT
    assert task.run(lambda: calls.socket(task, AF_UNIX, 4, 0)) == -errno.ESOCKTNOSUPPORT
    assert task.run(lambda: calls.socket(task, AF_UNIX, SOCK_STREAM, 7)) == -errno.EPROTONOSUPPORT
    assert task.run(lambda: calls.socket(task, AF_UNIX, SOCK_STREAM | 0x100, 0)) == -errno.EINVAL
    assert task.run(lambda: calls.listen(task, 99, 1)) == -errno.EBADF
    cloexec = task.run(lambda: calls.socket(task, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))
    assert task.files.cloexec(cloexec)


def test_an_abstract_name_is_free_again_after_close_and_autobind_finds_one(world: World) -> None:
    task = world.task()
    fd = new(task)
    assert named(task, calls.bind, fd, b"\0mine") == 0
    task.files.remove(fd)
    assert named(task, calls.bind, new(task), b"\0mine") == 0
    first, second = new(task, SOCK_DGRAM), new(task, SOCK_DGRAM)
    assert named(task, calls.bind, first, b"") == 0
    assert named(task, calls.bind, second, b"") == 0
    names = {task.files.get(fd).name() for fd in (first, second)}
    assert len(names) == 2
    assert all(len(name) == 8 and name[2] == 0 for name in names)


def test_a_receive_time_out_is_EAGAIN(world: World) -> None:
    task = world.task()
    here, _ = pair(task)
    assert set_option(task, here, SO_RCVTIMEO, TIMEVAL.pack(0, 500_000)) == 0
    assert TIMEVAL.unpack(option(task, here, SO_RCVTIMEO, 16)) == (0, 500_000)
    assert receive(task, here, 1, 0) == SUSPENDED
    world.sleep(0.4)
    assert task.result == SUSPENDED
    world.sleep(0.2)
    assert task.result == -errno.EAGAIN
    assert receive(task, here, 1, 0) == SUSPENDED
    task.pending = 1 << SIGUSR1 - 1
    task.interrupt()
    world.settle()
    assert task.result == -errno.EINTR  # not restarted: there is a time-out (signal(7))


# Records


@pytest.mark.parametrize("type", [SOCK_SEQPACKET, SOCK_DGRAM])
def test_records_keep_their_boundaries(world: World, type: int) -> None:
    task = world.task()
    here, there = pair(task, type)
    send(task, here, b"first")
    send(task, here, b"")
    send(task, here, b"third")
    assert receive(task, there, 3, MSG_PEEK) == b"fir"
    assert task.run(lambda: io.recvfrom(task, there, DATA, 3, MSG_TRUNC, 0, 0)) == 5
    assert receive(task, there, 3) == b""
    data, _, flags = receive_message(task, there, 2, 0)
    assert (data, flags) == (b"th", MSG_TRUNC)
    assert receive(task, there, 3) == -errno.EAGAIN
    assert send(task, here, bytes(230_000)) == -errno.EMSGSIZE


def test_a_closed_seqpacket_peer_is_the_end(world: World) -> None:
    task = world.task()
    here, there = pair(task, SOCK_SEQPACKET)
    task.files.remove(there)
    assert receive(task, here, 1) == b""
    assert send(task, here, b"x") == -errno.EPIPE


def test_datagrams_find_their_way_and_tell_who_sent_them(world: World) -> None:
    task = world.task()
    server, client = new(task, SOCK_DGRAM), new(task, SOCK_DGRAM)
    named(task, calls.bind, server, b"\0dgram-server")
    named(task, calls.bind, client, b"\0dgram-client")
    address = b"\1\0\0dgram-server"
    task.copy_out(BASE, address)
    task.copy_out(DATA, b"ping")
    assert task.run(lambda: io.sendto(task, client, DATA, 4, 0, BASE, len(address))) == 4
    task.write_u32(LENGTH, 5)
    assert task.run(lambda: io.recvfrom(task, server, DATA, 10, 0, BASE, LENGTH)) == 4
    assert task.read_u32(LENGTH) == 15
    assert task.copy_in(BASE, 5) == b"\1\0\0dg"
    assert send(task, client, b"x") == -errno.ENOTCONN
    assert named(task, calls.connect, client, b"\0dgram-server") == 0
    assert send(task, client, b"x") == 1
    task.files.remove(server)
    assert send(task, client, b"x") == -errno.ECONNREFUSED
    assert send(task, client, b"x") == -errno.ENOTCONN


def test_a_full_receiver_holds_the_sender_up(world: World) -> None:
    task, sender = world.task(), world.task()
    sender.files = task.files
    server, client = new(task, SOCK_DGRAM), new(task, SOCK_DGRAM)
    named(task, calls.bind, server, b"\0slow")
    named(task, calls.connect, client, b"\0slow")
    count = 0
    while send(task, client, b"x", MSG_DONTWAIT) == 1:
        count += 1
    assert count == 11
    assert task.files.get(client).poll() & POLLOUT == 0
    assert send(sender, client, b"y") == SUSPENDED
    receive(task, server, 1)
    world.settle()
    assert sender.result == 1


def test_a_connected_datagram_socket_hears_its_peer_alone(world: World) -> None:
    task = world.task()
    server, friend, stranger = (new(task, SOCK_DGRAM) for _ in range(3))
    named(task, calls.bind, server, b"\0picky")
    named(task, calls.bind, friend, b"\0friend")
    assert named(task, calls.connect, server, b"\0friend") == 0
    assert named(task, calls.connect, stranger, b"\0picky") == -errno.EPERM
    assert named(task, calls.connect, friend, b"\0picky") == 0


def test_fionread(world: World) -> None:
    task = world.task()
    for type, expected in ((SOCK_STREAM, 7), (SOCK_DGRAM, 3)):
        here, there = pair(task, type)
        send(task, here, b"abc")
        send(task, here, b"defg")
        assert task.files.get(there).ioctl(task, FIONREAD, BASE) == 0
        assert task.read_u32(BASE) == expected


# What goes along


def test_files_are_passed_and_reading_stops_at_them(world: World) -> None:
    task, other = world.task(), world.task()
    here, there = pair(task)
    file = task.files.get(here)
    send(task, here, b"before ")
    assert send_message(task, here, b"with", cmsg(SCM_RIGHTS, here.to_bytes(4, "little") * 2)) == 4
    send(task, here, b" after")
    fd = other.files.install(task.files.get(there))
    data, control, flags = receive_message(other, fd, 100, 100)
    assert (data, flags) == (b"before with", 0)
    assert [other.files.get(got) for got in passed(control)] == [file, file]
    assert receive(other, fd, 100) == b" after"
    assert rights._in_flight == 0


def test_without_room_files_are_closed_and_MSG_CTRUNC_says_so(world: World) -> None:
    task = world.task()
    here, there = pair(task)
    body = here.to_bytes(4, "little") * 3
    send_message(task, here, b"x", cmsg(SCM_RIGHTS, body))
    send_message(task, here, b"y", cmsg(SCM_RIGHTS, body))
    assert receive_message(task, there, 1, 0) == (b"x", b"", MSG_CTRUNC)
    _, control, flags = receive_message(task, there, 1, 24)
    assert len(passed(control)) == 2
    assert flags == MSG_CTRUNC
    assert rights._in_flight == 0


def test_bad_control_data_is_refused(world: World) -> None:
    task = world.task(uid=1000)
    here, _ = pair(task)
    assert send_message(task, here, b"x", cmsg(SCM_RIGHTS, (99).to_bytes(4, "little"))) == -errno.EBADF
    assert send_message(task, here, b"x", CMSGHDR.pack(17, SOL_SOCKET, SCM_RIGHTS)) == -errno.EINVAL
    assert send_message(task, here, b"x", CMSGHDR.pack(3, SOL_SOCKET, SCM_RIGHTS)) == -errno.EINVAL
    assert send_message(task, here, b"x", cmsg(77, b"")) == -errno.EINVAL
    assert send_message(task, here, b"x", cmsg(SCM_RIGHTS, here.to_bytes(4, "little") * 254)) == -errno.EINVAL
    assert send_message(task, here, b"x", cmsg(SCM_CREDENTIALS, UCRED.pack(1, 0, 0))) == -errno.EPERM


def test_credentials_come_when_asked_for(world: World) -> None:
    task = world.task(uid=1000)
    here, there = pair(task)
    assert receive_message(task, there, 1, 100) == -errno.EAGAIN
    set_option(task, there, SO_PASSCRED, (1).to_bytes(4, "little"))
    send(task, here, b"x")
    data, control, _ = receive_message(task, there, 1, 100)
    assert data == b"x"
    assert CMSGHDR.unpack_from(control) == (28, SOL_SOCKET, SCM_CREDENTIALS)
    assert UCRED.unpack_from(control, 16) == (task.group.tgid, 1000, 1000)


def test_sockets_in_each_others_queues_are_collected(world: World) -> None:
    task = world.task()
    before = rights._in_flight
    watched = []
    for _ in range(5):
        here, there = pair(task)
        send_message(
            task, here, b"x", cmsg(SCM_RIGHTS, here.to_bytes(4, "little") + there.to_bytes(4, "little"))
        )
        send_message(task, there, b"x", cmsg(SCM_RIGHTS, here.to_bytes(4, "little")))
        watched += [weakref.ref(task.files.get(fd)) for fd in (here, there)]
        task.files.remove(here)
        task.files.remove(there)
    gc.collect()
    assert all(file() is None for file in watched)
    assert rights._in_flight == before


def test_a_deep_nest_of_sockets_closes_without_recursion(world: World) -> None:
    task = world.task()
    here, there = pair(task)
    for _ in range(3000):
        outer = pair(task)
        assert send_message(task, outer[0], b"x", cmsg(SCM_RIGHTS, there.to_bytes(4, "little"))) == 1
        task.files.remove(here)
        task.files.remove(there)
        here, there = outer
    assert rights._in_flight >= 3000
    task.files.remove(here)
    task.files.remove(there)
    assert rights._in_flight == 0


def test_files_in_flight_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rights, "MAX_IN_FLIGHT", 4)
    task = world.task()
    here, there = pair(task)
    body = cmsg(SCM_RIGHTS, here.to_bytes(4, "little") * 2)
    assert send_message(task, here, b"x", body) == 1
    assert send_message(task, here, b"x", body) == 1
    assert send_message(task, here, b"x", body) == -errno.ETOOMANYREFS
    receive(task, there, 2)
    assert send_message(task, here, b"x", body) == 1


def test_sendmmsg_and_recvmmsg_count_messages(world: World) -> None:
    task = world.task()
    here, there = pair(task, SOCK_DGRAM)
    task.copy_out(DATA, b"abcdef")
    for index in range(3):
        task.write_u64(BASE + 512 + 16 * index, DATA + index)
        task.write_u64(BASE + 520 + 16 * index, 1 + index)
        task.copy_out(BASE + 64 * index, MSGHDR.pack(0, 0, BASE + 512 + 16 * index, 1, 0, 0, 0))
    assert task.run(lambda: io.sendmmsg(task, here, BASE, 3, 0)) == 3
    assert [task.read_u32(BASE + 64 * index + 56) for index in range(3)] == [1, 2, 3]
    task.write_u64(BASE + 520, 100)
    assert task.run(lambda: io.recvmmsg(task, there, BASE, 2, MSG_DONTWAIT, 0)) == 2
    assert [task.read_u32(BASE + 64 * index + 56) for index in range(2)] == [1, 2]
    assert task.run(lambda: io.recvmmsg(task, there, BASE, 2, MSG_DONTWAIT, 0)) == 1
    assert task.run(lambda: io.recvmmsg(task, there, BASE, 2, MSG_DONTWAIT, 0)) == -errno.EAGAIN


def test_pathname_sockets(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from sentry.fs.tmpfs import Tmpfs
    from sentry.kernel.fs_context import FsContext
    from sentry.kernel.namespaces.namespaces import Namespaces
    from sentry.vfs.mounts.mount_namespace import build

    task, other = world.task(), world.task(uid=1000)
    namespace = build(Tmpfs())
    root = Path(namespace.root, namespace.root.root)
    for each in (task, other):
        each.fs = FsContext(root, root)
        each.ns = Namespaces(each.creds.user_ns, each.group.pid_ns, namespace)
    sock = listener(task, b"/s")
    assert named(task, calls.bind, new(task), b"/s") == -errno.EADDRINUSE
    task.write_u32(LENGTH, 100)
    assert task.run(lambda: calls.getsockname(task, sock, BASE, LENGTH)) == 0
    assert task.copy_in(BASE, task.read_u32(LENGTH)) == b"\1\0/s\0"
    assert named(other, calls.connect, new(other), b"/s") == -errno.EACCES
    assert named(task, calls.connect, new(task), b"/s") == 0
    assert named(task, calls.connect, new(task, SOCK_DGRAM), b"/s") == -errno.EPROTOTYPE
    assert named(task, calls.connect, new(task), b"/missing") == -errno.ENOENT
    task.files.remove(sock)
    assert named(task, calls.connect, new(task), b"/s") == -errno.ECONNREFUSED
    assert named(task, calls.bind, new(task), b"/s") == -errno.EADDRINUSE  # the file stays
