"""request_key, and the operations of keyctl by which a program constructs the key that it was asked for."""

import errno

from sentry.abi import keys as abi
from sentry.abi.keys import LINK, VIEW, WRITE
from sentry.abi.restart import (
    ERESTART_RESTARTBLOCK,
    ERESTARTNOHAND,
    ERESTARTNOINTR,
    ERESTARTSYS,
)
from sentry.errors import Errno
from sentry.kernel import user_helper
from sentry.kernel.wait import INTERRUPTED, WOULD_BLOCK, Waiter, block, suspend
from sentry.keys import request
from sentry.keys.key import Key, Keyring, as_keyring, collect
from sentry.keys.process import (
    Authority,
    UnderConstructionError,
    look_up,
    may,
    search_own,
)
from sentry.keys.types import TYPES
from sentry.syscalls.args import Int, Ptr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sentry.kernel.task import Task

_PAGE = 4096
_MAX_ERRNO = 4095
_RESTARTS = (ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK)


# Arguments


def key_string(task: "Task", address: int, size: int) -> bytes:
    """A string of less than `size` bytes; EFAULT, EINVAL."""
    try:
        return task.copy_in_str(address, size)
    except Errno as error:
        raise Errno(errno.EINVAL if error.code == errno.ENAMETOOLONG else error.code) from None


def key_type(task: "Task", address: int) -> bytes:
    """The name of a type; EFAULT, EINVAL, EPERM (one of the kernel's own)."""
    name = key_string(task, address, abi.KEY_TYPE_SIZE)
    if not name:
        raise Errno(errno.EINVAL)
    if name[:1] == b".":
        raise Errno(errno.EPERM)
    return name


def serial(argument: int) -> int:
    """A key's number: signed 32 bits."""
    return (argument & 0xFFFFFFFF ^ 1 << 31) - (1 << 31)


# Waiting for a key


def retried(task: "Task", operation: "Callable[[], Any]") -> "Any":
    """What `operation` gives, tried again each time after a key that it needs has been constructed."""
    collect()
    try:
        return operation()
    except UnderConstructionError as busy:
        return _retry(task, busy.key, operation)


async def _retry(task: "Task", key: Key, operation: "Callable[[], Any]") -> object:
    while True:
        await _settled(task, key)
        try:
            answer = operation()
        except UnderConstructionError as busy:
            key = busy.key
        else:
            return answer if isinstance(answer, int) else await answer


async def _settled(task: "Task", key: Key) -> None:
    """Wait until a key is no longer under construction; ERESTARTSYS."""
    await block(task, lambda: WOULD_BLOCK if key.building else True, key.changes())


# request_key


def request_key(task: "Task", type: Ptr, description: Ptr, callout: Ptr, ring: Int) -> "Any":
    kind = key_type(task, type)
    name = key_string(task, description, abi.KEY_MAX_DESC_SIZE)
    info = key_string(task, callout, _PAGE) if callout else None
    return retried(task, lambda: _request(task, kind, name, info, ring))


def _request(task: "Task", kind: bytes, name: bytes, callout: bytes | None, ring: int) -> "Any":
    target = look_up(task, ring, WRITE, create=True)[0] if ring else None
    if kind not in TYPES:
        raise Errno(errno.ENOKEY)
    key = search_own(task, lambda other: other.type == kind and other.description == name)
    if key is not None:
        if target is not None:
            if not may(task.creds, key, True, LINK):
                raise Errno(errno.EACCES)
            as_keyring(target).link(key)
        return _finished(task, key)
    if callout is None:
        raise Errno(errno.ENOKEY)
    key, ring_of_key = request.begin(task, kind, name, as_keyring(target) if target is not None else None)
    return _construct(task, key, callout, ring_of_key)


def _finished(task: "Task", key: Key) -> "Any":
    """The number of a key, once it is constructed."""
    if key.building:
        return _await_key(task, key)
    key.validate()
    return key.serial


async def _await_key(task: "Task", key: Key) -> int:
    await _settled(task, key)
    return _result(key)


def _result(key: Key) -> int:
    if key.error:
        raise Errno(key.error)
    key.validate()
    return key.serial


def _construct(task: "Task", key: Key, callout: bytes, ring: Keyring) -> "Any":
    """Have /sbin/request-key construct the key, and wait for its end."""
    try:
        authority = Authority(task, key, callout, ring)
    except Errno:
        key.reject(errno.ENOKEY, abi.NEGATIVE_TIMEOUT)
        raise
    try:
        session = request.helper_session(task, authority)
        arguments = request.helper_arguments(task, key)
        user_helper.start(task.kernel, arguments, session, lambda: request.end(authority))
    except Errno:
        request.fail(authority)
        raise
    return _await_helper(task, key, authority)


async def _await_helper(task: "Task", key: Key, authority: Authority) -> int:
    """Linux waits for the program's end uninterruptibly; here a fatal signal ends the wait."""
    waiter = Waiter(task)
    queue = key.changes()
    queue.add(waiter)
    try:
        while not authority.ended:
            if await suspend(task, interruptible=False) == INTERRUPTED:
                raise Errno(errno.EINTR)
    finally:
        queue.remove(waiter)
    return _result(key)


# Constructing the key


def instantiate(task: "Task", key: int, payload: int, size: int, ring: int) -> int:
    if not (payload and size):
        size = 0
    return _instantiate(task, key, [(payload, size)] if size else [], ring)


def instantiate_iov(task: "Task", key: int, vector: int, count: int, ring: int) -> int:
    count &= 0xFFFFFFFF
    return _instantiate(task, key, task.read_iovec(vector, count) if vector and count else [], ring)


def _instantiate(task: "Task", key: int, vector: list[tuple[int, int]], ring: int) -> int:
    if sum(length for _, length in vector) > abi.ADD_MAX:
        raise Errno(errno.EINVAL)
    request.check_assumed(task, serial(key))
    data = b"".join([task.copy_in(address, length) for address, length in vector if length])
    request.instantiate(task, serial(key), data, serial(ring))
    return 0


def negate(task: "Task", key: int, seconds: int, ring: int, _: int) -> int:
    return reject(task, key, seconds, errno.ENOKEY, ring)


def reject(task: "Task", key: int, seconds: int, error: int, ring: int) -> int:
    error &= 0xFFFFFFFF
    if not 0 < error < _MAX_ERRNO or error in _RESTARTS:
        raise Errno(errno.EINVAL)
    request.reject(task, serial(key), seconds & 0xFFFFFFFF, error, serial(ring))
    return 0


def assume_authority(task: "Task", key: int, _: int, __: int, ___: int) -> int:
    if serial(key) < 0:
        raise Errno(errno.EINVAL)
    if not serial(key):
        task.keyrings.authority = None
        return 0
    authority = request.authority_for(task, serial(key))
    task.keyrings.authority = authority
    return authority.serial


def look_up_authorised(task: "Task", id: int, wanted: int, create: bool = False) -> Key:
    """A key, perhaps under construction, for which the right to construct it stands in for permissions."""
    try:
        return look_up(task, id, wanted, create, partial=True)[0]
    except Errno as error:
        if error.code != errno.EACCES:
            raise
        try:
            request.authority_for(task, id)
        except Errno:
            raise error from None
        return look_up(task, id, VIEW, create, partial=True, unchecked=True)[0]
