"""All modules of this distribution in one file: importing two hundred one by one takes twice as long.

The build compiles them into `modules.bin` (without the sentry's docstrings); the command's script installs
the finder below.  Without that file, or with another version of Python, modules are imported as usual.

The file: the interpreter's bytecode magic number; the index's size (4 bytes, little endian); the marshalled
index, {module's name: (is it a package, its path, offset of its code, the code's size)}; the marshalled code.
"""

from __future__ import annotations

import marshal
import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType
    from typing import BinaryIO

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "modules.bin")
_HEADER = len(MAGIC_NUMBER) + 4


class Archive:
    """Finder and loader (importlib.abc) of the modules in an archive."""

    __slots__ = ("_code", "_index", "_root")

    def __init__(self, data: bytes, root: str) -> None:
        """`root` is the directory that the packages were installed in."""
        end = _HEADER + int.from_bytes(data[_HEADER - 4 : _HEADER], "little")
        self._index: dict[str, tuple[bool, str, int, int]] = marshal.loads(data[_HEADER:end])
        self._code = memoryview(data)[end:]
        self._root = root

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        entry = self._index.get(name)
        if entry is None:
            return None
        spec = ModuleSpec(name, self, origin=self._path(entry), is_package=entry[0])  # type: ignore[arg-type]
        if entry[0]:
            spec.submodule_search_locations = [os.path.dirname(self._path(entry))]
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        return None  # the default

    def exec_module(self, module: ModuleType) -> None:
        entry = self._index[module.__name__]
        _, _, offset, size = entry
        module.__file__ = self._path(entry)
        exec(marshal.loads(self._code[offset : offset + size]), module.__dict__)

    def _path(self, entry: tuple[bool, str, int, int]) -> str:
        return f"{self._root}/{entry[1]}"

    def close(self) -> None:
        """Give the memory back; nothing more can be imported from here."""
        self._index = {}
        self._code = memoryview(b"")


def install() -> None:
    """Import from the archive from now on, if there is one for this interpreter."""
    try:
        with open(FILE, "rb", buffering=0) as file:
            data = file.read()
    except FileNotFoundError:
        return
    if data.startswith(MAGIC_NUMBER):
        sys.meta_path.insert(0, Archive(data, os.path.dirname(os.path.dirname(FILE))))


def close() -> None:
    """Everything has been imported: take the archive out of use and out of memory."""
    for finder in sys.meta_path.copy():
        if isinstance(finder, Archive):
            sys.meta_path.remove(finder)
            finder.close()


def write(file: BinaryIO, root: str, packages: tuple[str, ...]) -> None:
    """Compile every module of `packages` below the directory `root` into an archive."""
    index = {}
    codes = bytearray()
    for package in packages:
        for directory, _, names in sorted(os.walk(os.path.join(root, package))):
            for name in sorted(name for name in names if name.endswith(".py")):
                path = os.path.relpath(os.path.join(directory, name), root)
                module = path.removesuffix(".py").replace("/", ".")
                is_package = name == "__init__.py"
                code = marshal.dumps(_compile(root, path, docstrings=package == "runsc"))
                index[module.removesuffix(".__init__")] = (is_package, path, len(codes), len(code))
                codes += code
    table = marshal.dumps(index)
    file.write(MAGIC_NUMBER + len(table).to_bytes(4, "little") + table + codes)


def _compile(root: str, path: str, docstrings: bool) -> CodeType:
    import ast

    with open(os.path.join(root, path), encoding="utf-8") as file:
        tree = ast.parse(file.read())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in () if docstrings else ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            node.body[:1] = [] if len(node.body) > 1 else [ast.copy_location(ast.Pass(), node.body[0])]
    code: CodeType = compile(tree, path, "exec", dont_inherit=True)
    return code
