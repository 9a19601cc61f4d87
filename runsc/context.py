"""What every command is given: the global options and what was made of them."""

from __future__ import annotations

import os
import sys

from runsc.errors import RuntimeFailure, failed
from runsc.flags import LIST, SWITCH, VALUE, Flag
from runsc.log import RuntimeLog
from sentry.platform import base
from sentry.platform.base import PLATFORMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runsc.description import Description
    from runsc.flags import Options
    from sentry.config import Config

__all__ = ["FLAGS", "LIST", "Context"]

HERE = {"platform": ("auto", *PLATFORMS), "network": ("none",)}
LATER = {"platform": ("kvm",), "network": ("sandbox", "host")}  # known elsewhere, not here yet

FLAGS = (
    Flag("root", VALUE, "where the state of sandboxes is kept", "DIR"),
    Flag("log", VALUE, "write the runtime's own records to FILE", "FILE"),
    Flag("log-format", VALUE, "form of --log and --debug-log", "text|json", "text"),
    Flag("debug", SWITCH, "log debug records too"),
    Flag("debug-log", VALUE, "write the sentry's log to FILE", "FILE"),
    Flag("strace", SWITCH, "print each system call (to --debug-log, else to standard error)"),
    Flag("platform", VALUE, f"what runs guest code: {', '.join(HERE['platform'])}", "NAME", "auto"),
    Flag("network", VALUE, "network of the guest", "NAME", "none"),
    Flag("overlay2", VALUE, "where writes to the root go", "root:memory|none", "root:memory"),
    Flag("no-hot", SWITCH, "answer every system call in Python, none in C"),
    Flag("no-patch", SWITCH, "leave the guest's code as it is: every system call is trapped"),
)


class Context:
    """The global options, checked, and the log."""

    __slots__ = ("_stdio", "log", "options", "overlay")

    def __init__(self, options: Options, log: RuntimeLog, stdio: list[int]) -> None:
        self.options = options
        self.log = log
        self.overlay = "none" if options.value("overlay2") == "none" else "memory"
        self._stdio = stdio
        for name, here in HERE.items():
            value = options.value(name)
            if value not in here:
                if value in LATER[name]:
                    raise RuntimeFailure(f"--{name}: {value}: not available in this version")
                raise RuntimeFailure(f"--{name}: unknown: '{value}'")

    def complete(self, config: Config, run_id: str) -> None:
        """Put the global options into a config.

        Raises RuntimeFailure when a log can't be opened, or the platform asked for can't work here.
        """
        options = self.options
        config.run_id = run_id
        config.stdio = self._stdio
        config.platform = self.platform()
        config.hot = not options.on("no-hot")
        config.patch = not options.on("no-patch")
        config.debug = options.on("debug")
        config.log_json = options.value("log-format") == "json"
        path = options.value("debug-log")
        if path:
            try:
                config.log_fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            except OSError as error:
                raise failed(f"--debug-log {path}", error) from None
        if options.on("strace"):
            config.strace_fd = config.log_fd if path else self._stdio[2]
            config.strace = config.strace_fd >= 0

    def platform(self) -> str:
        """The platform asked for; the choice of `auto` is logged where it is not the first.

        Raises RuntimeFailure when it can't work here.
        """
        asked = self.options.value("platform")
        if asked != "auto":
            reason = base.probe(asked)
            if reason is not None:
                raise RuntimeFailure(f"--platform: {asked}: does not work here: {reason}")
            return asked
        chosen, passed_over = base.choose()
        if passed_over:
            self.log.warning(f"platform {chosen} is taken: {'; '.join(passed_over)}")
        return chosen


def dry_run(context: Context, description: Description) -> int:
    """Print the plan for a sandbox instead of making it."""
    from runsc import boot, seccomp

    def nothing() -> None: ...

    description.config.platform = context.platform()
    steps = boot.describe(boot.plan(description, nothing, nothing))
    lines = [*steps, "", "host calls that the sentry may make:", *seccomp.describe()]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
