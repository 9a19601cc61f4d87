"""The runtime's log (`--log`): one record a line, text or JSON, as container managers read it."""

from __future__ import annotations

import os
import time

from runsc.errors import failed
from runsc.jsonlite import dumps, quote


class RuntimeLog:
    """Where the command layer's records go; without a file they are dropped."""

    def __init__(self, path: str, format: str, debug: bool) -> None:
        self._fd = -1
        self._json = format == "json"
        self._debug = debug
        if path:
            try:
                self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            except OSError as error:
                raise failed(f"--log {path}", error) from None

    def error(self, message: str) -> None:
        self._write("error", message)

    def warning(self, message: str) -> None:
        self._write("warning", message)

    def debug(self, message: str) -> None:
        if self._debug:
            self._write("debug", message)

    def _write(self, level: str, message: str) -> None:
        if self._fd < 0:
            return
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if self._json:
            line = dumps({"level": level, "msg": message, "time": now})
        else:
            line = f'time="{now}" level={level} msg={quote(message)}'
        os.write(self._fd, line.encode() + b"\n")
