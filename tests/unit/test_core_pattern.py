"""kernel.core_pattern: what may be set, and the names that come of it."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from sentry.abi.resource import RLIM_INFINITY
from sentry.errors import Errno
from sentry.kernel import core_pattern, settings


@pytest.fixture(autouse=True)
def plain() -> Iterator[None]:
    yield
    core_pattern.pattern[0] = b"core"
    settings.values["core_uses_pid"] = 0


def name(text: bytes, comm: bytes = b"a/b") -> bytes:
    core_pattern.set_pattern(text)
    group = SimpleNamespace(local_tgid=7, tgid=107, dumpable=1, rlimit=lambda resource: RLIM_INFINITY)
    ids = SimpleNamespace(show_uid=lambda uid: uid, show_gid=lambda gid: gid)
    exe = SimpleNamespace(absolute=lambda root: b"/usr/bin/true")
    task: Any = SimpleNamespace(
        group=group, tid=108, local_tid=8, comm=comm, creds=SimpleNamespace(user_ns=ids, uid=1000, gid=100),
        ns=SimpleNamespace(uts=SimpleNamespace(hostname=b"box")), mm=SimpleNamespace(exe=exe),
        fs=SimpleNamespace(root=None),
    )  # fmt: skip
    return core_pattern.name_for(task, SimpleNamespace(signo=11))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (b"core\n", b"core"),
        (b"core.%p", b"core.7"),
        (b"%e-%s-%u-%g-%h", b"a!b-11-1000-100-box"),
        (b"%E.%f.%P.%i.%I", b"!usr!bin!true.true.107.8.108"),
        (b"100%%.%d.%c", b"100%.1.18446744073709551615"),
        (b"core%", b"core"),
        (b"core%z", b"core"),
    ],
)
def test_letters_stand_for_facts(pattern: bytes, expected: bytes) -> None:
    assert name(pattern) == expected


@pytest.mark.parametrize(("comm", "shown"), [(b"..", b"!."), (b".", b"!"), (b"", b"!"), (b"../", b"..!")])
def test_no_name_of_a_process_leads_to_another_directory(comm: bytes, shown: bytes) -> None:
    assert name(b"/cores/%e/core", comm) == b"/cores/" + shown + b"/core"


def test_core_uses_pid_appends_it_where_the_pattern_has_none() -> None:
    settings.values["core_uses_pid"] = 1
    assert name(b"core") == b"core.7"
    assert name(b"%p.core") == b"7.core"


@pytest.mark.parametrize("pattern", [b"|/bin/cat", b"@/run/socket"])
def test_nothing_that_asks_another_program_can_be_set(pattern: bytes) -> None:
    with pytest.raises(Errno):
        core_pattern.set_pattern(pattern)
    assert core_pattern.pattern[0] == b"core"


def test_a_pattern_has_a_length() -> None:
    core_pattern.set_pattern(b"x" * 500)
    assert core_pattern.pattern[0] == b"x" * 127
