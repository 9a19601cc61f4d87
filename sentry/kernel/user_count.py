"""Counts of what each user has, where a limit is the user's and not the process's (getrlimit(2))."""

from __future__ import annotations


class UserCount:
    """How many of something each user has, by real user id; each one is a Share that somebody holds."""

    __slots__ = ("_held", "total")

    def __init__(self) -> None:
        self._held: dict[int, int] = {}
        self.total = 0  # of all users

    def of(self, uid: int) -> int:
        return self._held.get(uid, 0)

    def take(self, uid: int) -> Share:
        """One more; it counts until nobody holds the share."""
        self._held[uid] = self._held.get(uid, 0) + 1
        self.total += 1
        return Share(self, uid)

    def give_back(self, uid: int) -> None:
        self.total -= 1
        self._held[uid] -= 1
        if not self._held[uid]:
            del self._held[uid]


class Share:
    """One of them."""

    __slots__ = ("_count", "_uid")

    def __init__(self, count: UserCount, uid: int) -> None:
        self._count = count
        self._uid = uid

    def __del__(self) -> None:
        self._count.give_back(self._uid)
