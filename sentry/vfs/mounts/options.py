"""Mount options of file systems: what each may be (mount(8), fsconfig(2))."""

from __future__ import annotations

from errno import EINVAL

from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Parse = Callable[[str | None], int | str]
    Parameters = Mapping[str, Parse]

_SUFFIXES = {"k": 10, "m": 20, "g": 30, "t": 40, "p": 50, "e": 60}
_MAX = 1 << 64


def parse(options: list[str], parameters: Parameters) -> dict[str, int | str]:
    """The values of NAME or NAME=VALUE options, the last of each name; EINVAL: not known, or wrong."""
    values = {}
    for option in options:
        name, equals, text = option.partition("=")
        take = parameters.get(name)
        if take is None:
            raise Errno(EINVAL)
        values[name] = take(text if equals else None)
    return values


def _unsigned(text: str | None, base: int, limit: int) -> int:
    try:
        value = int(text or "", base)
    except ValueError:
        raise Errno(EINVAL) from None
    if not text or text[:1] in "+-" or "_" in text or not 0 <= value < limit:
        raise Errno(EINVAL)
    return value


def number(text: str | None) -> int:
    """A 32-bit number: decimal, 0x... or 0..."""
    octal = text is not None and len(text) > 1 and text.isdigit() and text[0] == "0"
    return _unsigned(text, 8 if octal else 0, 1 << 32)


def octal(text: str | None) -> int:
    return _unsigned(text, 8, 1 << 32)


def size(text: str | None) -> int:
    """A number with an optional k, m, g, t, p or e behind it."""
    if not text:
        raise Errno(EINVAL)
    shift = _SUFFIXES.get(text[-1].lower(), 0)
    return _unsigned(text[:-1] if shift else text, 10, _MAX) << shift & _MAX - 1


def flag(text: str | None) -> int:
    """An option without a value."""
    if text is not None:
        raise Errno(EINVAL)
    return 1


def word(*words: str) -> Parse:
    """One of these."""

    def take(text: str | None) -> str:
        if text not in words:
            raise Errno(EINVAL)
        return text

    return take


def any_text(text: str | None) -> str:
    if text is None:
        raise Errno(EINVAL)
    return text
