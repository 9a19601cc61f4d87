"""List the system calls by number: full, partial (what is missing), or missing (the errno it answers)."""

from __future__ import annotations

import errno
import sys

from runsc.errors import RuntimeFailure
from runsc.flags import VALUE, Flag
from sentry.syscalls.table import TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runsc.context import Context
    from runsc.flags import Options
    from sentry.syscalls.table import Entry

USAGE = "syscalls [--format table|json|markdown]"
FLAGS = (Flag("format", VALUE, "how to print it", "table|json|markdown", "table"),)


def run(context: Context, options: Options, arguments: list[str]) -> int:
    if arguments:
        raise RuntimeFailure(f"unexpected argument '{arguments[0]}'; usage: runsc-py {USAGE}")
    printer = {"table": _table, "json": _json, "markdown": _markdown}[options.value("format")]
    sys.stdout.write(printer())
    return 0


def _detail(entry: Entry) -> str:
    """The note, and for a missing call the name of its errno."""
    name = errno.errorcode[entry.errno] if entry.errno else ""
    return "; ".join(part for part in (name, entry.note) if part)


def _table() -> str:
    lines = [f"{entry.nr:>3}  {entry.name:<24} {entry.support:<8} {_detail(entry)}" for entry in TABLE]
    return "\n".join([*(line.rstrip() for line in lines), "", _summary()]) + "\n"


def _counts() -> dict[str, int]:
    counts = {"full": 0, "partial": 0, "missing": 0}
    for entry in TABLE:
        counts[entry.support] += 1
    return counts


def _summary() -> str:
    return f"{len(TABLE)} calls: " + ", ".join(f"{count} {support}" for support, count in _counts().items())


def _json() -> str:
    import json

    records = [
        {
            "nr": entry.nr,
            "name": entry.name,
            "support": entry.support,
            "note": entry.note,
            "errno": errno.errorcode[entry.errno] if entry.errno else None,
        }
        for entry in TABLE
    ]
    return json.dumps(records, indent=1) + "\n"


_HEADING = """\
# System calls

What a guest gets of the system calls of Linux on x86-64.  *Full*: all that a program can observe is there.
*Partial*: the note says what is missing.  *Missing*: the call fails with an errno that is Linux's own
for a call that it has dropped, has not been built with, or keeps from the unprivileged.

This page is written by `runsc-py syscalls --format markdown`.
"""

# Of the list that gVisor publishes for amd64, which ends at number 441.
_GVISOR = {"full": 224, "partial": 64, "missing": 62}


def _markdown() -> str:
    counts = _counts()
    lines = [_HEADING, "| | runsc-py | gVisor |", "| --- | ---: | ---: |"]
    lines += [f"| {support} | {count} | {_GVISOR[support]} |" for support, count in counts.items()]
    lines += [f"| listed | {len(TABLE)} | {sum(_GVISOR.values())} |", ""]
    lines += ["| number | name | support | notes |", "| ---: | --- | --- | --- |"]
    lines += [f"| {entry.nr} | {entry.name} | {entry.support} | {_detail(entry)} |" for entry in TABLE]
    return "\n".join(lines) + "\n"
