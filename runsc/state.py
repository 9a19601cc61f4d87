"""State directories: ROOT/ID/state.json says that a sandbox exists, and its lock that it is alive.

What must hold: a directory whose state.json can be locked is a leftover of a runtime that was killed, and is
removed silently by the next command that looks.  ROOT/.lock is held while directories are made or removed.
"""

from __future__ import annotations

import fcntl
import os

from runsc import OCI_VERSION
from runsc.errors import RuntimeFailure, failed
from runsc.jsonlite import dumps

_ID_EXTRA = frozenset("_+-.")
_ID_MAX = 1024
_STATE = "state.json"


def default_root() -> str:
    """Where state is kept unless --root says otherwise."""
    if os.geteuid() == 0:
        return "/run/runsc-py"
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return f"{runtime}/runsc-py" if runtime else f"/tmp/runsc-py-{os.geteuid()}"


def check_id(id: str) -> None:
    """Raises RuntimeFailure for what runc doesn't take as an id either."""
    well = 0 < len(id) <= _ID_MAX and id.isascii() and id not in (".", "..")
    if not well or not all(char.isalnum() or char in _ID_EXTRA for char in id):
        raise RuntimeFailure(f"invalid container ID '{id}': expected letters, digits and any of _ + - .")


class State:
    """The state directory of one sandbox, from `create` to `remove`."""

    __slots__ = ("_fd", "_path", "_root")

    def __init__(self, root: str, path: str, fd: int) -> None:
        self._root = root
        self._path = path
        self._fd = fd

    def write(self, id: str, pid: int, bundle: str) -> None:
        """Say what runs, in the form of the specification's `state`."""
        record: dict[str, str | int | list[str]] = {
            "ociVersion": OCI_VERSION, "id": id, "status": "running", "pid": pid, "bundle": bundle,
        }  # fmt: skip
        os.pwrite(self._fd, dumps(record).encode() + b"\n", 0)

    def remove(self) -> None:
        """The sandbox has ended."""
        lock = _lock_root(self._root)
        _remove(self._path)
        os.close(self._fd)
        os.close(lock)


def create(root: str, id: str) -> State:
    """Claim an id.  Raises RuntimeFailure when a living sandbox has it or the directory can't be made."""
    check_id(id)
    path = os.path.join(root, id)
    try:
        os.makedirs(root, 0o700, exist_ok=True)
        if os.stat(root).st_uid != os.geteuid():
            raise RuntimeFailure(f"{root}: belongs to another user")
        lock = _lock_root(root)
        try:
            _reap(root)
            os.mkdir(path, 0o700)
            fd = os.open(os.path.join(path, _STATE), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(fd, fcntl.LOCK_EX)
        finally:
            os.close(lock)
    except FileExistsError:
        raise RuntimeFailure(f"container ID already exists: {id}") from None
    except OSError as error:
        raise failed(path, error) from None
    return State(root, path, fd)


def _lock_root(root: str) -> int:
    fd = os.open(os.path.join(root, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


def _reap(root: str) -> None:
    for name in os.listdir(root):
        path = os.path.join(root, name)
        try:
            fd = os.open(os.path.join(path, _STATE), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            _remove(path)  # killed between making the directory and the file
            continue
        except NotADirectoryError:
            continue  # .lock
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(path)
        except BlockingIOError:
            pass  # alive
        finally:
            os.close(fd)


def _remove(path: str) -> None:
    try:
        os.unlink(os.path.join(path, _STATE))
    except FileNotFoundError:
        pass
    os.rmdir(path)
