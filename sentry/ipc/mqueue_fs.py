"""mqueue: the file system of POSIX message queues (mq_overview(7)), one for each IPC namespace."""

from __future__ import annotations

from errno import EACCES, EEXIST, EINVAL, ENAMETOOLONG, ENOENT, ENOSPC

from sentry._core import now
from sentry.abi.capability import CAP_SYS_RESOURCE
from sentry.abi.fcntl import NAME_MAX, O_ACCMODE, O_CREAT, O_EXCL, O_NONBLOCK
from sentry.abi.mqueue import (
    DFLT_MSG_MAX,
    DFLT_MSGSIZE_MAX,
    DFLT_QUEUES_MAX,
    HARD_MSG_MAX,
    HARD_MSGSIZE_MAX,
    MQUEUE_MAGIC,
)
from sentry.abi.resource import RLIM_INFINITY, RLIMIT_MSGQUEUE
from sentry.abi.signal import SIGEV_SIGNAL
from sentry.abi.stat import S_IFDIR, S_IFREG
from sentry.errors import Errno
from sentry.ipc.mqueue import MessageQueue
from sentry.vfs import namespace
from sentry.vfs.file import File
from sentry.vfs.inode import Inode
from sentry.vfs.mounts.mount import FileSystem, anonymous_mount
from sentry.vfs.namei import child_of, open_path
from sentry.vfs.notify import notify
from sentry.vfs.path import Path
from sentry.vfs.permissions import check_create

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task

_FILE_SIZE = 80  # what a queue's st_size says
_ENTRY_SIZE = 20  # what a directory's counts for a name
_QUEUES_HARD_MAX = 1 << 14  # for those who may exceed queues_max: each is an object of ours


class MqueueFs(FileSystem):
    """The queues of an IPC namespace, and the limits of new ones (/proc/sys/fs/mqueue)."""

    def __init__(self) -> None:
        super().__init__(b"mqueue", MQUEUE_MAGIC)
        self.msg_max = self.msg_default = DFLT_MSG_MAX
        self.msgsize_max = self.msgsize_default = DFLT_MSGSIZE_MAX
        self.queues_max = DFLT_QUEUES_MAX
        self.count = 0  # queues that exist
        self.directory = QueueDirectory(self)
        self.set_root(self.directory)
        self.mount = anonymous_mount(self)

    def make(self, creds: Creds, mode: int, sizes: tuple[int, int] | None, limit: int) -> QueueInode:
        """A queue; `sizes` are mq_maxmsg and mq_msgsize.  EINVAL, EMFILE (`limit`), ENOSPC."""
        privileged = creds.has_cap(CAP_SYS_RESOURCE)
        if self.count >= (_QUEUES_HARD_MAX if privileged else self.queues_max):
            raise Errno(ENOSPC)
        if sizes is None:
            sizes = min(self.msg_max, self.msg_default), min(self.msgsize_max, self.msgsize_default)
        most = (HARD_MSG_MAX, HARD_MSGSIZE_MAX) if privileged else (self.msg_max, self.msgsize_max)
        if not 0 < sizes[0] <= most[0] or not 0 < sizes[1] <= most[1]:
            raise Errno(EINVAL)
        return QueueInode(self, mode, creds, MessageQueue(*sizes, creds.uid, limit))

    def open(self, task: Task, name: bytes, flags: int, mode: int, sizes: tuple[int, int] | None) -> File:
        """mq_open(3).  EACCES, EEXIST, EINVAL, EMFILE, ENAMETOOLONG, ENOENT, ENOSPC."""
        place = Path(self.mount, self.root)
        dentry = child_of(place, _checked(name))
        created = dentry.inode is None
        if created:
            if not flags & O_CREAT:
                raise Errno(ENOENT)
            check_create(task.creds, self.directory)
            permissions = mode & 0o7777 & ~task.fs.umask
            inode = self.make(task.creds, permissions, sizes, task.group.rlimit(RLIMIT_MSGQUEUE))
            self.directory.put(name, inode)
            dentry = self.root.attach(name, inode)
            notify.created(self.directory, name, inode)
        elif flags & O_CREAT and flags & O_EXCL:
            raise Errno(EEXIST)
        if flags & O_ACCMODE == O_ACCMODE:
            raise Errno(EINVAL)
        return open_path(task, Path(self.mount, dentry), flags & (O_ACCMODE | O_NONBLOCK), created)

    def unlink(self, task: Task, name: bytes) -> None:
        """mq_unlink(3).  EACCES, ENAMETOOLONG, ENOENT, EPERM."""
        namespace.unlink(task, Path(self.mount, self.root), _checked(name))


def _checked(name: bytes) -> bytes:
    """A queue's name without its slash, as it comes from the C library."""
    if not name:
        raise Errno(ENOENT)
    if b"/" in name or name in (b".", b".."):
        raise Errno(EACCES)
    if len(name) > NAME_MAX:
        raise Errno(ENAMETOOLONG)
    return name


class QueueDirectory(Inode):
    """The only directory."""

    __slots__ = ("names",)

    fs: MqueueFs

    settable = True

    def __init__(self, fs: MqueueFs) -> None:
        super().__init__(fs, S_IFDIR | 0o1777)
        self.names: dict[bytes, QueueInode] = {}
        self.size = 2 * _ENTRY_SIZE

    def put(self, name: bytes, inode: QueueInode) -> None:
        self.names[name] = inode
        self.size += _ENTRY_SIZE
        self.modified()

    def lookup(self, name: bytes) -> Inode:
        inode = self.names.get(name)
        if inode is None:
            raise Errno(ENOENT)
        return inode

    def entries(self) -> list[tuple[bytes, int, int]]:
        return [(name, inode.ino, inode.mode >> 12) for name, inode in self.names.items()]

    def create(self, name: bytes, mode: int, creds: Creds) -> Inode:
        # Nobody tells whose RLIMIT_MSGQUEUE this is; the sizes are the usual ones and queues_max holds.
        inode = self.fs.make(creds, mode, None, RLIM_INFINITY)
        self.put(name, inode)
        return inode

    def unlink(self, name: bytes) -> None:
        inode = self.names.pop(name)
        inode.nlink -= 1
        inode.ctime = now()
        self.size -= _ENTRY_SIZE
        self.modified()


class QueueInode(Inode):
    """A queue as a file."""

    __slots__ = ("messages",)

    settable = True

    fs: MqueueFs

    def __init__(self, fs: MqueueFs, mode: int, creds: Creds, messages: MessageQueue) -> None:
        super().__init__(fs, S_IFREG | mode, creds.fsuid, creds.fsgid)
        self.messages = messages
        self.size = _FILE_SIZE
        fs.count += 1

    def __del__(self) -> None:
        if hasattr(self, "messages"):
            self.fs.count -= 1

    def open(self, task: Task, path: Path, flags: int) -> File:
        return QueueFile(flags, path, self)


class QueueFile(File):
    """An open queue; reading it tells about it."""

    __slots__ = ()

    inode: QueueInode
    seekable = True
    has_readiness = True

    def __init__(self, flags: int, path: Path, inode: QueueInode) -> None:
        super().__init__(flags, path, inode)
        self.queue = inode.messages.queue

    def read(self, task: Task, count: int, pos: int | None) -> bytes:
        at = self.pos if pos is None else pos
        queue = self.inode.messages
        found = queue.notification()
        method, signo, pid = 0, 0, 0
        if found is not None:
            method, pid = found.method, task.number(found.group.tgid)
            signo = found.signo if method == SIGEV_SIGNAL else 0
        text = b"QSIZE:%-10d NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n" % (queue.bytes, method, signo, pid)
        data = text[at : at + count]
        if pos is None:
            self.pos = at + len(data)
        return data

    def seek(self, task: Task, offset: int, whence: int) -> int:
        return self.move(offset, whence, self.inode.size)

    def truncate(self, length: int) -> None:
        self.inode.setattr(size=length)

    def poll(self) -> int:
        return self.inode.messages.poll()

    def flush(self, task: Task) -> None:
        self.inode.messages.unregister(task.group)
