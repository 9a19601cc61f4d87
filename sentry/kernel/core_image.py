"""What a core file holds (core(5), elf(5)): notes about the threads, and the memory by mappings.

What must hold: how much is looked at of a guest's address space, however it is mapped, is bounded by
SCAN_MAX and _PEEKED_MAX, and but for THROUGH_MAX only pages that are there are read, so that a dump makes
little memory of its own.
"""

from __future__ import annotations

from sentry.abi.core import (
    DUMP_ANON_PRIVATE,
    DUMP_ANON_SHARED,
    DUMP_ELF_HEADERS,
    DUMP_HUGETLB_PRIVATE,
    DUMP_HUGETLB_SHARED,
    DUMP_MAPPED_PRIVATE,
    DUMP_MAPPED_SHARED,
    FILES_ENTRY,
    FILES_HEAD,
    NOTE,
    NT_AUXV,
    NT_FILE,
    NT_FPREGSET,
    NT_PRPSINFO,
    NT_PRSTATUS,
    NT_SIGINFO,
    NT_X86_XSTATE,
    PRPSINFO,
    PRSTATUS,
)
from sentry.abi.elf import (
    EHDR,
    ELF_MAGIC,
    ELFCLASS64,
    ELFDATA2LSB,
    EM_X86_64,
    ET_CORE,
    PF_R,
    PF_W,
    PF_X,
    PHDR,
    PT_LOAD,
    PT_NOTE,
)
from sentry.abi.mman import PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE
from sentry.abi.time import NSEC
from sentry.errors import Errno
from sentry.kernel.usage import thread_total
from sentry.mm import maps
from sentry.mm.vma import VM_DONTDUMP, VM_HUGETLB, VM_SPECIAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.signals.siginfo import SigInfo
    from sentry.kernel.task import Task
    from sentry.mm.vma import Vma

SCAN_MAX = 16 << 30  # bytes of address space
_BLIND_MAX = 256 << 20  # the same where the host does not tell which pages are there
THROUGH_MAX = 256 << 20  # bytes that are read although the process may not have touched them
_MAPPINGS_MAX = 65_000
_FILES_MAX = 4 << 20  # bytes of NT_FILE
_PEEKED_MAX = 2 << 30  # bytes of files' private mappings, of all, that are searched for pages of their own
_PEEK_COST = 1 << 20  # what each look counts for at the least
_FXSAVE_SIZE = 512
_ARGUMENTS_MAX = 79
_PRESENT = 0xC0  # in the highest byte of an entry of pagemap: in memory or in the swap
_OF_FILE = 0x20
_PROTECTION = ((PROT_READ, PF_R), (PROT_WRITE, PF_W), (PROT_EXEC, PF_X))


class Piece:
    """A mapping and how much of its beginning is in the file."""

    __slots__ = ("size", "vma")

    def __init__(self, vma: Vma, size: int) -> None:
        self.vma = vma
        self.size = size


def pieces(task: Task) -> list[Piece]:
    """Every mapping of the task's, with what of it is dumped (core(5), coredump_filter)."""
    left = SCAN_MAX if task.kernel.host_proc else _BLIND_MAX
    unseen = _PEEKED_MAX
    found = []
    for vma in list(task.mm.areas)[:_MAPPINGS_MAX]:
        cost = max(vma.length, _PEEK_COST) if vma.file is not None and not vma.shared else 0
        look = cost <= unseen
        unseen -= cost if look else 0
        found.append(Piece(vma, _wanted(task, vma, look)))
    for piece in sorted(found, key=lambda piece: piece.size):  # what is too much is at the end of the largest
        piece.size = min(piece.size, left)
        left -= piece.size
    return found


def _wanted(task: Task, vma: Vma, look: bool) -> int:
    kinds = task.group.coredump_filter
    if vma.flags & VM_SPECIAL:
        return vma.length if vma.prot & PROT_EXEC else 0  # the vDSO, but not its data
    if vma.flags & VM_DONTDUMP:
        return 0
    if vma.flags & VM_HUGETLB:
        return vma.length if kinds & (DUMP_HUGETLB_SHARED if vma.shared else DUMP_HUGETLB_PRIVATE) else 0
    if vma.shared:
        named = vma.file is not None and vma.file.inode is not None and vma.file.inode.nlink > 0
        return vma.length if kinds & (DUMP_MAPPED_SHARED if named else DUMP_ANON_SHARED) else 0
    if vma.file is None or _has_own_pages(task, vma, look):
        if kinds & DUMP_ANON_PRIVATE:
            return vma.length
        if vma.file is None:
            return 0
    if kinds & DUMP_MAPPED_PRIVATE:
        return vma.length
    if (
        kinds & DUMP_ELF_HEADERS
        and not vma.offset
        and vma.prot & PROT_READ
        and _read(task, vma.start, 4) == ELF_MAGIC
    ):
        return PAGE_SIZE
    return 0


def _has_own_pages(task: Task, vma: Vma, look: bool) -> bool:
    """Whether a private mapping of a file has been written to; without a `look`, whether it may have been."""
    entries = None
    if look:
        entries = task.kernel.host_proc.pagemap(task.group.usage.host_pid, vma.start, vma.end)
    if entries is None:
        return bool(vma.prot & PROT_WRITE)
    return any(top & _PRESENT and not top & _OF_FILE for top in entries[7::8])


def is_read_through(vma: Vma) -> bool:
    """Whether there may be more in a mapping than the process has touched: files, memory that is shared."""
    return vma.source is not None or vma.file is not None


def present(task: Task, start: int, end: int) -> list[tuple[int, int]]:
    """The runs of pages in a range that the process has touched."""
    entries = task.kernel.host_proc.pagemap(task.group.usage.host_pid, start, end)
    if entries is None:
        return [(start, end)]
    runs: list[tuple[int, int]] = []
    for index, top in enumerate(entries[7::8]):
        if top & _PRESENT:
            at = start + index * PAGE_SIZE
            if runs and runs[-1][1] == at:
                runs[-1] = runs[-1][0], at + PAGE_SIZE
            else:
                runs.append((at, at + PAGE_SIZE))
    return runs


def _read(task: Task, address: int, count: int) -> bytes:
    try:
        return task.ctx.read(address, count)
    except Errno:
        return b""


def head(found: list[Piece], notes: bytes) -> tuple[bytes, int]:
    """All that comes before the memory, and where the memory begins in the file."""
    count = 1 + len(found)
    offset = EHDR.size + count * PHDR.size
    ident = (ELF_MAGIC + bytes([ELFCLASS64, ELFDATA2LSB, 1])).ljust(16, b"\0")
    text = [EHDR.pack(ident, ET_CORE, EM_X86_64, 1, 0, EHDR.size, 0, 0, EHDR.size, PHDR.size, count, 0, 0, 0)]
    text.append(PHDR.pack(PT_NOTE, 0, offset, 0, 0, len(notes), 0, 4))
    start = at = (offset + len(notes) + PAGE_SIZE - 1) // PAGE_SIZE * PAGE_SIZE
    for piece in found:
        vma = piece.vma
        flags = sum(bit for prot, bit in _PROTECTION if vma.prot & prot)
        text.append(PHDR.pack(PT_LOAD, flags, at, vma.start, 0, piece.size, vma.length, PAGE_SIZE))
        at += piece.size
    return b"".join(text) + notes, start


def notes(task: Task, info: SigInfo) -> bytes:
    """The notes: of `task`, which has taken the signal, first, then of the other threads."""
    found = [
        _note(NT_PRSTATUS, _status(task, task, info)),
        _note(NT_PRPSINFO, _process(task)),
        _note(NT_SIGINFO, info.seen_by(task).pack()),
        _note(NT_AUXV, task.mm.auxv),
        _files(task),
        _vectors(task),
    ]
    for thread in task.group.tasks:
        if thread is not task and thread.ctx is not None and not thread.ctx.running:
            found += _note(NT_PRSTATUS, _status(task, thread, info)), _vectors(thread)
    return b"".join(found)


def _note(kind: int, content: bytes, name: bytes = b"CORE\0") -> bytes:
    padded = content.ljust((len(content) + 3) // 4 * 4, b"\0")
    return NOTE.pack(len(name), len(content), kind) + name.ljust(8, b"\0") + padded


def _family(viewer: Task, thread: Task) -> tuple[int, int, int, int]:
    group = thread.group
    parent = group.parent.tgid if group.parent is not None else 0
    numbers = [viewer.number(pid) for pid in (thread.tid, parent, group.pgid, group.sid)]
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _time(spent: int) -> tuple[int, int]:
    return spent // NSEC, spent % NSEC // 1000


def _status(viewer: Task, thread: Task, info: SigInfo) -> bytes:
    used, children = thread_total(thread), thread.group.usage.children
    return PRSTATUS.pack(
        info.signo, 0, 0, info.signo, thread.pending, thread.sigmask, *_family(viewer, thread),
        *_time(used.cpu - used.system), *_time(used.system),
        *_time(children.cpu - children.system), *_time(children.system),
        *thread.ctx.get_regs(), 1,
    )  # fmt: skip


def _process(task: Task) -> bytes:
    mm, creds, ns = task.mm, task.creds, task.creds.user_ns
    arguments = _read(task, mm.arg_start, min(mm.arg_end - mm.arg_start, _ARGUMENTS_MAX))
    arguments = arguments.rstrip(b"\0").replace(b"\0", b" ")
    return PRPSINFO.pack(
        0, b"R", 0, task.sched.nice, 0, ns.show_uid(creds.uid), ns.show_gid(creds.gid),
        *_family(task, task.group.leader), task.comm, arguments,
    )  # fmt: skip


def _vectors(thread: Task) -> bytes:
    """Floating-point and vector registers."""
    state = thread.ctx.get_fpu()
    text = _note(NT_FPREGSET, state[:_FXSAVE_SIZE])
    return text + _note(NT_X86_XSTATE, state, b"LINUX\0") if len(state) > _FXSAVE_SIZE else text


def _files(task: Task) -> bytes:
    """Which files are mapped where; nothing where that is too much."""
    entries, names, size = [], [], 0
    for vma in list(task.mm.areas)[:_MAPPINGS_MAX]:
        if vma.file is None or vma.file.path is None:
            continue
        name = maps.name_of(task.mm, vma, task.fs.root) + b"\0"
        size += len(name) + FILES_ENTRY.size
        if size > _FILES_MAX:
            return b""
        entries.append(FILES_ENTRY.pack(vma.start, vma.end, vma.offset // PAGE_SIZE))
        names.append(name)
    return _note(NT_FILE, FILES_HEAD.pack(len(entries), PAGE_SIZE) + b"".join(entries + names))
