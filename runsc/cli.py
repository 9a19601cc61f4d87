"""The command line: global options, then a command from runsc/commands/.

This layer alone prints and picks exit statuses; the code below it raises RuntimeFailure.
"""

from __future__ import annotations

import os
import sys

from runsc import VERSION
from runsc.context import FLAGS, Context
from runsc.errors import FAILED, RuntimeFailure
from runsc.flags import describe, parse
from runsc.log import RuntimeLog
from runsc.stdio import claim

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMANDS = {
    "run": "run an OCI bundle",
    "do": "run a command on the host's root, whose files it sees but cannot change",
    "spec": "write a config.json to start from",
    "syscalls": "list the system calls and how much of each works",
    "platforms": "list the platforms",
    "doctor": "say whether sandboxes work here and, when not, why and what to change",
}


_COMMANDS = {"help": "help", "h": "help", "version": "version", "v": "version"}  # as options


def main(argv: list[str] | None = None) -> int:
    """Run one command line (without the program's name); its exit status."""
    stdio = claim()
    if sys.stdout is None:  # it was closed; descriptor 1 now is /dev/null
        sys.stdout = os.fdopen(1, "w", closefd=False)
    log = None
    try:
        options, rest = parse(FLAGS, sys.argv[1:] if argv is None else argv, commands=_COMMANDS)
        log = RuntimeLog(options.value("log"), options.value("log-format"), options.on("debug"))
        status = _run(Context(options, log, stdio), rest)
        sys.stdout.flush()
        return status
    except RuntimeFailure as failure:
        return _fail(failure, log)
    except BrokenPipeError:  # standard output's reader has left
        return 128 + 13
    except KeyboardInterrupt:
        return 128 + 2


def script() -> None:
    """The console script: as main, then leaves without tearing the interpreter down."""
    os._exit(main())


def _run(context: Context, argv: list[str]) -> int:
    name = argv[0] if argv else "help"
    if name == "version":
        return _print(f"runsc-py {VERSION}\n")
    if name == "help":
        return _print(_overview() if len(argv) < 2 else _help(_module(argv[1])))
    module = _module(name)
    if len(argv) > 1 and argv[1] in ("--help", "-help", "-h"):
        return _print(_help(module))
    options, arguments = parse(module.FLAGS, argv[1:], FLAGS)
    context.log.debug(f"runsc-py {VERSION}: {name} {' '.join(argv[1:])}")
    status: int = module.run(context, options, arguments)
    context.log.debug(f"{name}: exit status {status}")
    return status


def _module(name: str) -> Any:
    if name not in COMMANDS:
        raise RuntimeFailure(f"unknown command '{name}'; see runsc-py --help")
    return __import__(f"runsc.commands.{name}", fromlist=["run"])


def _overview() -> str:
    commands = "\n".join(f"  {name:<10} {text}" for name, text in COMMANDS.items())
    return (
        f"runsc-py {VERSION}: runs programs on a Linux kernel written in Python\n\n"
        f"usage: runsc-py [OPTIONS] COMMAND ...\n\ncommands (help COMMAND says more):\n{commands}\n\n"
        f"options:\n{describe(FLAGS)}\n  --help, --version\n"
    )


def _help(module: Any) -> str:
    flags = f"\n\noptions:\n{describe(module.FLAGS)}" if module.FLAGS else ""
    return f"usage: runsc-py [OPTIONS] {module.USAGE}\n\n{module.__doc__.strip()}{flags}\n"


def _print(text: str) -> int:
    sys.stdout.write(text)
    return 0


def _fail(failure: RuntimeFailure, log: RuntimeLog | None) -> int:
    line = f"runsc-py: {failure.message}\n"
    try:
        os.write(2, line.encode(errors="surrogateescape"))
    except OSError:
        pass  # nobody to tell; the status says it
    if log is not None:
        log.error(failure.message)
    return failure.status or FAILED


if __name__ == "__main__":
    script()
