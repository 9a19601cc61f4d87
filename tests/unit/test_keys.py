"""What all keys together may take of the sentry's memory, whatever the users' limits."""

from __future__ import annotations

from errno import ENOMEM

import pytest

from sentry.errors import Errno
from sentry.keys import key
from sentry.keys.key import Key, Keyring


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "root_maxkeys", "root_maxbytes":
        monkeypatch.setitem(key.limits, name, 2_000_000_000)
    monkeypatch.setattr(key, "TOTAL_BYTES", key.totals.bytes + 10_000)


def new(name: bytes) -> Key:
    return Key(b"user", name, 0, 0, 0, b"x")


def linked(ring: Keyring, other: Key) -> bool:
    """Whether there was memory for the link."""
    try:
        ring.link(other)
    except Errno as error:
        return error.code != ENOMEM
    return True


def test_descriptions_count() -> None:
    before = key.totals.bytes
    keys = [new(b"%04000d" % number) for number in range(2)]
    assert key.totals.bytes - before == 2 * 4001
    with pytest.raises(Errno) as refused:
        new(b"%04000d" % 3)
    assert refused.value.code == ENOMEM
    del refused
    assert key.quotas[0].all == 2
    keys.clear()
    assert key.totals.bytes == before
    new(b"%04000d" % 3)


def test_links_count_and_are_given_back() -> None:
    before = key.totals.bytes
    rings = [Keyring(b"r", 0, 0, 0) for _ in range(90)]
    held = new(b"k")
    for ring in rings:
        ring.link(held)
        ring.link(held)  # in its own place
    full = Keyring(b"full", 0, 0, 0)
    filled = key.totals.bytes
    for _ in range(3):
        keys = [new(b"%d" % number) for number in range(9)]
        assert 0 < sum([linked(full, other) for other in keys]) == len(full.links) < 9
        full.clear()
        keys.clear()
        assert key.totals.bytes == filled
    rings[0].unlink(held)
    rings[1].revoke()
    held.invalidate()
    assert not any(ring.links for ring in rings)
    del ring, rings, full, held
    assert key.totals.bytes == before
