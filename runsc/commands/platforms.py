"""List the platforms: what can run guest code, and which of them work here."""

from __future__ import annotations

import sys

from runsc.checks import platforms
from runsc.errors import RuntimeFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runsc.context import Context
    from runsc.flags import Flag, Options

USAGE = "platforms"
FLAGS: tuple[Flag, ...] = ()


def run(context: Context, options: Options, arguments: list[str]) -> int:
    if arguments:
        raise RuntimeFailure(f"unexpected argument '{arguments[0]}'; usage: runsc-py {USAGE}")
    for check in platforms():
        sys.stdout.write(f"{check.name:<8} {check.finding}\n")
    return 0
