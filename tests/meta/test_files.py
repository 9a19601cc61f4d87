"""Files stay small: one noun or one verb each."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
FOLDERS = {
    "runsc": 450,
    "sentry": 450,
    "platform": 450,
    "bench": 450,
    "tests": 600,
}  # lines; aim at 80 to 250
SUFFIXES = {".py", ".pyi", ".c", ".h", ".S"}
# What is one table or one list, however long: a name here needs its reason.
LONG = {
    "sentry/syscalls/table.py": "one line for each system call",
    "sentry/_core.pyi": "the face of the one C extension",
}


def test_no_file_is_too_long() -> None:
    long = {}
    for folder, limit in FOLDERS.items():
        for path in (ROOT / folder).rglob("*"):
            name = str(path.relative_to(ROOT))
            if path.suffix in SUFFIXES and not path.is_symlink() and name not in LONG:
                lines = len(path.read_text().splitlines())
                if lines > limit:
                    long[name] = lines
    assert long == {}


def test_the_exceptions_exist() -> None:
    assert [name for name in LONG if not (ROOT / name).is_file()] == []
