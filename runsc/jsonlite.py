"""JSON without the `json` package, whose import (of `re` above all) takes half as long as starting Python.

The C scanner and string encoder underneath it do the work; where an interpreter has none, or a document is
wrong, `json` itself is used: for the parsing or for its error message.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BLANK = " \t\n\r"


class _Context:
    """What the C scanner asks of a decoder."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    memo: dict[str, str] = {}

    @staticmethod
    def parse_constant(name: str) -> None:
        raise ValueError(f"{name} is not JSON")


def loads(text: str) -> Any:
    """The value of a JSON document.  Raises ValueError saying line and column."""
    value, well = _scan(text)
    if well:
        return value
    import json

    try:
        return json.loads(text, parse_constant=_Context.parse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _scan(text: str) -> tuple[Any, bool]:
    try:
        from _json import make_scanner
    except ImportError:  # an interpreter without the C half
        return None, False
    start = len(text) - len(text.lstrip(_BLANK))
    try:
        value, end = make_scanner(_Context)(text, start)  # type: ignore[arg-type]  # all it reads is attributes
    except (StopIteration, ValueError, RecursionError, SystemError):
        return None, False  # SystemError: the scanner finds no json.JSONDecodeError to raise
    return value, not text[end:].strip(_BLANK)


def dumps(record: dict[str, str | int | list[str]]) -> str:
    """A flat record as one line of JSON."""
    return "{" + ", ".join(f"{quote(key)}: {_value(value)}" for key, value in record.items()) + "}"


def _value(value: str | int | list[str]) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return quote(value)
    return "[" + ", ".join(quote(item) for item in value) + "]"


def quote(text: str) -> str:
    """A string as JSON, ASCII only."""
    try:
        from _json import encode_basestring_ascii
    except ImportError:
        from json.encoder import py_encode_basestring_ascii as encode_basestring_ascii
    return encode_basestring_ascii(text)
