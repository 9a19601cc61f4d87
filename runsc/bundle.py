"""From an OCI bundle (a directory with config.json) to the description of a sandbox."""

from __future__ import annotations

import os

from runsc import capabilities, resources, spec
from runsc.description import FILE_SYSTEMS, Description, check_exists
from runsc.errors import RuntimeFailure
from sentry.config import Config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runsc.log import RuntimeLog

# RLIMIT_* numbers (asm-generic/resource.h).
RLIMITS = (
    "CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS", "LOCKS", "SIGPENDING",
    "MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
)  # fmt: skip

# What is known but not obeyed, by the object that it is in.
IGNORED = {
    "process": (
        "apparmorProfile", "execCPUAffinity", "ioPriority", "oomScoreAdj", "scheduler", "selinuxLabel",
    ),
    "linux": (
        "devices", "gidMappings", "intelRdt", "memoryPolicy", "mountLabel", "netDevices", "personality",
        "seccomp", "sysctl", "timeOffsets", "uidMappings",
    ),
}  # fmt: skip

SETS = ("bounding", "effective", "inheritable", "permitted", "ambient")


def load(directory: str, overlay: str, log: RuntimeLog) -> Description:
    """The sandbox that a bundle describes.  Raises RuntimeFailure, which names the field that is wrong."""
    bundle = os.path.abspath(directory)
    document = spec.load(directory)
    linux = document.get("linux") or {}
    if any((document.get("hooks") or {}).values()):
        raise RuntimeFailure("config.json: hooks: not available in this version")
    limits = linux.get("resources") or {}
    for field in resources.unserved(limits):
        log.warning(f"config.json: linux.resources.{field}: ignored")
    for name, fields in IGNORED.items():
        present = document.get(name) or {}
        for field in fields:
            if present.get(field):
                log.warning(f"config.json: {name}.{field}: ignored")
    if document["process"].get("terminal") and not os.isatty(0):
        log.warning("config.json: process.terminal: ignored: standard input is not a terminal")

    root = os.path.join(bundle, document["root"]["path"])
    check_exists(root, "config.json: root.path", directory=True)
    description = Description(_process(document["process"]), root)
    description.bundle = bundle
    config = description.config
    config.root_readonly = bool(document["root"].get("readonly"))
    config.overlay = overlay
    config.resources = resources.convert(limits)
    for field in ("hostname", "domainname"):
        if document.get(field):
            setattr(config, field, os.fsencode(document[field]))
    for index, mount in enumerate(document.get("mounts") or []):
        _mount(description, bundle, mount, f"config.json: mounts[{index}]")
    config.masked_paths = _paths(linux, "maskedPaths")
    config.readonly_paths = _paths(linux, "readonlyPaths")
    config.root_propagation = _root_propagation(linux.get("rootfsPropagation") or "")
    return description


def _paths(linux: dict[str, Any], field: str) -> list[bytes]:
    paths = linux.get(field) or []
    for index, path in enumerate(paths):
        if not path.startswith("/") or "\0" in path:
            where = f"config.json: linux.{field}[{index}]"
            raise RuntimeFailure(f"{where}: expected an absolute path, got '{path}'")
    return _bytes(paths)


def _root_propagation(value: str) -> str:
    kind = value.removeprefix("r")
    if kind not in ("", "shared", "slave", "private", "unbindable"):
        raise RuntimeFailure(f"config.json: linux.rootfsPropagation: no such propagation: '{value}'")
    return kind


def _process(process: dict[str, Any]) -> Config:
    where = "config.json: process"
    if not process["args"]:
        raise RuntimeFailure(f"{where}.args: empty")
    if not process["args"][0]:
        raise RuntimeFailure(f"{where}.args[0]: empty")
    if not process["cwd"].startswith("/"):
        raise RuntimeFailure(f"{where}.cwd: expected an absolute path, got '{process['cwd']}'")
    strings = process["args"] + (process.get("env") or []) + [process["cwd"]]
    if any("\0" in text for text in strings):
        raise RuntimeFailure(f"{where}: a string contains a NUL character")
    config = Config(_bytes(process["args"]), _bytes(process.get("env") or []), os.fsencode(process["cwd"]))
    config.make_cwd = True  # as runc does
    user = process.get("user") or {}
    config.uid = user.get("uid") or 0
    config.gid = user.get("gid") or 0
    config.groups = user.get("additionalGids") or []
    if user.get("umask") is not None:
        config.umask = user["umask"] & 0o777
    config.no_new_privs = bool(process.get("noNewPrivileges"))
    config.capabilities = _capabilities(process.get("capabilities") or {}, f"{where}.capabilities")
    for index, limit in enumerate(process.get("rlimits") or []):
        config.rlimits.append(_rlimit(limit, f"{where}.rlimits[{index}]"))
    return config


def _capabilities(sets: dict[str, list[str]], where: str) -> tuple[int, int, int, int, int]:
    masks = []
    for name in SETS:
        try:
            masks.append(capabilities.mask(sets.get(name) or []))
        except KeyError as error:
            raise RuntimeFailure(f"{where}.{name}: no such capability: '{error.args[0]}'") from None
    bounding, effective, inheritable, permitted, ambient = masks
    return bounding, effective, inheritable, permitted, ambient


def _rlimit(limit: dict[str, Any], where: str) -> tuple[int, int, int]:
    name = limit["type"].removeprefix("RLIMIT_")
    if name not in RLIMITS or not limit["type"].startswith("RLIMIT_"):
        raise RuntimeFailure(f"{where}.type: no such resource limit: '{limit['type']}'")
    if limit["soft"] > limit["hard"]:
        raise RuntimeFailure(f"{where}: the soft limit exceeds the hard one")
    return RLIMITS.index(name), limit["soft"], limit["hard"]


def _mount(description: Description, bundle: str, mount: dict[str, Any], where: str) -> None:
    dest = mount["destination"]
    if not dest.startswith("/"):
        raise RuntimeFailure(f"{where}.destination: expected an absolute path, got '{dest}'")
    options = mount.get("options") or []
    kind = mount.get("type") or ("bind" if mount.get("source") else "")
    if kind == "bind" or "bind" in options or "rbind" in options:
        if not mount.get("source"):
            raise RuntimeFailure(f"{where}.source: missing")
        source = os.path.join(bundle, mount["source"])
        description.bind(dest, source, "ro" in options, f"{where}.source", options)
    elif kind not in FILE_SYSTEMS:
        raise RuntimeFailure(f"{where}.type: no such file system here: '{kind}'")
    elif kind == "tmpfs" and os.path.normpath(dest) == "/dev":  # with the default devices in it
        description.mount(dest, "devtmpfs", *options)
    else:
        description.mount(dest, FILE_SYSTEMS[kind], *options)


def _bytes(strings: list[str]) -> list[bytes]:
    return [os.fsencode(text) for text in strings]
