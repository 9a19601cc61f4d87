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


def _summary() -> str:
    counts = {"full": 0, "partial": 0, "missing": 0}
    for entry in TABLE:
        counts[entry.support] += 1
    return f"{len(TABLE)} calls: " + ", ".join(f"{count} {support}" for support, count in counts.items())


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


def _markdown() -> str:
    lines = ["| number | name | support | notes |", "| ---: | --- | --- | --- |"]
    lines += [f"| {entry.nr} | {entry.name} | {entry.support} | {_detail(entry)} |" for entry in TABLE]
    return "\n".join([*lines, "", _summary()]) + "\n"
