"""State directories: one sandbox an id, and what a killed runtime leaves is removed by the next one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from runsc import state
from runsc.errors import RuntimeFailure


def test_an_id_is_taken_until_its_sandbox_has_ended(work_directory: Path) -> None:
    root = str(work_directory / "state")
    first = state.create(root, "one")
    first.write("one", 42, "/bundle")
    with pytest.raises(RuntimeFailure, match="container ID already exists: one"):
        state.create(root, "one")
    record = json.loads((work_directory / "state/one/state.json").read_text())
    assert record == {"ociVersion": "1.3.0", "id": "one", "status": "running", "pid": 42, "bundle": "/bundle"}
    first.remove()
    state.create(root, "one").remove()
    assert os.listdir(root) == [".lock"]


def test_leftovers_are_removed_and_the_living_are_not(work_directory: Path) -> None:
    root = work_directory / "state"
    living = state.create(str(root), "living")
    (root / "dead").mkdir()
    (root / "dead/state.json").write_text("{}")
    (root / "stillborn").mkdir()
    state.create(str(root), "next").remove()
    assert sorted(os.listdir(root)) == [".lock", "living"]
    living.remove()


@pytest.mark.parametrize("id", ["", ".", "..", "a/b", "a b", "\u00e9", "a\n", "x" * 1025])
def test_ids_that_are_refused(id: str) -> None:
    with pytest.raises(RuntimeFailure, match="invalid container ID"):
        state.check_id(id)


@pytest.mark.parametrize("id", ["a", "A-b_c+d.e", "...", "0"])
def test_ids_that_are_taken(id: str) -> None:
    state.check_id(id)


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a directory of another user's")
def test_a_root_of_another_user_is_refused(work_directory: Path) -> None:
    root = work_directory / "state"
    root.mkdir()
    os.chown(root, 65534, 65534)
    with pytest.raises(RuntimeFailure, match="belongs to another user"):
        state.create(str(root), "one")
