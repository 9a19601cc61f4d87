"""What one sandbox is made of: the plain description that the sentry boots from.

The command line makes it from config.json or from its own arguments.  Everything that has to be opened on
the host already is: once the sandbox is sealed there is no host path left to open.
"""

from __future__ import annotations

CLOSED = -1  # in place of a descriptor: there is none


class Mount:
    """One mount of the guest's, in the order in which they are made."""

    __slots__ = ("dest", "options", "readonly", "source_fd", "type")

    def __init__(
        self,
        dest: bytes,
        type: str,
        source_fd: int = CLOSED,
        readonly: bool = False,
        options: list[str] | None = None,
    ) -> None:
        self.dest = dest  # absolute path in the guest
        self.type = type  # bind, tmpfs, proc, sysfs, devtmpfs, devpts, mqueue or cgroup
        self.source_fd = source_fd  # bind: host descriptor (O_PATH) of the directory or file
        self.readonly = readonly
        self.options = options or []  # the file system's own: size=..., mode=..., ...

    def take(self, fd: int) -> None:
        """Set the host descriptor of a bind mount."""
        self.source_fd = fd


class Config:
    """A sandbox: its first process, its file systems and the host descriptors it lives on."""

    __slots__ = (
        "args",
        "capabilities",
        "control_fd",
        "cwd",
        "debug",
        "domainname",
        "env",
        "gid",
        "groups",
        "hostname",
        "hot",
        "log_fd",
        "log_json",
        "make_cwd",
        "masked_paths",
        "mounts",
        "no_new_privs",
        "overlay",
        "patch",
        "platform",
        "proc_fd",
        "readonly_paths",
        "resources",
        "rlimits",
        "root_fd",
        "root_propagation",
        "root_readonly",
        "run_id",
        "status_fd",
        "stdio",
        "strace",
        "strace_fd",
        "stub_fd",
        "uid",
        "umask",
    )  # fmt: skip

    def __init__(self, args: list[bytes], env: list[bytes], cwd: bytes = b"/") -> None:
        self.args = args
        self.env = env  # NAME=VALUE
        self.cwd = cwd
        self.make_cwd = False  # where it is missing
        self.uid = 0
        self.gid = 0
        self.groups: list[int] = []  # supplementary
        self.umask = 0o022
        self.capabilities = (0, 0, 0, 0, 0)  # bit masks: bounding, effective, inheritable, permitted, ambient
        self.rlimits: list[tuple[int, int, int]] = []  # (RLIMIT_*, soft, hard); 2**64-1: no limit
        self.no_new_privs = False
        self.hostname = b"runsc"
        self.domainname = b"(none)"
        self.root_fd = CLOSED  # the root file system's directory on the host
        self.root_readonly = False  # the guest gets EROFS
        self.overlay = "memory"  # memory: writes to the root are kept in memory; none: the host is written
        self.mounts: list[Mount] = []
        self.masked_paths: list[bytes] = []  # in the guest: hidden
        self.readonly_paths: list[bytes] = []
        self.root_propagation = ""  # shared, slave, private or unbindable
        self.stdio = [0, 1, 2]  # CLOSED where the caller had none
        self.strace = False
        self.strace_fd = CLOSED
        self.log_fd = CLOSED  # the sentry's log
        self.log_json = False
        self.debug = False  # log debug records too
        self.hot = True  # answer hot calls in C
        self.patch = True  # change the guest's code, where a platform can, so that its calls cost less
        self.platform = "ptrace"
        self.resources: dict[bytes, bytes] = {}  # of the root control group, by the names of its files
        self.proc_fd = CLOSED  # a proc of the sandbox's own PID namespace on the host
        self.run_id = ""
        self.stub_fd = CLOSED  # the platform's stub program
        self.status_fd = CLOSED  # where a failure to start is reported to the command line
        self.control_fd = CLOSED  # read end: one byte per signal number that the command line was sent
