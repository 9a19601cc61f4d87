"""A kernel without a platform: tasks whose registers and memory are plain Python, and a clock that tests
move.
"""

from __future__ import annotations

from struct import pack_into
from typing import Any

from sentry._core import Action
from sentry.config import Config
from sentry.errors import Errno
from sentry.kernel import rlimits, sessions
from sentry.kernel.creds import Creds
from sentry.kernel.kernel import Kernel
from sentry.kernel.namespaces.namespaces import Namespaces
from sentry.kernel.task import Task
from sentry.kernel.thread_group import ThreadGroup
from sentry.kernel.timekeeping.timers import Timers

EFAULT = 14
MEMORY_START = 0x10000
MEMORY_SIZE = 0x40000
REGISTERS = (
    "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi",
    "orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base",
)  # fmt: skip
FPU_SIZE = 832  # x87, SSE and AVX


class FakeClock:
    """Time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1_000_000_000_000
        self.realtime_offset = 5_000_000_000

    def monotonic(self) -> int:
        return self.now

    def realtime(self) -> int:
        return self.now + self.realtime_offset

    def read(self, clock_id: int) -> int:
        return self.realtime() if clock_id in (0, 11) else self.now


class FakeMachine:
    """Notes what it is asked to do."""

    def __init__(self) -> None:
        self.ready = False
        self.stop = False
        self.finished: list[tuple[Task, Any]] = []
        self.started: list[Task] = []

    def attach(self, task: Task) -> None:
        pass

    def start(self, task: Task) -> None:
        self.started.append(task)

    def finish(self, task: Task, result: Any) -> None:
        self.finished.append((task, result))

    def publish(self, task: Task) -> None:
        pass

    def refuse(self, nr: int, error: int) -> None:
        pass


class FakeReactor:
    def __init__(self, clock: FakeClock) -> None:
        self.timers = Timers(clock.monotonic, lambda when: None)
        self.wall_timers = Timers(clock.realtime, lambda when: None)


class FakeContext:
    """A stopped context."""

    def __init__(self, memory: bytearray) -> None:
        for number, name in enumerate(REGISTERS):
            setattr(self, name, number + 1)
        self.memory = memory
        self.running = False
        self.host_tid = 0
        self.ended = False
        self.interrupts = 0
        self.fpu = bytearray(FPU_SIZE)
        pack_into("<Q", self.fpu, 464, 7)  # XCR0, where PTRACE_GETREGSET leaves it
        pack_into("<Q", self.fpu, 512, 7)
        self.fpu_reset = False

    def registers(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in REGISTERS}

    def interrupt(self) -> None:
        self.interrupts += 1

    def confine(self, mask: bytes) -> None:
        self.confined = mask

    def end(self) -> None:
        self.ended = True

    def get_fpu(self) -> bytes:
        return bytes(self.fpu)

    def set_fpu(self, state: bytes) -> None:
        assert len(state) == FPU_SIZE
        self.fpu = bytearray(state)

    def reset_fpu(self) -> None:
        self.fpu_reset = True

    def cmpxchg(self, address: int, expect: int, desired: int) -> int:
        at = address - MEMORY_START
        if not 0 <= at <= MEMORY_SIZE - 4:
            raise Errno(EFAULT)
        seen = int.from_bytes(self.memory[at : at + 4], "little")
        if seen == expect:
            self.memory[at : at + 4] = desired.to_bytes(4, "little")
        return seen


class FakeAreas:
    total = 1 << 20


class FakeSpace:
    def __init__(self) -> None:
        self.users = 1
        self.attached: dict[int, Any] = {}  # System V segments
        self.areas = FakeAreas()

    def fault_in(self, task: Task, address: int, write: bool) -> bool:
        return False

    def futex_key(self, address: int, shared: bool) -> Any:
        return ("shared", address)


class FakeFiles:
    def __init__(self) -> None:
        self.users = 1

    def copy(self) -> FakeFiles:
        return FakeFiles()


class FakeTask(Task):
    """A task whose memory is MEMORY_SIZE bytes at MEMORY_START."""

    def _at(self, address: int, count: int) -> int:
        at = address - MEMORY_START
        if not 0 <= at <= MEMORY_SIZE - count:
            raise Errno(EFAULT)
        return at

    def copy_in(self, addr: int, count: int) -> bytes:
        at = self._at(addr, count)
        return bytes(self.ctx.memory[at : at + count])  # type: ignore[attr-defined]

    def copy_out(self, addr: int, data: bytes | bytearray | memoryview) -> None:
        at = self._at(addr, len(data))
        self.ctx.memory[at : at + len(data)] = data  # type: ignore[attr-defined]

    def read_u32(self, addr: int) -> int:
        return int.from_bytes(self.copy_in(addr, 4), "little")

    def read_u64(self, addr: int) -> int:
        return int.from_bytes(self.copy_in(addr, 8), "little")

    def write_u32(self, addr: int, value: int) -> None:
        self.copy_out(addr, value.to_bytes(4, "little"))

    def write_u64(self, addr: int, value: int) -> None:
        self.copy_out(addr, value.to_bytes(8, "little"))


class World:
    """A kernel with init (process 1), and ways to add to it."""

    mounts: Any = None  # a MountNamespace, where one is needed

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.machine = FakeMachine()
        config = Config([b"init"], [])
        log: Any = None
        self.kernel = Kernel(self.machine, FakeReactor(self.clock), log, config)  # type: ignore[arg-type]
        self.kernel.clock = self.clock  # type: ignore[assignment]
        self.init = self.process(None)
        self.init.group.unkillable = True
        self.kernel.init = self.init.group

    def process(self, parent: Task | None) -> FakeTask:
        """A new process, child of `parent` (None: the first one)."""
        kernel = self.kernel
        tid = kernel.pids.allocate()
        group = ThreadGroup(kernel, tid, rlimits.initial([]))
        task = self._task(group, tid)
        group.leader = task
        kernel.groups[tid] = group
        if parent is None:
            sessions.found_session(kernel, group)
        else:
            group.parent, group.parent_task = parent.group, parent
            parent.group.children.append(group)
            sessions.join(kernel, group, parent.group.process_group)
            task.mm = FakeSpace()  # type: ignore[assignment]
        return task

    def thread(self, leader: FakeTask) -> FakeTask:
        """One more thread of leader's process."""
        task = self._task(leader.group, self.kernel.pids.allocate())
        task.mm = leader.mm
        task.mm.users += 1
        task.files = leader.files
        task.files.users += 1
        task.ctx.memory = leader.ctx.memory  # type: ignore[attr-defined]
        return task

    def _task(self, group: ThreadGroup, tid: int) -> FakeTask:
        task = FakeTask(self.kernel, tid, group)
        task.creds = Creds()
        task.ns = Namespaces(task.creds.user_ns, group.pid_ns, self.mounts)
        task.ctx = FakeContext(bytearray(MEMORY_SIZE))  # type: ignore[assignment]
        task.mm = FakeSpace()  # type: ignore[assignment]
        task.files = FakeFiles()  # type: ignore[assignment]
        group.tasks.append(task)
        self.kernel.tasks[tid] = task
        return task

    def call(self, task: Task, coroutine: Any) -> Any:
        """Run a handler's coroutine as far as it goes: its answer (or -errno), None while it is suspended."""
        return self.kernel.drive(task, coroutine)

    def turn(self) -> list[tuple[Task, Any]]:
        """One turn of the loop: due timers and ready tasks; what has been answered."""
        self.machine.finished.clear()
        self.kernel.timers.run()
        self.kernel.wall_timers.run()
        self.kernel.run_ready()
        return self.machine.finished.copy()

    def pass_time(self, nanoseconds: int) -> list[tuple[Task, Any]]:
        """Move the clock, then one turn."""
        self.clock.now += nanoseconds
        return self.turn()


def handle(task: Task, signo: int, flags: int = 0x04000000, mask: int = 0) -> Action:
    """Give `signo` a handler (SA_RESTORER is in the default flags)."""
    action = Action(0x5000, flags, 0x6000, mask)
    task.group.sighand[signo] = action
    return action
