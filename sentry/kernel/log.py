"""What the sentry says about itself: warnings and bugs, as text or JSON lines on host descriptors."""

from __future__ import annotations

import os
import sys
import time
import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, TextIO

    from sentry.kernel.task import Task

_LEVELS = {"debug": 0, "info": 1, "warning": 2, "error": 3}
BUGS_SHOWN = 100  # tracebacks; a guest that finds a bug must not fill the disk


class Log:
    """One line a record: level, message, time (RFC 3339)."""

    def __init__(self, fd: int, as_json: bool = False, level: str = "warning") -> None:
        """`fd` is -1 to say nothing."""
        self._fd = fd
        self._json = as_json
        self._level = _LEVELS[level]
        time.gmtime()  # the first time the C library reads its time zone; once sealed it can't
        self.bugs = 0
        self.counts: dict[str, int] = {}  # of `once` records, by key

    def take_over(self) -> None:
        """Have Python tell us what it would print itself: exceptions that nobody can get, and warnings (of
        a coroutine that was never awaited).  It would print source lines too, and to open a file is the end
        of a sealed sandbox.
        """
        sys.unraisablehook = lambda info: self.bug(None, (info.exc_type, info.exc_value, info.exc_traceback))
        warnings.showwarning = self._warned

    def _warned(
        self, message: Warning | str, category: type[Warning], filename: str, lineno: int,
        file: TextIO | None = None, line: str | None = None,
    ) -> None:  # fmt: skip
        self.once(f"{filename}:{lineno}", f"{category.__name__}: {message}")

    def write(self, level: str, message: str, *details: str) -> None:
        """One record, if its level is asked for; each of the `details` has a line of its own.

        What a guest has put in can't end a line or speak to the terminal that shows it.
        """
        if self._fd < 0 or _LEVELS[level] < self._level:
            return
        year, month, day, hour, minute, second = time.gmtime()[:6]  # not strftime, which opens /etc/localtime
        stamp = f"{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        if self._json:
            text = json_string("\n".join((message, *details)))
            line = f'{{"level":"{level}","msg":{text},"time":"{stamp}"}}\n'
        else:
            text = "\n".join([printable(each) for each in (message, *details)])
            line = f"{stamp} {level}: {text}\n"
        try:
            os.write(self._fd, line.encode("utf-8", "backslashreplace"))
        except OSError:  # a full disk or a closed pipe of the reader: the sandbox goes on
            self._fd = -1

    def once(self, key: str, message: str) -> None:
        """A warning that is written the first time only, and counted."""
        count = self.counts.get(key, 0)
        self.counts[key] = count + 1
        if not count:
            self.write("warning", message)

    def bug(self, task: Task | None, info: tuple[Any, Any, TracebackType | None]) -> None:
        """An unexpected exception, with its traceback and the call it happened in."""
        self.bugs += 1
        if self.bugs > BUGS_SHOWN:
            return
        where = ""
        if task is not None:
            ctx = task.ctx
            registers = [hex(n) for n in (ctx.rdi, ctx.rsi, ctx.rdx, ctx.r10, ctx.r8, ctx.r9)] if ctx else []
            where = f"task {task.tid}, call {task.syscall_nr}({', '.join(registers)}): "
        self.write("error", where + _describe(info))


def _describe(info: tuple[Any, Any, TracebackType | None]) -> str:
    # The traceback module is heavy and reads source files, which are out of reach in the sealed sandbox.
    lines = []
    traceback = info[2]
    while traceback is not None:
        code = traceback.tb_frame.f_code
        lines.append(f"{code.co_filename.rpartition('/')[2]}:{traceback.tb_lineno} in {code.co_name}")
        traceback = traceback.tb_next
    return f"{info[0].__name__}: {info[1]} ({' > '.join(lines)})"


def printable(text: str) -> str:
    """The text with its control characters escaped, C1's too."""
    if text.isprintable():
        return text
    return "".join(f"\\x{ord(c):02x}" if _is_control(c) else c for c in text)


def _is_control(char: str) -> bool:
    return char < " " or "\x7f" <= char <= "\x9f"


def json_string(text: str) -> str:
    """A JSON string literal; the json package costs too much time to import."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(f"\\u{ord(c):04x}" if _is_control(c) else c for c in escaped) + '"'
