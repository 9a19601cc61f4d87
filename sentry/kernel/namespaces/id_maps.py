"""What a user namespace's ids are in its parent: /proc/PID/uid_map and its siblings (user_namespaces(7))."""

from __future__ import annotations

from errno import EINVAL, EPERM
from itertools import pairwise

from sentry.abi.capability import CAP_SETFCAP, CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.kernel.namespaces.user_namespace import Section, UserNamespace

UID, GID, PROJID = b"uid", b"gid", b"projid"
SECTIONS_MAX = 340
_NO_ID = 0xFFFFFFFF
_CAPABILITY = {UID: CAP_SETUID, GID: CAP_SETGID}


def show(ns: UserNamespace, kind: bytes, reader: UserNamespace) -> bytes:
    """The text of the map, with outer ids as the reader's namespace has them (its parent, if it is `ns`)."""
    lower = reader.parent if reader is ns and reader.parent is not None else reader
    inner = lower.gid if kind == GID else lower.uid
    lines = []
    for first, outer, count in _sections(ns, kind):
        seen = outer if kind == PROJID else inner(outer) & _NO_ID
        lines.append(b"%10d %10d %10d\n" % (first, seen, count))
    return b"".join(lines)


def write(ns: UserNamespace, kind: bytes, data: bytes, opener: Creds, writer: Creds) -> None:
    """Write the map, once: EINVAL for a text that is none, EPERM for one that may not be.

    Args:
        opener: the credentials that the file was opened with.
        writer: those of the task that writes.
    """
    parent = ns.parent
    if parent is None or opener.user_ns not in (ns, parent) or _sections(ns, kind):
        raise Errno(EPERM)
    if kind != PROJID and not opener.has_cap(CAP_SYS_ADMIN, ns):
        raise Errno(EPERM)
    sections = _parse(data)
    if not _permitted(ns, kind, sections, opener, writer):
        raise Errno(EPERM)
    if kind == PROJID:
        ns.projid_map = sections
        return
    known = [_outermost(parent, kind, section) for section in sections]
    if kind == UID:
        ns.uid_map = known
        ns.set_uids(known)
    else:
        ns.gid_map = known
        ns.set_gids(known)


def show_setgroups(ns: UserNamespace) -> bytes:
    return b"allow\n" if ns.setgroups_allowed else b"deny\n"


def write_setgroups(ns: UserNamespace, data: bytes) -> None:
    """Deny setgroups(2), before there is a gid_map; EINVAL, EPERM."""
    word = data.rstrip(b" \t\n\v\f\r\0")
    if len(data) > 8 or word not in (b"allow", b"deny"):
        raise Errno(EINVAL)
    if word == b"allow":
        if not ns.setgroups_allowed:
            raise Errno(EPERM)
    elif ns.gid_map:
        raise Errno(EPERM)
    else:
        ns.setgroups_allowed = False


def _sections(ns: UserNamespace, kind: bytes) -> list[Section]:
    found = ns.uid_map if kind == UID else ns.gid_map if kind == GID else ns.projid_map
    return found or []


def _parse(data: bytes) -> list[Section]:
    lines = data.removesuffix(b"\0").split(b"\n")
    if lines and not lines[-1].strip():
        lines.pop()
    if not 0 < len(lines) <= SECTIONS_MAX:
        raise Errno(EINVAL)
    sections = []
    for line in lines:
        words = line.split()
        if len(words) != 3 or not all(word.isdigit() and len(word) <= 20 for word in words):
            raise Errno(EINVAL)
        first, outer, count = (int(word) & _NO_ID for word in words)
        if not count or first + count > _NO_ID or outer + count > _NO_ID:
            raise Errno(EINVAL)
        sections.append((first, outer, count))
    for side in (0, 1):
        ordered = sorted(sections, key=lambda section: section[side])
        for one, other in pairwise(ordered):
            if one[side] + one[2] > other[side]:
                raise Errno(EINVAL)
    return sections


def _permitted(ns: UserNamespace, kind: bytes, sections: list[Section], opener: Creds, writer: Creds) -> bool:
    """user_namespaces(7), "Defining user and group ID mappings: writing to uid_map and gid_map"."""
    parent = ns.parent
    assert parent is not None
    if kind == PROJID:
        return True
    if kind == UID and any(outer == 0 for _, outer, _ in sections):
        # Root's files may carry capabilities: whoever maps root must be able to give them.
        if opener.user_ns is ns:
            if not ns.parent_could_setfcap:
                return False
        elif not opener.has_cap(CAP_SETFCAP, parent):
            return False
    if len(sections) == 1 and sections[0][2] == 1 and ns.uid_of_owner == opener.euid:
        outer = sections[0][1]
        if kind == UID and parent.kuid(outer) == opener.euid:
            return True
        if kind == GID and not ns.setgroups_allowed and parent.kgid(outer) == opener.egid:
            return True
    capability = _CAPABILITY[kind]
    return writer.has_cap(capability, parent) and opener.has_cap(capability, parent)


def _outermost(parent: UserNamespace, kind: bytes, section: Section) -> Section:
    """The section with ids of the initial namespace; EPERM unless the parent has it in one piece."""
    first, outer, count = section
    translate = parent.kuid if kind == UID else parent.kgid
    start, end = translate(outer), translate(outer + count - 1)
    if start < 0 or end - start != count - 1 or not _in_one(parent, kind, outer, count):
        raise Errno(EPERM)
    return first, start, count


def _in_one(parent: UserNamespace, kind: bytes, first: int, count: int) -> bool:
    return any(
        inner <= first and first + count <= inner + length for inner, _, length in _sections(parent, kind)
    )
