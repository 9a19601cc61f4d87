"""The system-call table says what there is: every line is complete and its handler exists."""

from __future__ import annotations

import errno
import importlib

import pytest

from sentry.syscalls.table import TABLE, Entry

IDS = [entry.name for entry in TABLE]


def test_numbers_and_names_are_unique_and_in_order() -> None:
    numbers = [entry.nr for entry in TABLE]
    assert numbers == sorted(set(numbers))
    assert len(set(IDS)) == len(IDS)


def test_every_call_of_linux_6_1_is_a_line() -> None:
    numbers = {entry.nr for entry in TABLE}
    assert numbers >= set(range(335)) | set(range(424, 451))


@pytest.mark.parametrize("entry", TABLE, ids=IDS)
def test_a_line_is_complete(entry: Entry) -> None:
    assert entry.support in ("full", "partial", "missing")
    if entry.support == "missing":
        assert not entry.handler
        assert entry.errno in errno.errorcode
        return
    assert entry.errno == 0
    assert bool(entry.note) == (entry.support == "partial"), (
        "a partial call says what is missing, a full one nothing"
    )
    module, _, function = entry.handler.rpartition(".")
    assert callable(getattr(importlib.import_module(f"sentry.syscalls.{module}"), function))
