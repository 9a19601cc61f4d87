"""What every task of a sandbox is doing, for whoever looks into a hang: SIGUSR2 to the sentry's process
writes it to the sentry's log.

    process 7 (sh), parent 1: alive
      thread 7: waiting, interruptible, blocked 0x10000
        sentry/syscalls/process.py:80 wait4
        sentry/kernel/reap.py:61 wait
"""

from __future__ import annotations

import _signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from sentry.kernel.kernel import Kernel
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup

_DEEPEST = 30  # frames


def on_signal(kernel: Kernel) -> None:
    """Write the report whenever SIGUSR2 comes, which only the sandbox's user on the host can send."""

    def write(signo: int, frame: FrameType | None) -> None:
        # Whatever code was interrupted must not see an exception of ours.
        try:
            kernel.log.write("warning", "tasks:", *_lines(kernel, frame))
        except Exception:  # noqa: BLE001
            kernel.log.bug(None, sys.exc_info())

    _signal.signal(_signal.SIGUSR2, write)


def _lines(kernel: Kernel, frame: FrameType | None) -> Iterator[str]:
    for group in sorted(kernel.groups.values(), key=lambda group: group.tgid):
        yield from _process(group)
    yield "the sentry itself:"
    for _ in range(_DEEPEST):
        if frame is None:
            return
        yield f"    {_place(frame)}"
        frame = frame.f_back


def _process(group: ThreadGroup) -> Iterator[str]:
    words = [name for name in ("exiting", "dead", "stopped") if getattr(group, name)] or ["alive"]
    for name in ("stopping", "held", "pending", "exit_code"):
        if getattr(group, name):
            words.append(f"{name} {getattr(group, name):#x}")
    if group.execing is not None:
        words.append(f"execve by {group.execing.tid} waits for its threads")
    if group.nested:
        numbers = sorted(group.pid_ns.pids)
        words.append(f"in a PID namespace of {numbers[:10]}")
    parent = group.parent.tgid if group.parent is not None else 0
    comm = group.leader.comm.decode(errors="backslashreplace")
    yield f"  process {group.tgid} ({comm}), parent {parent}: {', '.join(words)}"
    for task in group.tasks:
        yield from _thread(task)
    trace = group.leader.trace
    if group.leader.state == "dead" and trace is not None:
        yield f"    its dead leader is traced by {trace.tracer.tid}"


def _thread(task: Task) -> Iterator[str]:
    words: list[str] = [task.state]
    for name in ("dying", "interruptible"):
        if getattr(task, name):
            words.append(name)
    for name, value in (("work", task.work), ("pending", task.pending), ("blocked", task.sigmask)):
        if value:
            words.append(f"{name} {value:#x}")
    if task.ctx is not None and task.ctx.running:
        words.append("runs guest code")
    if task.vfork_parent is not None:
        words.append(f"{task.vfork_parent.tid} waits for its execve")
    if task.trace is not None:
        words.append(f"traced by {task.trace.tracer.tid}" + (", in a stop" if task.trace.stopped else ""))
    yield f"    thread {task.tid}: {', '.join(words)}"
    awaited: object = task.coroutine
    for _ in range(_DEEPEST):
        frame = getattr(awaited, "cr_frame", None)
        if frame is None:
            return
        yield f"      {_place(frame)}"
        awaited = getattr(awaited, "cr_await", None)


def _place(frame: FrameType) -> str:
    name = frame.f_code.co_filename
    name = name[max(name.rfind("sentry/"), 0) :]
    return f"{name}:{frame.f_lineno} {frame.f_code.co_name}"
