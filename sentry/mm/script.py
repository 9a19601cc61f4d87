"""Interpreter scripts: the `#!` line (execve(2), "Interpreter scripts")."""

from __future__ import annotations

from errno import ENOEXEC

from sentry.errors import Errno

LINE_MAX = 256  # what Linux looks at
MAX_DEPTH = 5  # interpreters that are scripts themselves
_BLANKS = b" \t"


def is_script(head: bytes) -> bool:
    return head[:2] == b"#!"


def parse_line(head: bytes) -> tuple[bytes, bytes | None]:
    """The interpreter's path and its one optional argument; Errno(ENOEXEC) for a bad or cut-off line."""
    line = head[2:LINE_MAX]
    end = line.find(b"\n")
    if end >= 0:
        line = line[:end]
    elif len(head) >= LINE_MAX:
        # No end in sight: good only when at least the path is surely complete.
        rest = line.lstrip(_BLANKS)
        if not any(blank in rest for blank in (b" ", b"\t", b"\0")):
            raise Errno(ENOEXEC)
        line = line[: LINE_MAX - 3]  # Linux puts a NUL over the last byte
    line = line.partition(b"\0")[0].strip(_BLANKS)
    if not line:
        raise Errno(ENOEXEC)
    for index, byte in enumerate(line):
        if byte in _BLANKS:
            return line[:index], line[index:].lstrip(_BLANKS)
    return line, None
