"""The ways to run a command that are compared: natively, in runc, in our sandboxes and in gVisor's.

Every sandbox has the host's root and an empty /tmp in memory.  runc is what a container without a sandbox
costs: a workload's multiples are of it where it is installed.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from runsc.spec import example

RUNSC_PY = Path(sys.executable).with_name("runsc-py")
CLONE_NEWNS, MNT_DETACH = 0x20000, 2
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 0x1, 0x20, 0x1000, 0x4000, 0x40000


class Column:
    """A command's prefix."""

    sandboxed = True
    weighed = True  # has its memory measured

    def __init__(self, name: str, *prefix: str) -> None:
        self.name = name
        self.prefix = list(prefix)

    def command(self, argv: list[str]) -> list[str]:
        return self.prefix + argv

    def close(self) -> None:
        """Take down what was set up for it."""


class Native(Column):
    sandboxed = weighed = False


class Runc(Column):
    """A bundle whose root is the host's, read-only, at a place of our own mount namespace.

    That place is no part of any directory that is ever removed with what is in it.
    """

    weighed = False

    def __init__(self, program: str, work: Path) -> None:
        super().__init__("runc", program, f"--root={work}/runc-state")
        self.bundle = work / "bundle"
        self.bundle.mkdir()
        self.root = tempfile.mkdtemp(prefix="runsc-py-bench-root-")
        place = os.fsencode(self.root)
        libc = ctypes.CDLL(None, use_errno=True)
        if (
            libc.unshare(CLONE_NEWNS)
            or libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None)
            or libc.mount(b"/", place, None, MS_BIND, None)
            or libc.mount(None, place, None, MS_REMOUNT | MS_BIND | MS_RDONLY, None)
        ):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        self.count = 0

    def close(self) -> None:
        ctypes.CDLL(None).umount2(os.fsencode(self.root), MNT_DETACH)
        os.rmdir(self.root)

    def command(self, argv: list[str]) -> list[str]:
        config = example()
        config["root"] = {"path": self.root, "readonly": True}
        config["process"] |= {"args": argv, "cwd": "/tmp", "env": [f"PATH={os.environ['PATH']}"]}
        (self.bundle / "config.json").write_text(json.dumps(config))
        self.count += 1
        return [*self.prefix, "run", f"--bundle={self.bundle}", f"bench-{os.getpid()}-{self.count}"]


def works(column: Column) -> str:
    """Empty if it can run /bin/true, else the last line of what it says."""
    command = column.command(["/bin/true"])
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]


def find(work: Path) -> list[Column]:
    """Those that work here, native first; what does not is printed with its reason."""
    from sentry.platform.base import PLATFORMS

    found: list[Column] = [Native("native")]
    candidates: list[Column] = []
    runc, peer = shutil.which("runc"), shutil.which("runsc")
    if os.geteuid() != 0:
        print("runc and gVisor are left out: they need root")
        runc = peer = None
    if runc:
        candidates.append(Runc(runc, work))
    for platform in sorted(PLATFORMS):
        do = ["do", "--cwd=/tmp", f"--volume={work}:{work}:ro", "--"]
        candidates.append(Column(platform, str(RUNSC_PY), f"--platform={platform}", *do))
    for platform in ("ptrace", "systrap") if peer else ():
        flags = [f"--platform={platform}", "--network=none", "--ignore-cgroups", f"--root={work}/runsc-state"]
        candidates.append(Column(f"gVisor {platform}", str(peer), *flags, "do", "--cwd", "/tmp"))
    for column in candidates:
        reason = works(column)
        if reason:
            print(f"{column.name} is left out: {reason}")
            column.close()
        else:
            found.append(column)
    return found
