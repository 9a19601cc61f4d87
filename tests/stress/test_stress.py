"""A few of stress-ng's stressors in the sandbox; `make stress` runs all (tests/stress/run.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import modes
from tests.sandbox import need_runsc
from tests.stress.outcome import FAILED, HUNG, PASSED, SKIPPED, Outcome, judge, sandboxed
from tests.stress.reasons import REASONS, Reason
from tests.stress.run import MEMORY, wrong
from tests.stress.stressors import STRESS_NG

SAMPLE = ["pipeherd", "sigq", "mmapmany", "sysbadaddr"]


@pytest.mark.parametrize("stressor", SAMPLE)
def test_stressor_passes(stressor: str, mode: modes.Mode, tmp_path: Path) -> None:
    need_runsc()
    if not Path(STRESS_NG).exists():
        pytest.skip("not installed: apt-get install stress-ng")
    assert wrong(stressor, sandboxed([f"--{stressor}", "1"], tmp_path)) == []


def test_outcomes_are_read_from_what_stress_ng_says() -> None:
    assert judge(0, "stress-ng: info:  [1] successful run completed in 1.01s") == (PASSED, "")
    assert judge(0, "stress-ng: info:  [1] tun stressor will be skipped, no tun") == (
        SKIPPED,
        "tun stressor will be skipped, no tun",
    )
    assert judge(3, "stress-ng: info:  [2] pci: no entries, skipping stressor")[0] == SKIPPED
    assert judge(2, "stress-ng: fail:  [2] sock: socket failed") == (FAILED, "sock: socket failed")
    assert judge(-9, "")[0] == FAILED


def test_wrong_outcomes_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REASONS, "odd", Reason(SKIPPED, "no odd things", "there are none"))
    assert wrong("pipe", Outcome(PASSED)) == []
    assert wrong("odd", Outcome(SKIPPED, "odd: no odd things here")) == []
    for stressor, outcome in (
        ("pipe", Outcome(HUNG)),
        ("pipe", Outcome(SKIPPED, "no pipes")),
        ("pipe", Outcome(PASSED, log=("error: unexpected",))),
        ("pipe", Outcome(PASSED, peak=MEMORY + 1)),
        ("odd", Outcome(PASSED)),
        ("odd", Outcome(SKIPPED, "even")),
    ):
        assert len(wrong(stressor, outcome)) == 1
