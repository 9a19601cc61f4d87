"""The archive of modules: the same modules as the files beside it, without the sentry's docstrings."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

import runsc
from runsc import archive

SITE = Path(runsc.__file__).parent.parent
LIST = "from runsc import archive; archive.install(); import sys; print(*sys.meta_path[0]._index)"


def of(root: Path, **files: str) -> archive.Archive:
    """An archive of the package `sentry` with these modules."""
    (root / "sentry").mkdir()
    (root / "sentry/__init__.py").write_text("")
    for name, text in files.items():
        (root / f"sentry/{name}.py").write_text(text)
    file = io.BytesIO()
    archive.write(file, str(root), ("runsc", "sentry"))
    return archive.Archive(file.getvalue(), str(root))


def test_a_module_is_what_its_file_says(work_directory: Path) -> None:
    text = '"""Doc."""\nfrom __future__ import annotations\nclass A:\n    """Doc."""\n'
    text += 'def f() -> int:\n    """Doc."""\n    return 6\n'
    finder = of(work_directory, module=text)
    spec = finder.find_spec("sentry.module")
    assert spec is not None
    module = type(sys)("sentry.module")
    finder.exec_module(module)
    assert module.f() == 6
    assert (module.__doc__, module.A.__doc__, module.f.__doc__) == (None, None, None)
    assert module.__file__ == f"{work_directory}/sentry/module.py"


def test_a_package_knows_where_it_is(work_directory: Path) -> None:
    finder = of(work_directory)
    spec = finder.find_spec("sentry")
    assert spec is not None
    assert spec.submodule_search_locations == [f"{work_directory}/sentry"]
    assert finder.find_spec("json") is None
    finder.close()
    assert finder.find_spec("sentry") is None


def test_the_installed_archive_has_every_installed_module() -> None:
    if not os.path.exists(archive.FILE):
        pytest.skip("not installed: imported from the source folder")
    result = subprocess.run([sys.executable, "-I", "-c", LIST], capture_output=True, text=True, check=True)
    expected = set()
    for package in ("runsc", "sentry"):
        for path in (SITE / package).rglob("*.py"):
            name = str(path.relative_to(SITE).with_suffix("")).replace("/", ".")
            expected.add(name.removesuffix(".__init__"))
    assert set(result.stdout.split()) == expected
