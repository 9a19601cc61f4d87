"""Calls of the os module whose failure is the guest's to see."""

from __future__ import annotations

from errno import EIO

from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")


def host(call: Callable[P, R], *args: P.args, **options: P.kwargs) -> R:
    """call(*args, **options), its OSError raised as Errno."""
    try:
        return call(*args, **options)
    except OSError as error:
        raise Errno(error.errno or EIO) from None
