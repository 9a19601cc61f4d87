"""config.json of the OCI runtime specification 1.3.0: what is read of it, and of which type each field is."""

from __future__ import annotations

import os

from runsc.errors import RuntimeFailure, failed
from runsc.jsonlite import loads
from runsc.schema import BOOLEAN, S64, STRING, STRINGS, U32, U64, List, Map, Mismatch, Object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LIMIT = 16 << 20  # bytes of config.json that are read

USER = Object({}, {"uid": U32, "gid": U32, "umask": U32, "additionalGids": List(U32), "username": STRING})
CAPABILITIES = Object(
    {}, dict.fromkeys(("bounding", "effective", "inheritable", "permitted", "ambient"), STRINGS)
)
RLIMIT = Object({"type": STRING, "soft": U64, "hard": U64}, {})
PROCESS = Object(
    {"args": STRINGS, "cwd": STRING},
    {
        "terminal": BOOLEAN,
        "consoleSize": Object({"height": U32, "width": U32}, {}),
        "user": USER,
        "env": STRINGS,
        "capabilities": CAPABILITIES,
        "rlimits": List(RLIMIT),
        "noNewPrivileges": BOOLEAN,
    },
)
MOUNT = Object({"destination": STRING}, {"type": STRING, "source": STRING, "options": STRINGS})
HOOKS = Map(List(Object({"path": STRING}, {"args": STRINGS, "env": STRINGS})))
RESOURCES = Object(
    {},
    {
        "memory": Object({}, dict.fromkeys(("limit", "reservation", "swap"), S64)),
        "cpu": Object({}, {"shares": U64, "quota": S64, "period": U64, "cpus": STRING, "mems": STRING}),
        "pids": Object({}, {"limit": S64}),
        "blockIO": Object({}, {"weight": U32}),
        "unified": Map(STRING),
    },
)
LINUX = Object(
    {},
    {
        "namespaces": List(Object({"type": STRING}, {"path": STRING})),
        "maskedPaths": STRINGS,
        "readonlyPaths": STRINGS,
        "rootfsPropagation": STRING,
        "seccomp": Object({}, {}),
        "resources": RESOURCES,
    },
)
CONFIG = Object(
    {
        "ociVersion": STRING,
        "process": PROCESS,
        "root": Object({"path": STRING}, {"readonly": BOOLEAN}),
    },
    {
        "hostname": STRING,
        "domainname": STRING,
        "mounts": List(MOUNT),
        "hooks": HOOKS,
        "annotations": Map(STRING),
        "linux": LINUX,
    },
)


def load(bundle: str) -> dict[str, Any]:
    """Read and check a bundle's config.json.  Raises RuntimeFailure saying what is wrong and where."""
    path = os.path.join(bundle, "config.json")
    try:
        with open(path, "rb") as file:
            data = file.read(LIMIT + 1)
    except OSError as error:
        raise failed(path, error) from None
    if len(data) > LIMIT:
        raise RuntimeFailure(f"config.json: larger than {LIMIT >> 20} MiB")
    try:
        value = loads(data.decode("utf-8"))
        CONFIG.check(value, "")
    except UnicodeDecodeError as error:
        raise RuntimeFailure(f"config.json: not UTF-8: byte {error.start}") from None
    except (ValueError, Mismatch) as error:
        raise RuntimeFailure(f"config.json: {error}") from None
    config: dict[str, Any] = value
    version = config["ociVersion"]
    if not version.startswith("1."):
        raise RuntimeFailure(f"config.json: ociVersion: expected 1.x, got '{version}'")
    return config


def example() -> dict[str, Any]:
    """A config.json to start from: a shell on a read-only root."""
    from runsc import OCI_VERSION

    capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
    return {
        "ociVersion": OCI_VERSION,
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "runsc",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            {
                "destination": "/dev/pts",
                "type": "devpts",
                "source": "devpts",
                "options": ["nosuid", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
            },
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "mode=1777"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "ro"]},
            {
                "destination": "/sys/fs/cgroup",
                "type": "cgroup",
                "source": "cgroup",
                "options": ["nosuid", "noexec", "nodev", "relatime", "ro"],
            },
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=1777"]},
        ],
        "linux": {"namespaces": [{"type": name} for name in ("pid", "network", "ipc", "uts", "mount")]},
    }
