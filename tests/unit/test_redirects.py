"""The attribute that says where an overlay's directory goes on: whoever made the layer wrote it."""

from __future__ import annotations

from errno import EINVAL
from types import SimpleNamespace
from typing import Any

import pytest

from sentry.errors import Errno
from sentry.fs.redirects import redirect_of

FS: Any = SimpleNamespace(private=b"trusted.overlay.", redirect="on")


def of(value: bytes) -> bytes:
    inode: Any = SimpleNamespace(getxattr=lambda name: value)
    return redirect_of(FS, inode)


@pytest.mark.parametrize("value", [b"name", b"/a/b", b"/" + b"a" * 255])
def test_takes_a_name_or_a_path(value: bytes) -> None:
    assert of(value) == value


@pytest.mark.parametrize("value", [b"..", b"/a/../b", b"a/b", b"/", b"/a/", b"a\0b", b"/a" * 129])
def test_refuses_nonsense_and_what_is_too_long(value: bytes) -> None:
    with pytest.raises(Errno) as caught:
        of(value)
    assert caught.value.code == EINVAL
