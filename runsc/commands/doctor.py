"""Say whether sandboxes work here.

Each line is one thing that a sandbox needs, tried out: `ok`, or `FAIL` with the reason and what to change;
`-` is a platform that does not work, nor is needed since another does.  The exit status is 0 when all that
is needed works, 1 when not.  --plan prints how a sandbox is set up.
"""

from __future__ import annotations

import os
import sys

from runsc import checks
from runsc.context import dry_run
from runsc.errors import RuntimeFailure
from runsc.flags import SWITCH, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runsc.context import Context
    from runsc.flags import Options

USAGE = "doctor [--plan]"
FLAGS = (Flag("plan", SWITCH, "print the set-up of a sandbox, and the host calls left to the sentry"),)
MARKS = {checks.OK: "ok", checks.MISSING: "FAIL", checks.ABSENT: "-"}
SETTINGS = ("kernel/yama/ptrace_scope", "user/max_user_namespaces", "kernel/unprivileged_userns_clone")


def run(context: Context, options: Options, arguments: list[str]) -> int:
    if arguments:
        raise RuntimeFailure(f"unexpected argument '{arguments[0]}'; usage: runsc-py {USAGE}")
    if options.on("plan"):
        from runsc.description import Description
        from sentry.config import Config

        return dry_run(context, Description(Config([b"true"], []), "/"))
    found = [*checks.platforms(), checks.level(), checks.mounts(), checks.filters()]
    for check in found:
        sys.stdout.write(f"{MARKS[check.verdict]:<5} {check.name:<9} {check.finding}\n")
    kernel = os.uname()
    sys.stdout.write(f"host  {kernel.sysname} {kernel.release} {kernel.machine}, uid {os.geteuid()}\n")
    for name in SETTINGS:
        value = checks.setting(name) or "no such setting on this kernel"
        sys.stdout.write(f"      {name.replace('/', '.')}: {value}\n")
    return 1 if any(check.verdict == checks.MISSING for check in found) else 0
