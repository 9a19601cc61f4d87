"""What fsopen(2) and fspick(2) give a descriptor of: a file system that is being configured."""

from __future__ import annotations

from errno import EBUSY, EINVAL, EMSGSIZE, ENODATA

from sentry.abi.fcntl import O_RDWR
from sentry.abi.mount import MS_OF_FILE_SYSTEM, MS_RDONLY
from sentry.errors import Errno
from sentry.vfs.anon import AnonymousFile
from sentry.vfs.mounts.file_systems import GENERIC_OPTIONS, check_type
from sentry.vfs.mounts.mounting import check_no_writers, check_reconfigure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.mounts.file_systems import FileSystemType
    from sentry.vfs.mounts.mount import FileSystem
    from sentry.vfs.mounts.options import Parameters

MESSAGES_MAX = 8  # the oldest are forgotten
PARAMETERS_MAX = 256  # options of one file system, so that nobody collects them for ever

CREATE_PARAMETERS = "create"  # phases
AWAITING_MOUNT = "mount"
AWAITING_RECONFIGURE = "reconfigure"
RECONFIGURE_PARAMETERS = "parameters"
FAILED = "failed"


class MountConfig(AnonymousFile):
    """Parameters given one by one, then a file system made (or changed) by them."""

    __slots__ = ("_messages", "_off", "_on", "_options", "fs", "phase", "source", "type")

    can_seek = False
    can_write = False

    def __init__(self, kind: FileSystemType | None, fs: FileSystem | None) -> None:
        """Of a new file system of type `kind`, or of an existing `fs`."""
        super().__init__(O_RDWR, b"[fscontext]")
        self.type = kind
        self.fs = fs
        self.phase = CREATE_PARAMETERS if fs is None else RECONFIGURE_PARAMETERS
        self._messages: list[bytes] = []
        self._forget_parameters()

    def _forget_parameters(self) -> None:
        self.source: bytes | None = None
        self._options: list[str] = []
        self._on = self._off = 0

    def release(self) -> None:
        if self.phase == AWAITING_MOUNT and self.fs is not None and not self.fs.mounts():
            self.fs.unused()

    @property
    def _name(self) -> bytes:
        if self.type is not None:
            return self.type.name.encode()
        return self.fs.name if self.fs is not None else b""

    def read(self, task: Task, count: int, pos: int | None) -> bytes:
        """One message: what was wrong with a parameter."""
        if not self._messages:
            raise Errno(ENODATA)
        if len(self._messages[0]) > count:
            self._messages.pop(0)
            raise Errno(EMSGSIZE)
        return self._messages.pop(0)

    def refuse(self, text: bytes, code: int = EINVAL) -> Errno:
        """Note an error for the reader; the Errno to raise."""
        del self._messages[: len(self._messages) + 1 - MESSAGES_MAX]
        self._messages.append(b"e " + text + b"\n")
        return Errno(code)

    def ready(self) -> None:
        """A mounted file system can be changed from now on."""
        if self.phase == AWAITING_RECONFIGURE:
            self._forget_parameters()
            self.phase = RECONFIGURE_PARAMETERS

    def set(self, key: bytes, value: bytes | None) -> None:
        """One parameter; `value` None: a flag.  EINVAL, EBUSY (too late)."""
        self.ready()
        if self.phase not in (CREATE_PARAMETERS, RECONFIGURE_PARAMETERS):
            raise Errno(EBUSY)
        if not key:
            raise self.refuse(b"Unnamed parameter")
        generic = GENERIC_OPTIONS.get(key.decode("latin-1"))
        if generic is not None:
            self._on = self._on & ~generic[1] | generic[0]
            self._off = self._off & ~generic[0] | generic[1]
        elif key == b"source":
            if value is None:
                raise self.refuse(b"Non-string source")
            if self.source is not None:
                raise self.refuse(b"Multiple sources")
            self.source = value
        else:
            self._set_own(key, value)

    def set_other(self, key: bytes) -> None:
        """A parameter whose value is a file or binary: no file system here has one."""
        self.ready()
        if self.phase not in (CREATE_PARAMETERS, RECONFIGURE_PARAMETERS):
            raise Errno(EBUSY)
        name = key.decode("latin-1")
        if key == b"source":
            raise self.refuse(b"Non-string source")
        if name in GENERIC_OPTIONS:
            self.set(key, None)
            return
        known = name in self._parameters()
        wrong = b"%b: Bad value for '%b'" if known else b"%b: Unknown parameter '%b'"
        raise self.refuse(wrong % (self._name, key))

    def _parameters(self) -> Parameters:
        if self.type is not None:
            return self.type.parameters
        assert self.fs is not None
        return self.fs.parameters

    def _set_own(self, key: bytes, value: bytes | None) -> None:
        name = key.decode("latin-1")
        kinds = self._parameters()
        if name not in kinds:
            raise self.refuse(b"%b: Unknown parameter '%b'" % (self._name, key))
        if len(self._options) >= PARAMETERS_MAX:
            raise Errno(EINVAL)
        option = name if value is None else name + "=" + value.decode("latin-1")
        try:
            kinds[name](None if value is None else value.decode("latin-1"))
        except Errno:
            bad = b"%b: Bad value for '%b'" % (self._name, key)
            raise self.refuse(bad) from None
        self._options.append(option)

    def create(self, task: Task, exclusive: bool) -> None:
        """FSCONFIG_CMD_CREATE; `exclusive`: EBUSY rather than a file system that exists already."""
        if self.phase != CREATE_PARAMETERS:
            raise Errno(EBUSY)
        assert self.type is not None
        check_type(task, self.type)
        self.phase = FAILED
        fs = self.type.instance(task.kernel, self._options, task)
        if fs.mounts():
            if exclusive:
                raise Errno(EBUSY)
        else:
            fs.set_flags(self._on & ~self._off)
        self.fs = fs
        self.phase = AWAITING_MOUNT

    def reconfigure(self, task: Task) -> None:
        """FSCONFIG_CMD_RECONFIGURE."""
        self.ready()
        if self.phase != RECONFIGURE_PARAMETERS:
            raise Errno(EBUSY)
        fs = self.fs
        assert fs is not None
        self.phase = FAILED
        check_reconfigure(task, fs)
        flags = (fs.flags & ~self._off | self._on) & MS_OF_FILE_SYSTEM
        if flags & MS_RDONLY:
            check_no_writers(task, fs)
        fs.reconfigure(self._options)
        fs.set_flags(flags)
        self.phase = AWAITING_RECONFIGURE


def mountable(config: MountConfig) -> FileSystem:
    """The file system of a configuration that is done; EINVAL (none yet), EBUSY (mounted already)."""
    fs = config.fs
    if fs is None:
        raise Errno(EINVAL)
    if config.phase != AWAITING_MOUNT:
        raise Errno(EBUSY)
    return fs
