"""Counts of what each user has, where a limit is the user's and not the process's (getrlimit(2))."""

from __future__ import annotations


class UserCount:
    """How many of something each user has, by real user id; each one is a Share that somebody holds."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[int, int] = {}

    def of(self, uid: int) -> int:
        return self._held.get(uid, 0)

    def take(self, uid: int) -> Share:
        """One more; it counts until nobody holds the share."""
        self._held[uid] = self._held.get(uid, 0) + 1
        return Share(self._held, uid)


class Share:
    """One of them."""

    __slots__ = ("_held", "_uid")

    def __init__(self, held: dict[int, int], uid: int) -> None:
        self._held = held
        self._uid = uid

    def __del__(self) -> None:
        held, uid = self._held, self._uid
        held[uid] -= 1
        if not held[uid]:
            del held[uid]
