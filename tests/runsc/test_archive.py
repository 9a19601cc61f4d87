"""The archive of modules: the same modules as the files beside it, in fewer steps."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import runsc
from runsc import archive, archive_build

SITE = Path(runsc.__file__).parent.parent
INSTALL = """
import sys
sys.path.insert(0, {root!r})
from runsc import archive
finder = archive.Archive({file!r}, {root!r})
sys.meta_path.insert(0, finder)
class Files:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(("runsc.", "sentry.")) and not name.rpartition(".")[2].startswith("_"):
            print("from a file:", name)
sys.meta_path.insert(1, Files())
"""
MODULE = '''"""Doc."""
from __future__ import annotations
TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry import nothing
number: int = 6
class A:
    """Doc."""
    width: int
    def f(self, a: int = 7, *b: int, c: int = 1) -> int:
        """Doc."""
        return a + c + number
class B:
    """Doc."""
'''


def build(root: Path, **files: str) -> Path:
    """An archive of the package `sentry` with these modules, and of a `runsc`."""
    for package in ("sentry", "sentry/syscalls", "runsc"):
        (root / package).mkdir(exist_ok=True)
        (root / package / "__init__.py").write_text("")
    (root / "runsc/archive.py").write_text(Path(archive.__file__).read_text())
    for name, text in files.items():
        (root / f"{name.replace('__', '/', 2)}.py").write_text(text)
    with open(root / "modules.bin", "wb") as file:
        archive_build.write(file, str(root), ("runsc", "sentry"))
    return root


def run(root: Path, script: str, file: Path | None = None) -> str:
    text = INSTALL.format(root=str(root), file=str(file or root / "modules.bin")) + script
    result = subprocess.run([sys.executable, "-I", "-c", text], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_module_is_what_its_file_says(work_directory: Path) -> None:
    root = build(work_directory, sentry__boot="from sentry import module", sentry__module=MODULE)
    text = run(
        root,
        "import sentry.boot\nfrom sentry.module import *\nfrom sentry import module\n"
        "print(A().f(), A().f(1, 2, c=3), module.__file__)\n"
        "print(module.__doc__, A.__doc__, B.__doc__, A.f.__doc__)",
    )
    assert text == f"14 10 {root}/sentry/module.py\nNone None None None\n"


def test_handlers_keep_their_annotations(work_directory: Path) -> None:
    handler = 'def close(task: "Task", number: int) -> int:\n    """Doc."""\n'
    root = build(work_directory, sentry__boot="", sentry__syscalls__descriptors=handler)
    text = run(
        root,
        "import sentry.boot\nfinder.hold()\nfrom sentry.syscalls import descriptors\n"
        "print(descriptors.close.__annotations__, descriptors.close(1, 2))",
    )
    assert text == "{'task': 'Task', 'number': <class 'int'>, 'return': <class 'int'>} None\n"


def test_modules_may_import_each_other(work_directory: Path) -> None:
    root = build(
        work_directory,
        sentry__boot="from sentry import a",
        sentry__a="from sentry import b\nname = 'a'",
        sentry__b="from sentry import a\nname = 'b'",
    )
    assert run(root, "import sentry.boot\nprint(sentry.a.b.name, sentry.b.a.name)") == "b a\n"


def test_a_failing_module_is_not_there(work_directory: Path) -> None:
    root = build(work_directory, sentry__boot="from sentry import a", sentry__a="raise KeyError(6)")
    text = run(
        root,
        "try:\n    import sentry.boot\nexcept KeyError as error:\n    print(error)\n"
        "print('sentry.a' in sys.modules, 'sentry.boot' in sys.modules)",
    )
    assert text == "6\nFalse False\n"


def test_a_module_that_the_archive_lacks_comes_from_its_file(work_directory: Path) -> None:
    root = build(work_directory, sentry__boot="")
    (root / "sentry/another.py").write_text("number = 6")
    text = run(root, "import sentry.boot\nfrom sentry import another\nprint(another.number)")
    assert text == "from a file: sentry.another\n6\n"


def test_late_modules_come_from_memory_and_nothing_from_files(work_directory: Path) -> None:
    root = build(
        work_directory,
        sentry__boot="",
        sentry__detail="number = 6",
        sentry__syscalls__call="import string\nfrom sentry.detail import number",
    )
    text = run(
        root,
        "import os, shutil, sentry.boot\nfinder.hold()\nprint('sentry.detail' in sys.modules)\n"
        f"shutil.rmtree({str(root)!r})\nfrom sentry.syscalls.call import number\nprint(number)\n"
        "try:\n    import colorsys\nexcept ModuleNotFoundError as error:\n    print(error)",
    )
    assert text == "False\n6\nNo module named 'colorsys'\n"


def test_seldom_modules_are_executed_when_something_of_them_is_first_used(work_directory: Path) -> None:
    (work_directory / "sentry/tty").mkdir(parents=True)
    root = build(
        work_directory,
        sentry__tty____init__="",
        sentry__tty__pty="print('executed')\nnumber = 6",
        sentry__boot="from sentry.tty import pty\ndef number(): return pty.number",
    )
    text = run(
        root,
        "import sentry.boot\nprint(hasattr(sentry.tty.pty, '__path__'), 'number' in vars(sentry.tty.pty))\n"
        "finder.hold()\nprint(sentry.boot.number(), sentry.boot.number(), type(sentry.tty.pty).__name__)\n"
        "try:\n    sentry.tty.pty.another\nexcept AttributeError as error:\n    print(error)",
    )
    missing = "module 'sentry.tty.pty' has no attribute 'another'"
    assert text == f"False False\nexecuted\n6 6 module\n{missing}\n"


def test_a_seldom_module_that_fails_may_be_asked_again(work_directory: Path) -> None:
    (work_directory / "sentry/tty").mkdir(parents=True)
    root = build(
        work_directory,
        sentry__tty____init__="",
        sentry__tty__pty="import sys\nsys.n = getattr(sys, 'n', 0) + 1\nnumber = 12 // (sys.n - 1)",
        sentry__boot="from sentry.tty import pty",
    )
    text = run(
        root,
        "import sentry.boot\ntry:\n    sentry.tty.pty.number\nexcept ZeroDivisionError as error:\n"
        "    print(error)\nprint(sentry.tty.pty.number)",
    )
    assert text == "integer division or modulo by zero\n12\n"


def test_another_interpreters_archive_is_refused(work_directory: Path) -> None:
    file = work_directory / "modules.bin"
    file.write_bytes(b"\0" * 100)
    with pytest.raises(ImportError, match="another version"):
        archive.Archive(str(file), str(work_directory))


def test_every_module_of_a_start_and_every_handler_is_in_the_archive(work_directory: Path) -> None:
    file = work_directory / "modules.bin"
    with open(file, "wb") as output:
        archive_build.write(output, str(SITE), ("runsc", "sentry"))
    script = (
        "import runsc.cli, runsc.commands.run, runsc.sandbox_process, sentry.boot\n"
        "finder.hold()\nfrom sentry.syscalls.table import TABLE, resolve\n"
        "for entry in TABLE: resolve(entry)\nprint(len(TABLE) > 300, 'sentry.syscalls.keys' in sys.modules)"
    )
    assert run(SITE, script, file) == "True True\n"


def test_the_installed_archive_is_used() -> None:
    if not os.path.exists(archive.FILE):
        pytest.skip("not installed: imported from the source folder")
    script = "from runsc import archive; archive.install(); import runsc.cli as cli; print(cli.__loader__)"
    result = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert "archive.Archive" in result.stdout
