"""System V semaphores (semget(2), semop(2), semctl(2)).

The operations of one semop are done all or none.  Those that can't be done queue up in their set, and
whenever a value changes the queue is gone through from its head, until nothing more can be done.
"""

from __future__ import annotations

from errno import EAGAIN, EFBIG, EIDRM, EINTR, EINVAL, ENOMEM, ENOSPC, ERANGE

from sentry.abi.ipc import IPC_NOWAIT, SEM_UNDO, SEMAEM, SEMID_DS, SEMMNI, SEMMNS, SEMMSL, SEMOPM, SEMVMX
from sentry.errors import Errno
from sentry.ipc.ids import IpcIds, IpcObject, seconds
from sentry.kernel.wait import INTERRUPTED, TIMED_OUT_OUTCOME, suspend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sentry.ipc.namespace import IpcNamespace
    from sentry.ipc.sem_undo import UndoList
    from sentry.kernel.task import Task

    Operation = tuple[int, int, int]  # semaphore number, operation, flags: a struct sembuf

TOTAL_MAX = 1 << 21  # semaphores: what the sentry's memory is good for, short of SEMMNS


class Sleeper:
    """A semop that waits; `result` is 0 or an errno once it is over."""

    __slots__ = ("blocking", "operations", "pid", "result", "task", "undo")

    def __init__(self, task: Task, operations: list[Operation], undo: UndoList | None) -> None:
        self.task = task
        self.pid = task.group.tgid
        self.operations = operations
        self.undo = undo
        self.blocking: Operation = operations[0]  # the one that can't be done
        self.result: int | None = None

    def end(self, result: int) -> None:
        self.result = result
        self.task.wake()


class SemaphoreSet(IpcObject):
    """One set; `values` are the semaphores', `pids` who operated on them last."""

    __slots__ = ("otime", "pids", "sleepers", "undos", "values")

    def __init__(self, task: Task, key: int, count: int, flags: int) -> None:
        super().__init__(task, key, flags)
        self.values = [0] * count
        self.pids = [0] * count
        self.otime = 0
        self.sleepers: list[Sleeper] = []  # oldest first
        self.undos: list[UndoList] = []  # those that have adjustments of this set

    def pack(self, task: Task) -> bytes:
        """struct semid64_ds, for `task`."""
        return self.pack_perm(task) + SEMID_DS.pack(self.otime, self.ctime, len(self.values))

    def perform(self, sleeper: Sleeper) -> int | None:
        """Do all of its operations, or none: 0, an errno (EAGAIN, ERANGE), or None when it must wait."""
        undo = sleeper.undo.of(self) if sleeper.undo is not None else None
        values = self.values
        done: list[tuple[int, int]] = []
        problem: int | None = 0
        adjusted: list[tuple[int, int]] = []
        for operation in sleeper.operations:
            number, change, flags = operation
            old = values[number]
            new = old + change
            if new < 0 or (not change and old):
                sleeper.blocking = operation
                problem = EAGAIN if flags & IPC_NOWAIT else None
                break
            if new > SEMVMX:
                problem = ERANGE
                break
            if flags & SEM_UNDO and undo is not None:
                before = undo.get(number, 0)
                if not -SEMAEM - 1 <= before - change <= SEMAEM:
                    problem = ERANGE
                    break
                adjusted.append((number, before))
                undo[number] = before - change
            done.append((number, old))
            values[number] = new
        if problem != 0:
            for number, old in reversed(done):
                values[number] = old
            for number, before in reversed(adjusted):
                assert undo is not None
                undo[number] = before
            return problem
        for number, _, _ in sleeper.operations:
            self.pids[number] = sleeper.pid
        self.otime = seconds()
        return 0

    def changed(self) -> None:
        """Values have changed: let whoever can go on go on, in order of arrival."""
        again = True
        while again:
            again = False
            for sleeper in self.sleepers.copy():
                result = self.perform(sleeper)
                if result is None:
                    continue
                self.sleepers.remove(sleeper)
                sleeper.end(result)
                if not result and any(change for _, change, _ in sleeper.operations):
                    again = True  # what has waited longer may be possible now
                    break

    def waiting(self, number: int, for_zero: bool) -> int:
        """How many wait for this semaphore to become zero, or to increase (GETZCNT, GETNCNT)."""
        return sum(
            sleeper.blocking[0] == number and (sleeper.blocking[1] == 0) == for_zero
            for sleeper in self.sleepers
        )

    def assign(self, number: int, value: int, pid: int) -> None:
        """SETVAL of one semaphore: adjustments of it are forgotten.  Call `changed` afterwards."""
        self.values[number] = value
        self.pids[number] = pid
        for undo in self.undos:
            undo.of(self).pop(number, None)


class SemaphoreIds(IpcIds):
    """The sets of a namespace, and their limits."""

    __slots__ = ("operations_limit", "set_limit", "total", "total_limit")

    def __init__(self, namespace: IpcNamespace) -> None:
        super().__init__(namespace, SEMMNI)
        self.set_limit = SEMMSL  # semaphores in a set
        self.total_limit = SEMMNS
        self.operations_limit = SEMOPM
        self.total = 0

    def obtain(self, task: Task, key: int, count: int, flags: int) -> int:
        """semget(2): the id.  EACCES, EEXIST, EINVAL, ENOENT, ENOMEM, ENOSPC."""
        if not 0 <= count <= self.set_limit:
            raise Errno(EINVAL)

        def make() -> SemaphoreSet:
            if not count:
                raise Errno(EINVAL)
            if self.total + count > self.total_limit or len(self.objects) >= self.limit:
                raise Errno(ENOSPC)
            if self.total + count > TOTAL_MAX:
                raise Errno(ENOMEM)
            self.total += count
            return SemaphoreSet(task, key, count, flags)

        def check(found: SemaphoreSet) -> None:
            if count > len(found.values):
                raise Errno(EINVAL)

        return self.lookup(task, key, flags, make, check)

    def destroy(self, semaphores: SemaphoreSet) -> None:
        """IPC_RMID: whoever waits gets EIDRM."""
        self.total -= len(semaphores.values)
        self.remove(semaphores)
        for undo in semaphores.undos:
            undo.forget(semaphores)
        semaphores.undos.clear()
        sleepers, semaphores.sleepers = semaphores.sleepers, []
        for sleeper in sleepers:
            sleeper.end(EIDRM)

    def operate(
        self, task: Task, id: int, operations: list[Operation], deadline: int | None
    ) -> int | Coroutine[None, None, int]:
        """semop(2): 0.  E2BIG and EINVAL for their number are the caller's to check.

        EACCES, EAGAIN, EFBIG, EIDRM, EINTR, EINVAL, ERANGE.
        """
        semaphores: SemaphoreSet = self.get(id)
        if max(operation[0] for operation in operations) >= len(semaphores.values):
            raise Errno(EFBIG)
        alters = any(change for _, change, _ in operations)
        self.check_access(task, semaphores, 0o222 if alters else 0o444)
        undo = None
        if any(flags & SEM_UNDO for _, _, flags in operations):
            undo = task.sem_undo.enter(semaphores)
        sleeper = Sleeper(task, operations, undo)
        result = semaphores.perform(sleeper)
        if result is None:
            return _wait(task, semaphores, sleeper, deadline)
        if result:
            raise Errno(result)
        if alters:
            semaphores.changed()
        return 0


async def _wait(task: Task, semaphores: SemaphoreSet, sleeper: Sleeper, deadline: int | None) -> int:
    """Until its operations are done.  A signal ends it with EINTR, whatever its action says (signal(7))."""
    semaphores.sleepers.append(sleeper)
    try:
        while sleeper.result is None:
            outcome = await suspend(task, deadline)
            if sleeper.result is None and outcome in (INTERRUPTED, TIMED_OUT_OUTCOME):
                raise Errno(EINTR if outcome == INTERRUPTED else EAGAIN)
    finally:
        if sleeper.result is None:
            semaphores.sleepers.remove(sleeper)
    if sleeper.result:
        raise Errno(sleeper.result)
    return 0
