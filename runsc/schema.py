"""Types of a JSON document: a table says what is expected where, and a mismatch says so in one sentence.

msgspec would decode and check in one go, but its import takes twice as long as starting Python; a
config.json is small, so the checking here costs less than a millisecond.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Mismatch(Exception):
    """A value that is not what its place expects."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}" if where else problem)


class Kind:
    """A type of value.  `one` and `many` name it in messages."""

    __slots__ = ("many", "one")

    def __init__(self, one: str, many: str) -> None:
        self.one = one
        self.many = many

    def matches(self, value: Any) -> bool:
        raise NotImplementedError

    def check(self, value: Any, where: str) -> None:
        """Raises Mismatch for the first value at or below `where` that is of another type."""
        if not self.matches(value):
            raise Mismatch(where, f"expected {self.one}, got {name_of(value)}")


class Plain(Kind):
    """A string or a boolean."""

    __slots__ = ("_type",)

    def __init__(self, type: type, one: str, many: str) -> None:
        super().__init__(one, many)
        self._type = type

    def matches(self, value: Any) -> bool:
        return type(value) is self._type


class Integer(Kind):
    """An integer within bounds."""

    __slots__ = ("high", "low")

    def __init__(self, low: int, high: int) -> None:
        super().__init__("an integer", "integers")
        self.low = low
        self.high = high

    def matches(self, value: Any) -> bool:
        return type(value) is int

    def check(self, value: Any, where: str) -> None:
        super().check(value, where)
        if not self.low <= value <= self.high:
            raise Mismatch(where, f"expected an integer from {self.low} to {self.high}, got {value}")


class List(Kind):
    """A list whose items are of one type."""

    __slots__ = ("item",)

    def __init__(self, item: Kind) -> None:
        super().__init__(f"a list of {item.many}", f"lists of {item.many}")
        self.item = item

    def matches(self, value: Any) -> bool:
        return type(value) is list

    def check(self, value: Any, where: str) -> None:
        super().check(value, where)
        for index, item in enumerate(value):
            self.item.check(item, f"{where}[{index}]")


class Map(Kind):
    """An object with any names, whose values are of one type."""

    __slots__ = ("item",)

    def __init__(self, item: Kind) -> None:
        super().__init__(f"an object with {item.many}", f"objects with {item.many}")
        self.item = item

    def matches(self, value: Any) -> bool:
        return type(value) is dict

    def check(self, value: Any, where: str) -> None:
        super().check(value, where)
        for name, item in value.items():
            self.item.check(item, f"{where}.{name}")


class Object(Kind):
    """An object with known fields.  Fields unknown here are ignored, null ones count as absent."""

    __slots__ = ("fields", "required")

    def __init__(self, required: dict[str, Kind], optional: dict[str, Kind]) -> None:
        super().__init__("an object", "objects")
        self.required = required
        self.fields = required | optional

    def matches(self, value: Any) -> bool:
        return type(value) is dict

    def check(self, value: Any, where: str) -> None:
        super().check(value, where)
        prefix = f"{where}." if where else ""
        for name in self.required:
            if value.get(name) is None:
                raise Mismatch(prefix + name, "missing")
        for name, kind in self.fields.items():
            item = value.get(name)
            if item is not None:
                kind.check(item, prefix + name)


STRING = Plain(str, "a string", "strings")
BOOLEAN = Plain(bool, "true or false", "booleans")
STRINGS = List(STRING)
U32 = Integer(0, 2**32 - 1)
U64 = Integer(0, 2**64 - 1)
S64 = Integer(-(2**63), 2**63 - 1)


def name_of(value: Any) -> str:
    """A JSON value's type, as messages name it."""
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "object"
    return "string" if isinstance(value, str) else type(value).__name__
