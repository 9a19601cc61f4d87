"""A sandbox before anything is opened: the sentry's Config and the host paths that become its descriptors."""

from __future__ import annotations

import os

from runsc.errors import RuntimeFailure, failed
from sentry.config import Mount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentry.config import Config

# Names of file systems in config.json (and in mount(8)) and what serves them here.
FILE_SYSTEMS = {
    "proc": "proc", "sysfs": "sysfs", "tmpfs": "tmpfs", "devtmpfs": "devtmpfs", "devpts": "devpts",
    "mqueue": "mqueue", "cgroup": "cgroup2", "cgroup2": "cgroup2",
}  # fmt: skip


class Description:
    """What to run (`config`), on which host directory (`root`), with which host paths bound into it."""

    __slots__ = ("binds", "bundle", "config", "root")

    def __init__(self, config: Config, root: str) -> None:
        self.config = config
        self.root = root
        self.bundle = ""  # the directory of its config.json, where it has one
        self.binds: list[tuple[Mount, str]] = []  # a bind mount of the config's, its host path

    def bind(self, dest: str, source: str, readonly: bool, where: str, options: Sequence[str] = ()) -> None:
        """Bind a host path; `where` names the setting in messages.  RuntimeFailure when it doesn't exist."""
        check_exists(source, where)
        mount = Mount(os.fsencode(dest), "bind", readonly=readonly, options=list(options))
        self.config.mounts.append(mount)
        self.binds.append((mount, source))

    def mount(self, dest: str, type: str, *options: str) -> None:
        """Mount one of the sentry's own file systems."""
        readonly = "ro" in options
        self.config.mounts.append(Mount(os.fsencode(dest), type, readonly=readonly, options=list(options)))

    def writes_to_host(self) -> bool:
        """Can the guest write to any host directory?"""
        config = self.config
        return (config.overlay == "none" and not config.root_readonly) or any(
            not mount.readonly for mount, _ in self.binds
        )


def check_exists(path: str, where: str, directory: bool = False) -> None:
    """Raises RuntimeFailure unless the host path exists (and is a directory, if it has to be)."""
    try:
        os.stat(path)
    except OSError as error:
        raise failed(f"{where}: {path}", error) from None
    if directory and not os.path.isdir(path):
        raise RuntimeFailure(f"{where}: {path}: Not a directory")
