"""The initial stack, layouts and the loading of programs, with a double of the host."""

from __future__ import annotations

import struct
from errno import E2BIG, EACCES, ELIBBAD, ELOOP, ENOENT, ENOEXEC, ENOMEM
from typing import Any

import pytest

from sentry.abi.elf import (
    AT_BASE,
    AT_ENTRY,
    AT_EXECFN,
    AT_PHDR,
    AT_RANDOM,
    AT_SYSINFO_EHDR,
    ET_DYN,
    PF_R,
    PF_W,
    PF_X,
    PT_GNU_STACK,
)
from sentry.abi.mman import PROT_EXEC, PROT_READ, PROT_WRITE
from sentry.abi.mount import MS_NOEXEC
from sentry.abi.personality import ADDR_NO_RANDOMIZE
from sentry.abi.resource import RLIMIT_STACK
from sentry.config import Config
from sentry.errors import Errno
from sentry.mm import loader, stack
from sentry.mm.layout import GUEST_END, PIE_BASE, Layout
from sentry.mm.maps import maps_text
from sentry.vfs import namei
from sentry.vfs.file import File
from tests.unit.elf_images import TEXT, Load, image
from tests.unit.mm_doubles import FakeFile, FakeInode, FakePath, FakeTask, errno_of

PAGE = 4096
VVAR, VDSO = GUEST_END - 0x8000, GUEST_END - 0x4000


@pytest.fixture(autouse=True)
def program_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files here are doubles, which can't be busy."""
    monkeypatch.setattr(loader, "ProgramPath", lambda mount, dentry: FakePath(dentry.inode))


# The stack


def words(content: bytes) -> list[int]:
    return list(struct.unpack_from(f"<{len(content) // 8}Q", content))


def string_at(built: stack.InitialStack, addr: int) -> bytes:
    at = addr - built.pointer
    return built.content[at : built.content.index(b"\0", at)]


@pytest.mark.parametrize("slack", [0, 1, 8191, 5000])
def test_the_initial_stack(slack: int) -> None:
    top = 0x7FFFFFFFE000
    argv, envp = [b"prog", b"", b"-x" * 50], [b"A=1", b"LONG=" + b"y" * 999]
    built = stack.InitialStack(top, argv, envp, b"/bin/prog", [AT_ENTRY, 0x401000], slack)
    assert built.pointer % 16 == 0
    assert built.pointer + len(built.content) == top
    table = words(built.content)
    assert table[0] == 3
    assert [string_at(built, addr) for addr in table[1:4]] == argv
    assert table[4] == 0
    assert [string_at(built, addr) for addr in table[5:7]] == envp
    assert table[7] == 0
    auxv = dict(zip(table[8:60:2], table[9:60:2], strict=False))
    assert auxv[AT_ENTRY] == 0x401000
    assert string_at(built, auxv[AT_EXECFN]) == b"/bin/prog"
    assert built.pointer < auxv[AT_RANDOM] < built.arg_start
    assert built.content.endswith(b"/bin/prog\0" + bytes(8))
    assert (built.arg_start, built.arg_end) == (table[1], built.env_start)
    assert built.content[8 * 8 : 8 * 8 + len(built.auxv)] == built.auxv


def test_argument_limits() -> None:
    limit = 8 << 20
    stack.check_arguments([b"x" * 131071], [], b"p", limit)
    assert errno_of(stack.check_arguments, [b"x" * 131072], [], b"p", limit) == E2BIG
    assert errno_of(stack.check_arguments, [], [b"x" * 131072], b"p", limit) == E2BIG
    stack.check_arguments([b""] * 230_000, [], b"p", limit)
    assert errno_of(stack.check_arguments, [b""] * 240_000, [], b"p", limit) == E2BIG
    assert stack.arguments_limit(2**64 - 1) == 6 << 20
    assert stack.arguments_limit(0) == 131072


# Layout


@pytest.mark.parametrize("limit", [0, 8 << 20, 1 << 40, 2**64 - 1])
def test_layouts_leave_room_for_the_stack(limit: int) -> None:
    for _ in range(50):
        layout = Layout(limit, (VVAR, VDSO, VDSO + 0x2000))
        assert layout.stack_top % PAGE == layout.mmap_base % PAGE == 0
        assert layout.mmap_base < layout.stack_top < GUEST_END
        assert layout.stack_top <= VVAR or layout.mmap_base >= VDSO
        assert layout.stack_top - layout.mmap_base >= min(limit, 1 << 40)
        assert layout.pie_base(1 << 21) % (1 << 21) == 0
        assert layout.mmap_base > 0x10000


def test_a_layout_without_randomness_is_the_same_each_time() -> None:
    one, two = Layout(8 << 20, (0, 0, 0), False), Layout(8 << 20, (0, 0, 0), False)
    assert (one.stack_top, one.mmap_base, one.pie_base(0)) == (two.stack_top, two.mmap_base, PIE_BASE)
    assert one.brk_start(0x401001) == 0x402000


# Programs


class Machine:
    def vdso(self) -> tuple[int, int, int]:
        return (VVAR, VDSO, VDSO + 0x2000)


class LoaderTask(FakeTask):
    """A task in a tree of files: name to content."""

    def __init__(self, files: dict[bytes, bytes]) -> None:
        super().__init__()
        self.kernel = self
        self.machine = Machine()
        self.config = Config([], [])
        self.root: Any = None
        self.tree = {name: FakePath(FakeInode(content)) for name, content in files.items()}


@pytest.fixture(autouse=True)
def walk(monkeypatch: pytest.MonkeyPatch) -> None:
    def walk_tree(task: Any, dirfd: int, name: bytes) -> Any:
        if name not in task.tree:
            raise Errno(ENOENT)
        return task.tree[name]

    monkeypatch.setattr(namei, "walk", walk_tree)


def prepare(task: Any, name: bytes, argv: list[bytes] | None = None) -> loader.Image:
    arguments = [name] if argv is None else argv
    return loader.prepare(task, task.tree[name], arguments, [b"A=1"], name)


def commit(task: Any, program: loader.Image) -> tuple[int, int, Any]:
    entry, pointer, mm = program.commit(task, task.ctx, persona=ADDR_NO_RANDOMIZE)
    task.mm = mm
    for start, end, prot in ((VVAR, VDSO, PROT_READ), (VDSO, VDSO + 0x2000, PROT_READ | PROT_EXEC)):
        for page in range(start, end, PAGE):
            task.ctx.pages[page] = (prot, False, -1, 0)
    assert task.agrees()
    return entry, pointer, mm


def auxv_of(mm: Any) -> dict[int, int]:
    table = words(mm.auxv)
    return dict(zip(table[::2], table[1::2], strict=True))


def test_a_static_program_takes_few_orders() -> None:
    task: Any = LoaderTask({b"/bin/a": image()})
    entry, pointer, mm = commit(task, prepare(task, b"/bin/a"))
    assert entry == 0x401000
    assert [order[0] for order in task.ctx.orders] == ["map", "map", "write", "map", "map", "write"]
    assert mm.areas.find(pointer).flags & 0x20
    assert mm.brk_start == mm.brk_end == 0x406000
    auxv = auxv_of(mm)
    assert (auxv[AT_PHDR], auxv[AT_BASE], auxv[AT_SYSINFO_EHDR]) == (0x400040, 0, VDSO)
    stack_vma = mm.areas.find(pointer)
    assert stack_vma.length == 33 * PAGE
    assert mm.exe.inode is task.tree[b"/bin/a"].inode


PIE: tuple[Load, ...] = ((PF_R | PF_X, 0, 0, 0x1234, 0x1234), (PF_R | PF_W, 0x1E00, 0x2E00, 0x400, 0x400))


def test_a_dynamic_program_and_its_interpreter() -> None:
    files = {
        b"/bin/a": image(PIE, ET_DYN, b"/lib/ld.so\0", entry=0x1000),
        b"/lib/ld.so": image(PIE, ET_DYN, entry=0x1100),
    }
    task: Any = LoaderTask(files)
    entry, _, mm = commit(task, prepare(task, b"/bin/a"))
    auxv = auxv_of(mm)
    assert auxv[AT_ENTRY] == PIE_BASE + 0x1000
    assert auxv[AT_PHDR] == PIE_BASE + 64
    assert auxv[AT_BASE] == mm.areas.base - 0x4000
    assert entry == auxv[AT_BASE] + 0x1100
    assert mm.brk_start == PIE_BASE + 0x4000


def test_a_static_pie_goes_among_the_mappings() -> None:
    task: Any = LoaderTask({b"/bin/a": image(PIE, ET_DYN, entry=0x1000)})
    entry, _, mm = commit(task, prepare(task, b"/bin/a"))
    assert entry == mm.areas.base - 0x4000 + 0x1000
    assert mm.brk_start == PIE_BASE
    assert auxv_of(mm)[AT_BASE] == 0


def test_maps_of_a_fresh_program() -> None:
    task: Any = LoaderTask({b"/bin/a": image()})
    _, _, mm = commit(task, prepare(task, b"/bin/a"))
    lines = maps_text(mm, task.root).decode().splitlines()
    assert lines[0] == "00400000-00402000 r-xp 00000000 08:02 77".ljust(73) + "/bin/program"
    assert lines[2] == "00404000-00406000 rw-p 00000000 00:00 0 "
    assert [line[73:] for line in lines[-3:]] == ["[stack]", "[vvar]", "[vdso]"]


def test_executable_stacks() -> None:
    for flags, expected in ((PF_R | PF_W, 0), (PF_R | PF_W | PF_X, PROT_EXEC)):
        task: Any = LoaderTask({b"/a": image(others=((PT_GNU_STACK, flags, 0, 0, 0, 0, 0, 16),))})
        _, pointer, mm = commit(task, prepare(task, b"/a"))
        assert mm.find(pointer).prot == PROT_READ | PROT_WRITE | expected


def test_a_read_only_segment_with_a_tail_is_not_zeroed() -> None:
    task: Any = LoaderTask({b"/a": image((TEXT, (PF_R, 0x1000, 0x403000, 0x100, 0x200)))})
    commit(task, prepare(task, b"/a"))
    assert [order[0] for order in task.ctx.orders] == ["map", "map", "map", "write"]


def test_scripts_hand_their_name_on() -> None:
    files = {
        b"/s": b"#!/t  -e  x\n",
        b"/t": b"#!/bin/a\n",
        b"/bin/a": image(),
    }
    task: Any = LoaderTask(files)
    program = prepare(task, b"/s", [b"zero", b"one"])
    assert program.argv == [b"/bin/a", b"/t", b"-e  x", b"/s", b"one"]
    assert program.name == b"/s"
    assert program.path is task.tree[b"/bin/a"]


def test_scripts_nest_five_deep() -> None:
    files = {b"/0": image()}
    for depth in range(1, 7):
        files[b"/%d" % depth] = b"#!/%d\n" % (depth - 1)
    task: Any = LoaderTask(files)
    prepare(task, b"/5")
    assert errno_of(prepare, task, b"/6") == ELOOP


def test_no_arguments_become_one_empty_string() -> None:
    task: Any = LoaderTask({b"/a": image()})
    assert prepare(task, b"/a", []).argv == [b""]


def test_what_is_refused() -> None:
    files = {
        b"/text": b"hello",
        b"/empty": b"",
        b"/no-interp": image(interp=b"/gone\0"),
        b"/bad-interp": image(interp=b"/text\0"),
        b"/empty-interp": image(interp=b"\0\0"),
        b"/script": b"#!/gone\n",
        b"/dir": b"",
        b"/a": image(),
    }
    task: Any = LoaderTask(files)
    task.tree[b"/dir"].inode.mode = 0o040755
    for name, error in (
        (b"/text", ENOEXEC),
        (b"/empty", ENOEXEC),
        (b"/no-interp", ENOENT),
        (b"/bad-interp", ELIBBAD),
        (b"/empty-interp", ENOENT),
        (b"/script", ENOENT),
        (b"/dir", EACCES),
    ):
        assert errno_of(prepare, task, name) == error, name
    task.tree[b"/a"].inode.mode = 0o100644
    assert errno_of(prepare, task, b"/a") == EACCES
    task.tree[b"/a"].inode.mode = 0o100755
    task.tree[b"/a"].mount.flags = MS_NOEXEC
    assert errno_of(prepare, task, b"/a") == EACCES
    assert not task.ctx.orders


def test_a_program_in_the_way_of_the_stack() -> None:
    top = Layout(8 << 20, (VVAR, VDSO, VDSO + 0x2000), False).stack_top
    task: Any = LoaderTask({b"/a": image(((PF_R, 0, top - 2 * PAGE, PAGE, PAGE),))})
    program = prepare(task, b"/a")
    assert errno_of(commit, task, program) == ENOMEM


def test_a_small_stack_limit_bounds_the_first_stack() -> None:
    task: Any = LoaderTask({b"/a": image()})
    task.group.limit(RLIMIT_STACK, 16 * PAGE)
    _, pointer, mm = commit(task, prepare(task, b"/a"))
    assert mm.find(pointer).length == 16 * PAGE


def test_an_open_file_can_be_the_program() -> None:
    task: Any = LoaderTask({b"/a": image()})
    file: Any = File(0)
    file.path = task.tree[b"/a"]
    program = loader.prepare(task, file, [b"x"], [], b"/dev/fd/3")
    assert program.path is file.path
    assert isinstance(program.program.file, FakeFile)
