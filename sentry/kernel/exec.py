"""Executing a program (execve(2)): what changes in the task; files and memory are mm.loader's.

The new address space is complete before the old one is touched, and other threads are gone before it is put
in place; from there on nothing can fail.
"""

from __future__ import annotations

import errno
import os

from sentry import _core
from sentry.abi.fcntl import AT_FDCWD
from sentry.abi.personality import PER_CLEAR_ON_SETID, READ_IMPLIES_EXEC
from sentry.abi.resource import RLIMIT_NOFILE
from sentry.abi.signal import SIGSEGV
from sentry.errors import Errno, StartError
from sentry.kernel import control, rlimits, sessions, thread_group
from sentry.kernel import creds as credentials
from sentry.kernel import exit as exits
from sentry.kernel.cgroups.cgroup import CgroupNamespace
from sentry.kernel.exec_creds import after_exec
from sentry.kernel.fs_context import FsContext
from sentry.kernel.namespaces.namespaces import Namespaces, enter_time
from sentry.kernel.sched import confine
from sentry.kernel.task import Task
from sentry.kernel.tracing import dispatch, trace_stops, tracing
from sentry.kernel.wait import INTERRUPTED, suspend
from sentry.mm import loader
from sentry.vfs import namei
from sentry.vfs.host_stdio import open_stdio
from sentry.vfs.locks import close_file
from sentry.vfs.path import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sentry.config import Config
    from sentry.kernel.creds import Creds
    from sentry.kernel.kernel import Kernel
    from sentry.mm.loader import Image
    from sentry.mm.space import AddressSpace
    from sentry.vfs.file import File

_COMM_MAX = 15
_USER_CS = 0x33
_USER_DS = 0x2B
_FLAGS = 0x202  # IF, and the bit that always is 1
_MASK64 = 2**64 - 1
_DEFAULT_PATH = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class NewProgram:
    """A program in its own, complete address space, not running yet."""

    __slots__ = ("creds", "ctx", "entry", "image", "mm", "persona", "secure", "sp")

    def __init__(self, task: Task, image: Image, creds: tuple[Creds, bool, bool], ctx: _core.Context) -> None:
        """Fill the new space `ctx`; Errno, with nothing left behind.  `creds`: from `after_exec`."""
        self.image = image
        self.creds, self.secure, clears = creds
        # The last one ends with the program, as on x86-64 with each 64-bit one.
        ended = (PER_CLEAR_ON_SETID if clears else 0) | READ_IMPLIES_EXEC
        self.persona = task.personality & ~ended
        self.ctx = ctx
        self.mm: AddressSpace
        try:
            loaded = image.commit(task, self.ctx, self.creds, self.secure, self.persona)
            self.entry, self.sp, self.mm = loaded
        except BaseException:
            self.ctx.end()
            raise
        if task.mm is not None:
            self.mm.mdwe = task.mm.inherited_mdwe()

    def enter(self, task: Task) -> None:
        """Make it what `task` runs."""
        ctx = self.ctx
        # In the order of struct user_regs_struct.
        registers = [0] * 27
        registers[15] = _MASK64  # orig_rax: in no call
        registers[16] = self.entry
        registers[17] = _USER_CS
        registers[18] = _FLAGS
        registers[19] = self.sp
        registers[20] = _USER_DS
        ctx.set_regs(registers)
        ctx.reset_fpu()
        task.ctx = ctx
        task.mm = self.mm
        task.creds = self.creds
        task.comm = os.path.basename(self.image.name)[:_COMM_MAX]
        task.group.usage.enter(ctx.host_tid)
        creds = self.creds
        task.group.program_ns = creds.user_ns
        task.group.dumpable = int(creds.uid == creds.euid and creds.gid == creds.egid and not self.secure)
        task.kernel.machine.attach(task)
        if task.sched.affinity:
            confine(task)


async def execve(
    task: Task, place: Path | File, argv: list[bytes], envp: list[bytes], name: bytes, hidden: bool = False
) -> Any:
    """Execute a program in `task`: a coroutine for NO_RESULT.

    Args:
        hidden: `name` leads through a descriptor that execve closes: a script's interpreter can't open it.

    Raises what mm.loader.prepare does, EAGAIN and ENOMEM.
    """
    group = task.group
    image = await loader.preparing(task, place, argv, envp, name, hidden)
    if group.execing is not None or group.exiting:
        raise Errno(errno.EAGAIN)  # another thread is about to end this one
    creds = after_exec(task, image.path)
    ctx = task.kernel.machine.new_space()  # the host may refuse: then nothing has changed yet
    if task.ns.time is not task.ns.time_for_children:  # a child of vfork enters it now
        task.ns = enter_time(task.ns)
        task.shifted = task.ns.time.shifted
    try:
        program = NewProgram(task, image, creds, ctx)
    except Errno:
        group.begin_exit(SIGSEGV)  # Linux finds out too late to return; so that is what programs get
        raise
    if len(group.tasks) == 1:
        answer = _replace(task, program, task.tid)
        return answer if answer is _core.NO_RESULT else await answer
    return await _replace_threads(task, program)


async def _replace_threads(task: Task, program: NewProgram) -> object:
    """End all other threads, then go on as the only one, which is the leader (execve(2), "Effect on
    threads").
    """
    group = task.group
    group.execing = task
    try:
        for other in group.tasks:
            if other is not task:
                thread_group.doom(other)
        while len(group.tasks) > 1:
            if await suspend(task, interruptible=False) == INTERRUPTED:
                program.ctx.end()
                raise Errno(errno.EINTR)
    finally:
        group.execing = None
    old_tid = task.tid
    if task is not group.leader:
        if group.leader.trace is not None:
            tracing.unlink(group.leader)
        del task.kernel.tasks[old_tid]
        task.tid, task.local_tid = group.tgid, group.local_tgid
        task.kernel.tasks[task.tid] = task
        task.kernel.pids.release(old_tid)
        group.leader = task
    answer = _replace(task, program, old_tid)
    return answer if answer is _core.NO_RESULT else await answer


def _replace(task: Task, program: NewProgram, old_tid: int) -> Any:
    """The point of no return: leave the old program."""
    group = task.group
    old = task.ctx
    exits.release_mm(task)
    group.usage.leave(task)
    program.enter(task)
    old.end()
    group.sighand = group.sighand.copy()
    group.sighand.reset_handlers()
    for timer in group.posix_timers.values():
        timer.cancel()
    group.posix_timers.clear()
    task.keyrings = task.keyrings.inherit(task.creds, thread=False)
    task.altstack_sp = task.altstack_size = 0
    task.fault_error = task.fault_trapno = task.fault_addr = 0
    task.signal.restart_block = None
    dispatch.set(task, None)
    if program.secure:
        task.parent_death_signal = 0
    task.set_personality(program.persona)
    group.has_execed = True
    _close_on_exec(task)
    return _core.NO_RESULT if task.trace is None else trace_stops.executed(task, old_tid)


def _close_on_exec(task: Task) -> None:
    task.files = task.files.unshare()
    for file in task.files.close_on_exec():
        close_file(task, file)


# The first program


def start_init(kernel: Kernel, config: Config) -> Task:
    """Make process 1 as `config` says and let it run.

    Raises StartError: 127 when the program is not found, 126 when it can't be executed.
    """
    group = thread_group.ThreadGroup(kernel, kernel.pids.allocate(), rlimits.initial(config.rlimits))
    task = Task(kernel, group.tgid, group)
    group.leader = task
    group.tasks.append(task)
    group.unkillable = True
    root = Path(kernel.mounts.root, kernel.mounts.root.root)
    task.fs = FsContext(root, root, config.umask)
    task.creds = credentials.from_config(config)
    task.ns = Namespaces(task.creds.user_ns, group.pid_ns, kernel.mounts)
    task.ns.cgroup = CgroupNamespace(kernel.cgroups.root, task.creds.user_ns, initial=True)
    kernel.first_ns = task.ns
    task.ns.uts.hostname, task.ns.uts.domainname = config.hostname, config.domainname
    task.files = _core.FdTable()
    rlimits.apply(group, RLIMIT_NOFILE)
    kernel.tasks[task.tid] = task
    kernel.groups[group.tgid] = group
    kernel.init = group
    sessions.found_session(kernel, group)
    for fd, file in enumerate(open_stdio(kernel, config, task)):
        if file is not None:
            task.files.set(fd, file)
    task.fs.cwd = _working_directory(task, config.cwd)
    program = _first_program(task, config)
    program.enter(task)
    group.has_execed = True
    if config.control_fd >= 0:
        control.listen(kernel, config.control_fd)
    kernel.machine.start(task)
    return task


def _working_directory(task: Task, cwd: bytes) -> Path:
    try:
        path = namei.walk(task, AT_FDCWD, cwd)
        if not path.inode.is_dir():
            raise Errno(errno.ENOTDIR)
    except Errno as error:
        raise StartError(f"working directory {_text(cwd)}: {os.strerror(error.code)}") from None
    return path


def _first_program(task: Task, config: Config) -> NewProgram:
    name = config.args[0]
    try:
        path, name = _find(task, name, config.env)
        image = loader.prepare(task, path, list(config.args), list(config.env), name)
        return NewProgram(task, image, after_exec(task, image.path), task.kernel.machine.new_space())
    except Errno as error:
        missing = error.code in (errno.ENOENT, errno.ENOTDIR)
        raise StartError(f"{_text(name)}: {os.strerror(error.code)}", 127 if missing else 126) from None


def _find(task: Task, name: bytes, env: list[bytes]) -> tuple[Path, bytes]:
    """The program's place: by PATH when `name` has no slash (execvp(3))."""
    if b"/" in name:
        return namei.walk(task, AT_FDCWD, name), name
    search = next((entry[5:] for entry in env if entry.startswith(b"PATH=")), _DEFAULT_PATH)
    refused = errno.ENOENT
    for directory in search.split(b":"):
        candidate = (directory or b".") + b"/" + name
        try:
            path = namei.walk(task, AT_FDCWD, candidate)
        except Errno as error:
            if error.code == errno.EACCES:
                refused = error.code
            continue
        if path.inode.is_dir() or not path.inode.mode & 0o111:
            refused = errno.EACCES
            continue
        return path, candidate
    raise Errno(refused)


def _text(name: bytes) -> str:
    return name.decode(errors="backslashreplace")
