"""Loading a program: execve(2)'s half that has to do with files and memory.

`prepare` makes all checks and changes nothing; `Image.commit` then fills a new address space.  What fails
there (the host is out of memory, the file ended before its segments) comes after the point of no return.
"""

from __future__ import annotations

from errno import EACCES, EAGAIN, ELIBBAD, ELOOP, ENOENT, ENOEXEC, ENOMEM, EPERM, ETXTBSY

from sentry.abi.elf import (
    AT_BASE,
    AT_EGID,
    AT_ENTRY,
    AT_EUID,
    AT_GID,
    AT_PHDR,
    AT_PHENT,
    AT_PHNUM,
    AT_SECURE,
    AT_SYSINFO_EHDR,
    AT_UID,
    PHDR,
)
from sentry.abi.fanotify import FAN_OPEN_EXEC, FAN_OPEN_EXEC_PERM, FAN_OPEN_PERM
from sentry.abi.fcntl import AT_FDCWD, O_RDONLY
from sentry.abi.inotify import IN_ACCESS
from sentry.abi.mman import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_PRIVATE,
    PAGE_MASK,
    PAGE_SIZE,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
)
from sentry.abi.mount import MS_NOEXEC
from sentry.abi.personality import ADDR_COMPAT_LAYOUT, ADDR_NO_RANDOMIZE
from sentry.abi.resource import RLIMIT_AS, RLIMIT_STACK
from sentry.abi.stat import ACCESS_EXEC, S_IFMT, S_IFREG
from sentry.errors import Errno
from sentry.kernel import settings
from sentry.mm import elf, script
from sentry.mm.layout import GUEST_END, GUEST_START, PATCH_RANGE, PIE_BASE, Layout
from sentry.mm.space import AddressSpace
from sentry.mm.stack import InitialStack, check_arguments
from sentry.mm.vdso import set_clocks
from sentry.mm.vma import (
    VM_GROWSDOWN,
    VM_MAYALL,
    VM_MAYEXEC,
    VM_MAYREAD,
    VM_SPECIAL,
    SharedMemory,
    Vma,
)
from sentry.vfs import landlock, namei
from sentry.vfs.file import File
from sentry.vfs.idmap import acting
from sentry.vfs.notify import notify
from sentry.vfs.permissions import check
from sentry.vfs.text_busy import ProgramPath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry._core import Context
    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task
    from sentry.mm.elf import Elf
    from sentry.vfs.path import Path

_PRIVATE = MAP_FIXED | MAP_PRIVATE
_ANONYMOUS = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS
_STACK_ROOM = 128 * 1024  # below the first stack pointer, as Linux

_VVAR = SharedMemory(b"[vvar]")
_VDSO = SharedMemory(b"[vdso]")


class Program:
    """An open program file and its headers."""

    __slots__ = ("elf", "file", "path")

    def __init__(self, path: Path, file: File, parsed: Elf) -> None:
        self.path = path
        self.file = file
        self.elf = parsed


class Image:
    """A program that passed all checks.

    `path` is the file that will run (the interpreter of a script), whose set-id bits count; `name` is as
    executed.
    """

    __slots__ = ("argv", "envp", "interp", "name", "path", "program")

    def __init__(
        self, program: Program, interp: Program | None, argv: list[bytes], envp: list[bytes], name: bytes
    ) -> None:
        self.program = program
        self.path = program.path
        self.interp = interp
        self.argv = argv
        self.envp = envp
        self.name = name

    def commit(
        self,
        task: Task,
        ctx: Context,
        creds: Creds | None = None,
        secure: bool = False,
        persona: int = 0,
    ) -> tuple[int, int, AddressSpace]:
        """Fill the new, empty address space of `ctx`; (entry, stack pointer, its list).

        Args:
            creds: the identity the program will have, the task's by default.
            secure: AT_SECURE: the program gained privileges.
            persona: the personality(2) it will have.

        Raises Errno; then the space is good for nothing.
        """
        vdso = task.kernel.machine.vdso()
        stack_limit = task.group.rlimits[RLIMIT_STACK][0]
        legacy = bool(persona & ADDR_COMPAT_LAYOUT or settings.values["legacy_va_layout"])
        layout = Layout(stack_limit, vdso, not persona & ADDR_NO_RANDOMIZE, legacy)
        reserved = PATCH_RANGE if task.kernel.config.patch else (0, 0)
        mm = AddressSpace(layout.mmap_base, reserved, legacy)
        mm.exe = ProgramPath(self.path.mount, self.path.dentry)
        _enter_vdso(mm, vdso)

        program = self.program.elf
        bias = _place(mm, program, layout, self.interp is not None)
        _map(mm, task, ctx, self.program, bias)
        entry = program.entry + bias
        base = 0
        if self.interp is not None:
            base = _place(mm, self.interp.elf, layout, False)
            _map(mm, task, ctx, self.interp, base)
            entry = self.interp.elf.entry + base
        _note_program(mm, program, bias)
        # A program that sits among the mappings has no room for a heap behind it.
        among = program.relocatable and self.interp is None
        mm.brk_start = mm.brk_end = layout.brk_start(PIE_BASE if among else program.end + bias)

        ids = task.creds if creds is None else creds
        # The vDSO reads the machine's clocks: a program that has others must ask us.
        told = vdso[1] and (not task.shifted or set_clocks(ctx, mm, vdso, True))
        auxv = [AT_SYSINFO_EHDR, vdso[1]] if told else []
        auxv += [
            AT_PHDR, program.phdr + bias if program.phdr else 0,
            AT_PHENT, PHDR.size,
            AT_PHNUM, program.phnum,
            AT_BASE, base,
            AT_ENTRY, program.entry + bias,
            AT_UID, ids.uid,
            AT_EUID, ids.euid,
            AT_GID, ids.gid,
            AT_EGID, ids.egid,
            AT_SECURE, int(secure),
        ]  # fmt: skip
        stack = InitialStack(layout.stack_top, self.argv, self.envp, self.name, auxv, layout.stack_slack)
        _map_stack(mm, ctx, stack, layout.stack_top, stack_limit, program.exec_stack)
        if mm.areas.total > task.group.rlimits[RLIMIT_AS][0]:
            raise Errno(ENOMEM)
        return entry, stack.pointer, mm


async def check_program(task: Task, path: Path) -> int:
    """execveat(2) with AT_EXECVE_CHECK: EACCES and the like for what may not be executed."""
    await _open(task, path)
    return 0


def prepare(task: Task, path: Path, argv: list[bytes], envp: list[bytes], name: bytes) -> Image:
    """`preparing` for who can't wait: EPERM where somebody would be asked first (fanotify(7))."""
    running = preparing(task, path, argv, envp, name)
    try:
        running.send(None)
    except StopIteration as done:
        image: Image = done.value
        return image
    running.close()
    raise Errno(EPERM)


async def preparing(
    task: Task,
    place: Path | File,
    argv: list[bytes],
    envp: list[bytes],
    name: bytes,
    hidden: bool = False,
) -> Image:
    """Open a program, its script interpreters and its ELF interpreter, and check everything.

    Args:
        place: what to execute, or a file that is open on it.
        name: the path as given to execve(2) (AT_EXECFN; what a script's interpreter is told); "/dev/fd/N" for
            execveat(2) with AT_EMPTY_PATH.
        hidden: a script's interpreter won't be able to open `name` (ENOENT).

    Raises Errno: E2BIG, EACCES, EIO, ELIBBAD, ELOOP, ENOENT, ENOEXEC, ENOMEM, ETXTBSY and whatever
    walking a path raises.
    """
    path = place.path if isinstance(place, File) else place
    if path is None:
        raise Errno(EACCES)
    if not argv:
        argv = [b""]
    stack_limit = task.group.rlimits[RLIMIT_STACK][0]
    check_arguments(argv, envp, name, stack_limit)
    script_name = name
    depth = 0
    while True:
        file = await _open(task, path)
        head = await _read_head(task, file)
        if not script.is_script(head):
            break
        if hidden:
            raise Errno(ENOENT)
        depth += 1
        if depth > script.MAX_DEPTH:
            raise Errno(ELOOP)
        interpreter, argument = script.parse_line(head)
        argv = [interpreter, *([] if argument is None else [argument]), script_name, *argv[1:]]
        script_name = interpreter
        path = namei.walk(task, AT_FDCWD, interpreter)
    if depth:
        check_arguments(argv, envp, name, stack_limit)
    program = await _read_program(task, path, file, head)
    interp = None
    if program.elf.interp is not None:
        interp = await _open_interpreter(task, program.elf.interp)
    return Image(program, interp, argv, envp, name)


async def _open(task: Task, path: Path) -> File:
    """A program file opened for the kernel: what counts is execute permission."""
    inode = path.inode
    if inode.volatile:
        inode.getattr()
    if inode.mode & S_IFMT != S_IFREG or path.mount.flags & MS_NOEXEC:
        raise Errno(EACCES)
    check(acting(task, path.mount), inode, ACCESS_EXEC)
    landlock.check_exec(task, path)
    if inode.writers:
        raise Errno(ETXTBSY)
    if notify.level > 1:
        for event in (FAN_OPEN_EXEC_PERM, FAN_OPEN_PERM):
            await notify.answers(task, notify.questions(path, event))
    file = inode.open(task, path, O_RDONLY)
    notify.opened(file)
    notify.tell_file(file, FAN_OPEN_EXEC)
    return file


async def _read_head(task: Task, file: File) -> bytes:
    await notify.answers(task, notify.read_questions(file))
    head = _reader(task, file)(elf.HEADER_BYTES, 0)
    notify.tell_file(file, IN_ACCESS)
    return head


async def _read_program(task: Task, path: Path, file: File, head: bytes, bad: int = ENOEXEC) -> Program:
    """What the headers of an ELF file say."""
    program = Program(path, file, elf.parse(head, _reader(task, file), bad))
    for _ in range(1 if program.elf.interp is None else 2):  # the program headers, the interpreter's name
        await notify.answers(task, notify.read_questions(file))
        notify.tell_file(file, IN_ACCESS)
    return program


async def _open_interpreter(task: Task, name: bytes) -> Program:
    if not name:
        raise Errno(ENOENT)
    path = namei.walk(task, AT_FDCWD, name)
    file = await _open(task, path)
    return await _read_program(task, path, file, await _read_head(task, file), ELIBBAD)


def _reader(task: Task, file: File) -> elf.Reader:
    def read(count: int, offset: int) -> bytes:
        data = file.read(task, count, offset)
        if not isinstance(data, bytes):
            raise Errno(EAGAIN)  # a regular file never blocks
        return data

    return read


def _place(mm: AddressSpace, program: Elf, layout: Layout, has_interpreter: bool) -> int:
    """The load bias; ENOEXEC or ENOMEM when there is no room at the program's addresses."""
    areas = mm.areas
    if not program.relocatable:
        if areas.overlapping(program.low, program.high) or areas.is_reserved(program.low, program.high):
            raise Errno(ENOMEM)
        return 0
    span = program.high - program.low
    if has_interpreter:
        bias = layout.pie_base(program.alignment) - program.low
        low = program.low + bias
        below = GUEST_END if areas.bottom_up else areas.base
        if low >= GUEST_START and low + span < below and areas.is_free(low, low + span):
            return bias
    room = areas.room(span + program.alignment - PAGE_SIZE)
    if room is None:
        raise Errno(ENOMEM)
    aligned = room + program.alignment - 1 & -program.alignment
    return aligned - program.low


def _map(mm: AddressSpace, task: Task, ctx: Context, program: Program, bias: int) -> None:
    parsed, file = program.elf, program.file
    source = file.mmap(task, PROT_READ | PROT_EXEC, MAP_PRIVATE, 0, parsed.high - parsed.low)
    fd = source.fd
    if fd < 0:
        raise Errno(ENOEXEC)
    areas = mm.areas
    for segment in parsed.segments:
        prot = segment.prot
        start = segment.start + bias
        if segment.length:
            end = start + segment.length
            ctx.map(start, segment.length, prot, _PRIVATE, fd, segment.offset)
            areas.replace(start, end, [Vma(start, end, prot, VM_MAYALL, file, source, segment.offset)])
            if segment.zero_count and prot & PROT_WRITE:
                # The rest of the last page.  Linux leaves it as it is where the segment can't be written.
                ctx.write(segment.zero_start + bias, bytes(segment.zero_count))
        if segment.anon_length:
            start = segment.anon_start + bias
            end = start + segment.anon_length
            ctx.map(start, segment.anon_length, prot, _ANONYMOUS)
            areas.replace(start, end, [Vma(start, end, prot, VM_MAYALL)])


def _note_program(mm: AddressSpace, program: Elf, bias: int) -> None:
    mm.code_start, mm.code_end = program.code[0] + bias, program.code[1] + bias
    mm.data_start, mm.data_end = program.data[0] + bias, program.data[1] + bias


def _map_stack(
    mm: AddressSpace, ctx: Context, stack: InitialStack, top: int, limit: int, executable: bool
) -> None:  # fmt: skip
    bottom = stack.pointer & PAGE_MASK
    start = max(min(top - limit, bottom), bottom - _STACK_ROOM) & PAGE_MASK
    prot = PROT_READ | PROT_WRITE | (PROT_EXEC if executable else 0)
    if not mm.areas.is_free(start, top):
        raise Errno(ENOMEM)  # a program with a fixed address has claimed the place
    ctx.map(start, top - start, prot, _ANONYMOUS)
    mm.areas.insert(Vma(start, top, prot, VM_MAYALL | VM_GROWSDOWN))
    if ctx.write(stack.pointer, stack.content) != len(stack.content):
        raise Errno(ENOMEM)
    mm.stack_start = stack.pointer
    mm.auxv = stack.auxv
    mm.arg_start, mm.arg_end = stack.arg_start, stack.arg_end
    mm.env_start, mm.env_end = stack.env_start, stack.env_end


def _enter_vdso(mm: AddressSpace, vdso: tuple[int, int, int]) -> None:
    vvar_start, vdso_start, vdso_end = vdso
    if vdso_end > GUEST_END or not vdso_end:
        return
    mm.areas.insert(Vma(vvar_start, vdso_start, PROT_READ, VM_MAYREAD | VM_SPECIAL, None, _VVAR))
    mm.areas.insert(
        Vma(vdso_start, vdso_end, PROT_READ | PROT_EXEC, VM_MAYREAD | VM_MAYEXEC | VM_SPECIAL, None, _VDSO)
    )
