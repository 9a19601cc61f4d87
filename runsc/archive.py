"""All modules of this distribution in one file: importing three hundred one by one takes twice as long.

The build compiles them into `modules.bin`; the command's script installs the finder below.  Without that
file, or with another version of Python, modules are imported as usual, and so is one that the archive lacks.

What every start needs is *bundled*: importing the first module of a bundle executes all of it in a recorded
order, in which each module comes after those that it imports.  The modules that only a handler of some system
call needs come *late*: when the guest makes that call.  So do some that are needed *seldom*: imported, they
are executed when something of theirs is first used.  `hold` reads the code of all these into memory, for the
sealed sandbox can open nothing.

The file: the interpreter's bytecode magic number; the index's size (4 bytes, little endian); the marshalled
index; marshalled bundles, lists of (module's name, is it a package, its path, its code); marshalled code.
"""

from __future__ import annotations

import marshal
import os
import sys
from _frozen_importlib import BuiltinImporter, FrozenImporter, ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType

    Module = tuple[str, bool, str, CodeType]
    At = tuple[int, int]  # offset and size
    # The bundles by their first module; where the late modules' code is, and each one within it: is it a
    # package, its path, offset, size; those that are executed later than imported; what late modules import
    # from elsewhere.
    Index = tuple[dict[str, At], At, dict[str, tuple[bool, str, int, int]], list[str], list[str]]

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "modules.bin")
_HEADER = len(MAGIC_NUMBER) + 4


class Seldom(type(sys)):  # type: ignore[misc]
    """A module whose code is executed when something of it is first asked for."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        loader: Archive = self.__dict__["__loader__"]
        self.__class__ = type(sys)  # type: ignore[assignment]
        try:
            loader.fill(self)
        except BaseException:
            self.__class__ = Seldom
            raise
        return getattr(self, name)


class Archive:
    """Finder and loader (importlib.abc) of the modules in an archive."""

    def __init__(self, path: str, root: str) -> None:
        """`root` is the directory that the packages were installed in.

        Raises OSError when there is no archive at `path`, ImportError when it is another interpreter's.
        """
        self._path = path
        self._root = root
        header = self._read(0, _HEADER)
        if not header.startswith(MAGIC_NUMBER):
            raise ImportError(f"{path}: made by another version of Python")
        size = int.from_bytes(header[-4:], "little")
        self._start = _HEADER + size
        index: Index = marshal.loads(self._read(_HEADER, size))
        self._bundles, self._late_at, self._late, self._seldom, self._needs = index
        self._pending: dict[str, Module] = {}  # of the bundle that is being imported
        # Of all modules of bundles: an import statement raises and drops an exception where there is no spec.
        self._spec = ModuleSpec("bundled", self)  # type: ignore[arg-type]
        self._spec._initializing = False  # type: ignore[attr-defined]
        self._code: bytes | None = None  # of the late modules

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in self._bundles or name in self._pending or name in self._late:
            return ModuleSpec(name, self)  # type: ignore[arg-type]
        return None

    def create_module(self, spec: ModuleSpec) -> None:
        return None  # the default

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        if name in self._seldom:
            module.__class__ = Seldom
            return
        if name not in self._bundles:
            self.fill(module)
            return
        bundle: list[Module] = marshal.loads(self._part(self._bundles.pop(name)))
        self._pending = {entry[0]: entry for entry in bundle}
        for other in self._pending:
            if other == name:
                self.fill(module)
            elif other not in sys.modules:  # modules that import each other were imported already
                self._make(other)
        self._pending = {}

    def _make(self, name: str) -> None:
        """Import a module without asking any finder."""
        module = sys.modules[name] = type(sys)(name)
        module.__spec__ = self._spec
        try:
            self.fill(module)
        except BaseException:
            del sys.modules[name]
            raise
        package, _, tail = name.rpartition(".")
        if package:
            setattr(sys.modules[package], tail, module)

    def fill(self, module: ModuleType) -> None:
        """Execute the module's code."""
        _, is_package, path, code = self._entry(module.__name__)
        module.__file__ = file = f"{self._root}/{path}"
        if is_package:
            module.__path__ = [os.path.dirname(file)]
        exec(code, module.__dict__)

    def _entry(self, name: str) -> Module:
        if name in self._pending:
            return self._pending[name]
        is_package, path, offset, size = self._late[name]
        if self._code is None:
            code = self._part((self._late_at[0] + offset, size))
        else:
            code = self._code[offset : offset + size]
        return name, is_package, path, marshal.loads(code)

    def hold(self) -> None:
        """Read the code of the late modules; from now on nothing is imported from any other file."""
        for name in self._needs:
            __import__(name)
        self._code = self._part(self._late_at)
        sys.meta_path[:] = [self, BuiltinImporter, FrozenImporter]

    def _part(self, at: At) -> bytes:
        return self._read(self._start + at[0], at[1])

    def _read(self, offset: int, size: int) -> bytes:
        fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(fd, size, offset)
        finally:
            os.close(fd)


def install() -> None:
    """Import from the archive from now on, if there is one that can be read, for this interpreter."""
    try:
        archive = Archive(FILE, os.path.dirname(os.path.dirname(FILE)))
    except (OSError, ImportError):
        return
    sys.meta_path.insert(0, archive)


def hold() -> bool:
    """Make the late modules importable without any file; False when there is no archive."""
    for finder in sys.meta_path:
        if isinstance(finder, Archive):
            finder.hold()
            return True
    return False
