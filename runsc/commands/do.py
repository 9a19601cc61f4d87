"""Run a command on the host's own root, without a bundle.

The guest sees the host's files; what it writes is kept in memory and gone when it ends, but for --volume.
/tmp is empty.  Of the environment only PATH, HOME, TERM, LANG and LC_ALL are passed; --env adds to it.
"""

from __future__ import annotations

import os

from runsc.capabilities import ALL
from runsc.context import dry_run
from runsc.description import Description
from runsc.errors import RuntimeFailure
from runsc.flags import LIST, SWITCH, VALUE, Flag
from sentry.config import Config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runsc.context import Context
    from runsc.flags import Options

USAGE = "do [--cwd DIR] [--env K=V]... [--volume SRC:DST[:ro]]... [--] CMD [ARG]..."
FLAGS = (
    Flag("cwd", VALUE, "working directory in the guest", "DIR"),
    Flag("env", LIST, "set a variable, or pass the caller's", "K[=V]"),
    Flag("volume", LIST, "share a host directory or file with the guest", "SRC:DST[:ro]"),
    Flag("dry-run", SWITCH, "print the set-up of the sandbox, start nothing"),
)
PASSED = ("PATH", "HOME", "TERM", "LANG", "LC_ALL")
OWN = ("/proc", "/sys", "/dev", "/tmp")  # the guest's own: the host's directory of that name is not there


def run(context: Context, options: Options, arguments: list[str]) -> int:
    if not arguments or not arguments[0]:
        raise RuntimeFailure(f"expected a command; usage: runsc-py {USAGE}")
    config = Config([os.fsencode(argument) for argument in arguments], _environment(options.values("env")))
    config.cwd = os.fsencode(_cwd(options.value("cwd")))
    config.capabilities = (ALL, ALL, 0, ALL, 0)
    config.overlay = context.overlay
    config.root_readonly = context.overlay == "none"
    description = Description(config, "/")
    description.mount("/proc", "proc")
    description.mount("/sys", "sysfs", "ro")
    description.mount("/sys/fs/cgroup", "cgroup2")
    description.mount("/dev", "devtmpfs")
    description.mount("/dev/pts", "devpts", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")
    description.mount("/dev/shm", "tmpfs", "mode=1777")
    description.mount("/dev/mqueue", "mqueue")
    description.mount("/tmp", "tmpfs", "mode=1777")
    for volume in options.values("volume"):
        _bind(description, volume)
    if options.on("dry-run"):
        return dry_run(context, description)
    context.complete(config, f"do-{os.getpid()}")

    from runsc import sandbox_process

    return sandbox_process.run(description)


def _environment(given: list[str]) -> list[bytes]:
    variables = {name: os.environ[name] for name in PASSED if name in os.environ}
    for setting in given:
        name, equals, value = setting.partition("=")
        if not name:
            raise RuntimeFailure(f"--env: expected K=V, got '{setting}'")
        if equals:
            variables[name] = value
        elif name in os.environ:
            variables[name] = os.environ[name]
    return [os.fsencode(f"{name}={value}") for name, value in variables.items()]


def _cwd(given: str) -> str:
    """By default the caller's directory where the guest has it too, else the root."""
    if given:
        if not given.startswith("/"):
            raise RuntimeFailure(f"--cwd: expected an absolute path, got '{given}'")
        return given
    try:
        cwd = os.getcwd()
    except OSError:  # removed
        return "/"
    hidden = any(cwd == own or cwd.startswith(own + "/") for own in OWN)
    return "/" if hidden else cwd


def _bind(description: Description, volume: str) -> None:
    source, _, rest = volume.partition(":")
    dest, _, mode = rest.partition(":")
    if not source or not dest.startswith("/") or mode not in ("", "ro", "rw"):
        raise RuntimeFailure(f"--volume: expected SRC:DST[:ro] with an absolute DST, got '{volume}'")
    description.bind(dest, os.path.abspath(source), mode == "ro", "--volume")
