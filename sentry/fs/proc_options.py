"""proc's mount options: whose processes it shows, and to whom (proc(5), "Mount options")."""

from __future__ import annotations

from errno import EINVAL, ENOENT, EPERM

from sentry.errors import Errno
from sentry.fs.proc_access import are_of_process, may_inspect_as
from sentry.vfs.mounts.options import number, parse, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task

NO_ACCESS, INVISIBLE, PTRACEABLE = 1, 2, 4
_LEVELS = {"off": 0, "noaccess": NO_ACCESS, "invisible": INVISIBLE, "ptraceable": PTRACEABLE}
_WORDS = {level: name.encode() for name, level in _LEVELS.items()}


def _level(text: str | None) -> int:
    level = _LEVELS[text] if text in _LEVELS else number(text)
    if level not in _WORDS:
        raise Errno(EINVAL)
    return level


PARAMETERS = {"gid": number, "hidepid": _level, "subset": word("pid")}


class ProcOptions:
    """Those of one proc: it hides at `level` from all but the group `gid`; `pids_only`: processes are all it
    shows.
    """

    __slots__ = ("gid", "level", "pids_only")

    def __init__(self) -> None:
        self.level = 0
        self.gid = 0
        self.pids_only = False

    def take(self, options: list[str]) -> None:
        """What a mount or remount asks for; EINVAL."""
        values = parse(options, PARAMETERS)
        self.level = int(values.get("hidepid", self.level))
        self.gid = int(values.get("gid", self.gid))
        self.pids_only = "subset" in values or self.pids_only

    def show(self) -> bytes:
        """As /proc/mounts tells them."""
        text = b",gid=%d" % self.gid if self.gid else b""
        if self.level:
            text += b",hidepid=" + _WORDS[self.level]
        return text + b",subset=pid" if self.pids_only else text

    def reveals(self, creds: Creds, target: Task, level: int) -> bool:
        """Whether a proc that hides what belongs to `level`, or more, shows that of `target` to `creds`."""
        if self.level != PTRACEABLE and (self.level < level or creds.in_group(self.gid)):
            return True
        return are_of_process(creds, target) or may_inspect_as(creds, target)

    def check(self, creds: Creds, target: Task) -> None:
        """Who enters the directory of `target`: EPERM, or ENOENT where not even that it is there is told."""
        if self.level and not self.reveals(creds, target, NO_ACCESS):
            raise Errno(EPERM if self.level == NO_ACCESS else ENOENT)
