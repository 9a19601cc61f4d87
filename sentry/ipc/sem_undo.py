"""SEM_UNDO: what a process's end does to semaphores (semop(2)); CLONE_SYSVSEM shares it between tasks."""

from __future__ import annotations

from sentry.abi.ipc import SEMVMX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.ipc.sem import SemaphoreSet
    from sentry.kernel.task import Task


class UndoList:
    """Adjustments by semaphore set; `users` counts the tasks that share them."""

    __slots__ = ("_sets", "made", "users")

    def __init__(self) -> None:
        self._sets: dict[SemaphoreSet, dict[int, int]] = {}
        self.users = 1
        self.made = False  # Linux has none before it is used or shared (kcmp(2))

    def share(self) -> UndoList:
        """The list for one more task."""
        self.users += 1
        self.made = True
        return self

    def enter(self, semaphores: SemaphoreSet) -> UndoList:
        """There may be adjustments of this set from now on."""
        self.made = True
        if semaphores not in self._sets:
            self._sets[semaphores] = {}
            semaphores.undos.append(self)
        return self

    def of(self, semaphores: SemaphoreSet) -> dict[int, int]:
        """The adjustments of a set that was entered, by semaphore number."""
        return self._sets[semaphores]

    def forget(self, semaphores: SemaphoreSet) -> None:
        """The set is gone."""
        del self._sets[semaphores]


def leave(task: Task) -> None:
    """The task ends, or wants a list of its own (unshare(2)): the last one's adjustments are made."""
    undo = task.sem_undo
    task.sem_undo = UndoList()
    undo.users -= 1
    if undo.users:
        return
    for semaphores, adjustments in undo._sets.items():
        semaphores.undos.remove(undo)
        for number, adjustment in adjustments.items():
            if adjustment:
                value = semaphores.values[number] + adjustment
                semaphores.values[number] = min(max(value, 0), SEMVMX)
                semaphores.pids[number] = task.group.tgid
        semaphores.changed()
