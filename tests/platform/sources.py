"""The C sources of a back-end, for programs that are linked with it in place of the dispatcher."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
# What is no part of such a program: the face to Python, and what becomes the stub.
ELSEWHERE = ("module.c", "stub.c")


def sources(backend: str) -> list[Path]:
    """Its own and those that back-ends share."""
    folders = (ROOT / "platform" / backend, ROOT / "platform" / "common")
    found = [path for folder in folders for path in folder.glob("*.c") if path.name not in ELSEWHERE]
    return sorted(found)


def include(backend: str) -> list[str]:
    """The options that have its headers found."""
    return [f"-I{ROOT}/platform/{folder}" for folder in ("include", "common", backend)]
