"""Who may import whom (the contracts are in pyproject.toml), and what nobody imports at start."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
# Each of these costs from a tenth of starting Python to all of it; who needs one imports it in a function.
SLOW = {
    "argparse", "asyncio", "contextlib", "ctypes", "dataclasses", "enum", "functools", "importlib", "inspect",
    "json", "logging", "msgspec", "pathlib", "pyseccomp", "ptrace", "re", "shutil", "socket", "subprocess",
    "tempfile", "threading", "typing", "typing_extensions", "collections",
}  # fmt: skip
# Programs of their own, never part of starting a sandbox.
OTHERS = {"runsc/example.py"}
MODULES = [path for folder in ("runsc", "sentry") for path in sorted((ROOT / folder).rglob("*.py"))]


def test_layers() -> None:
    lint = Path(sys.executable).parent / "lint-imports"
    result = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def is_for_types(statement: ast.Try | ast.If) -> bool:
    return isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING"


def at_start(tree: ast.Module) -> set[str]:
    """What a module imports when it is imported itself: nothing in functions or under TYPE_CHECKING."""
    found = set()
    statements: list[ast.stmt] = list(tree.body)
    while statements:
        statement = statements.pop()
        if isinstance(statement, ast.Import):
            found |= {alias.name.split(".")[0] for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            assert statement.level == 0, "a relative import"
            found.add((statement.module or "").split(".")[0])
        elif isinstance(statement, (ast.Try, ast.If)) and not is_for_types(statement):
            statements += statement.body
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_slow_modules_are_not_imported_at_start(path: Path) -> None:
    if str(path.relative_to(ROOT)) in OTHERS:
        return
    assert not at_start(ast.parse(path.read_text())) & SLOW
