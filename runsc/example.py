"""`make run`: an example bundle made from the host's own programs, run in the sandbox.

    CMD='...' python -m runsc.example DIR

The root file system is the host's root, which is only read; what the guest writes is kept in memory.  CMD is
a shell command for the guest; without one it shows whose kernel answers.
"""

from __future__ import annotations

import json
import os
import sys

from runsc import capabilities
from runsc.spec import example

SHOW = r"""
echo "uname -a:      $(uname -a)"
echo "/proc/version: $(cat /proc/version)"
echo "processes, as its /proc lists them:"
sleep 5 &
for process in /proc/[0-9]*; do
    echo "  ${process#/proc/} $(cat "$process/comm")"
done
echo hello > /etc/written-in-memory && echo "written in memory: $(cat /etc/written-in-memory)"
"""


def write_bundle(directory: str, args: list[str]) -> None:
    """Make (or make anew) a bundle that runs `args` on the host's root."""
    config = example()
    config["root"] = {"path": "/", "readonly": False}
    config["process"]["args"] = args
    config["process"]["capabilities"] = dict.fromkeys(
        ("bounding", "effective", "permitted"), capabilities.names(capabilities.ALL)
    )
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)


def main(argv: list[str]) -> int:
    """Make the bundle in argv[0] and become `runsc-py run` on it."""
    directory = argv[0]
    write_bundle(directory, ["sh", "-c", os.environ.get("CMD") or SHOW])
    state = os.path.join(directory, "state")
    id = f"example-{os.getpid()}"
    arguments = ["-I", "-m", "runsc.cli", "--root", state, "run", "--bundle", directory, id]
    os.execv(sys.executable, [sys.executable, *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
