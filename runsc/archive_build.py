"""Making the archive of modules, when the distribution is built (see `runsc/archive.py`):

    python -X no_debug_ranges -m runsc.archive_build FILE ROOT

What no start has a use for is left out of the sentry's code: docstrings, what is there for type checkers, and
annotations, but for those of the handlers, from which their decoders are made.
"""

from __future__ import annotations

import ast
import marshal
import os
import sys
from _frozen_importlib_external import MAGIC_NUMBER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from runsc.archive import Module

# Imported by every start of a sandbox, and by `run` alone.  A bundle has all that its modules import, less
# what the bundles before it have; it is executed when the first of its modules is imported.
BUNDLES = (
    ("runsc.cli", "runsc.commands.do", "runsc.sandbox_process"),
    (
        "sentry.boot",
        *(f"sentry.syscalls.{name}" for name in ("mmap", "open", "process", "read_write", "stat")),
    ),
    ("runsc.commands.run",),
)
HANDLERS = "sentry.syscalls"
# What many a guest never needs: left out of the bundles where it is imported as a module (`from sentry.tty
# import pty`, not `from sentry.tty.pty import Pty`), and executed when something of it is first asked for.
SELDOM = frozenset((
    "sentry.fs.proc_directory",
    "sentry.ipc.msg",
    "sentry.ipc.sem",
    "sentry.ipc.shm",
    "sentry.tty.host_terminal",
    "sentry.tty.pty",
    "sentry.tty.pty_files",
))  # fmt: skip


class Source:
    """The text of a module."""

    def __init__(self, root: str, path: str) -> None:
        self.path = path
        self.is_package = os.path.basename(path) == "__init__.py"
        self.name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        with open(os.path.join(root, path), encoding="utf-8") as file:
            self._tree = ast.parse(file.read())

    def imports(self) -> Iterator[tuple[str, list[str]]]:
        """What is imported when the module is executed: modules, and what is taken from each."""
        for node in self._tree.body:
            if isinstance(node, ast.Import):
                yield from ((alias.name, []) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                yield node.module, [alias.name for alias in node.names]

    def compiled(self) -> Module:
        if self.name.startswith("sentry"):
            _strip(self._tree, annotated=self.name.startswith(HANDLERS))
        code = compile(self._tree, self.path, "exec", dont_inherit=True)
        return self.name, self.is_package, self.path, code


class Library:
    """All modules of some packages below a directory."""

    def __init__(self, root: str, packages: tuple[str, ...]) -> None:
        self.sources: dict[str, Source] = {}
        for package in packages:
            for directory, _, names in sorted(os.walk(os.path.join(root, package))):
                for name in sorted(name for name in names if name.endswith(".py")):
                    source = Source(root, os.path.relpath(os.path.join(directory, name), root))
                    self.sources[source.name] = source

    def closure(self, names: Iterable[str], without: set[str]) -> list[Source]:
        """The modules `names` and what they import, each after what it imports; adds them to `without`."""
        ordered: list[Source] = []

        def visit(name: str) -> None:
            if name not in self.sources or name in without:
                return
            without.add(name)
            visit(name.rpartition(".")[0])
            for module, members in self.sources[name].imports():
                visit(module)
                for member in members:
                    if f"{module}.{member}" not in SELDOM:
                        visit(f"{module}.{member}")
            ordered.append(self.sources[name])

        for name in names:
            visit(name)
        return ordered

    def foreign(self, sources: list[Source]) -> list[str]:
        """The modules outside the library that these import."""
        return sorted({module for source in sources for module, _ in source.imports()} - self.sources.keys())


def write(file: BinaryIO, root: str, packages: tuple[str, ...]) -> None:
    """Compile the modules of `packages` below the directory `root` into an archive."""
    library = Library(root, packages)
    done: set[str] = set()
    bundles = [library.closure(names, done) for names in BUNDLES]
    seldom = sorted(SELDOM & library.sources.keys() - done)
    handlers = [name for name in library.sources if name.startswith(HANDLERS)]
    late = library.closure(handlers + seldom, done)

    parts: list[bytes] = []
    index: dict[str, tuple[int, int]] = {}
    start = 0
    for names, bundle in zip(BUNDLES, bundles, strict=True):
        part = marshal.dumps([source.compiled() for source in bundle])
        index[names[0]] = start, len(part)
        start += len(part)
        parts.append(part)

    codes = bytearray()
    table = {}
    for source in late:
        name, is_package, path, code = source.compiled()
        part = marshal.dumps(code)
        table[name] = is_package, path, len(codes), len(part)
        codes += part
    header = marshal.dumps((index, (start, len(codes)), table, seldom, library.foreign(late)))
    file.write(MAGIC_NUMBER + len(header).to_bytes(4, "little") + header)
    file.write(b"".join(parts) + codes)


def _strip(tree: ast.Module, annotated: bool) -> None:
    """Drop what the sentry runs without; `annotated` keeps the annotations of functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef):
            node.body = [kept for child in node.body for kept in _statement(child)]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if ast.get_docstring(node, clean=False) is not None:
                del node.body[0]
            if not annotated:
                node.returns = None
        if isinstance(node, ast.arg) and not annotated:
            node.annotation = None
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.body:
            node.body = [ast.copy_location(ast.Pass(), node)]


def _statement(node: ast.stmt) -> list[ast.stmt]:
    """What is left of a statement of a module or class."""
    match node:
        case ast.Expr(value=ast.Constant()):
            return []
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return node.orelse
        case ast.AnnAssign(value=None):
            return []
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            return [ast.copy_location(ast.Assign(targets=[target], value=value), node)]
    return [node]


if __name__ == "__main__":
    with open(sys.argv[1], "wb") as output:
        write(output, sys.argv[2], ("runsc", "sentry"))
