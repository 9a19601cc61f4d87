"""Bundles for tests: a base config.json of which each test changes the one field under test."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from runsc.spec import example

BUSYBOX = Path("/usr/bin/busybox")


def base(*args: str) -> dict[str, Any]:
    """A config that runs `args` on the bundle's rootfs."""
    config = copy.deepcopy(example())
    config["process"]["args"] = list(args) or ["/bin/true"]
    return config


def write(directory: Path, config: Any) -> Path:
    """A bundle with a busybox root file system (links to the host's static busybox)."""
    bin = directory / "rootfs" / "bin"
    bin.mkdir(parents=True)
    for name in ("tmp", "proc", "dev", "sys", "etc"):
        (directory / "rootfs" / name).mkdir()
    (bin / "busybox").write_bytes(BUSYBOX.read_bytes())
    (bin / "busybox").chmod(0o755)
    for name in (
        "true",
        "false",
        "sh",
        "echo",
        "cat",
        "ls",
        "id",
        "sleep",
        "kill",
        "touch",
        "mount",
        "pwd",
        "env",
    ):
        (bin / name).symlink_to("busybox")
    text = config if isinstance(config, str) else json.dumps(config)
    (directory / "config.json").write_text(text)
    return directory


def change(directory: Path, path: str, value: Any) -> None:
    """Replace one field in a bundle's config.json."""
    file = directory / "config.json"
    file.write_text(json.dumps(put(json.loads(file.read_text()), path, value)))


def put(config: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The config with the value at a dotted path replaced; ... as the value removes it."""
    *parents, last = path.split(".")
    place: Any = config
    for name in parents:
        place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
    if value is ...:
        del place[last]
    elif isinstance(place, list):
        place[int(last)] = value
    else:
        place[last] = value
    return config
