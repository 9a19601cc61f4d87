"""The types of keys that programs may add (keyrings(7), "Key types")."""

from __future__ import annotations

from errno import EINVAL, EOPNOTSUPP

from sentry.abi.keys import BIG_FILE, BIG_PAYLOAD_MAX, PAYLOAD_MAX
from sentry.errors import Errno
from sentry.keys.key import Key, Keyring
from sentry.keys.process import Authority

# type: what its possessor may do with a new key, and its owner may view
TYPES = {b"user": 0x3F010000, b"logon": 0x3D010000, b"keyring": 0x3F010000, b"big_key": 0x3F010000}


def check_description(type: bytes, description: bytes) -> None:
    """EINVAL for one that a key of this type can't have."""
    if not description or (type == b"logon" and description.find(b":") < 1):
        raise Errno(EINVAL)


def check_payload(type: bytes, payload: bytes) -> None:
    """EINVAL for one that a key of this type can't have."""
    if type == b"keyring":
        fits = not payload
    else:
        fits = 0 < len(payload) <= (BIG_PAYLOAD_MAX if type == b"big_key" else PAYLOAD_MAX)
    if not fits:
        raise Errno(EINVAL)


def read(key: Key) -> bytes:
    """What KEYCTL_READ tells of a key; EOPNOTSUPP for types that tell nothing."""
    if isinstance(key, Keyring):
        return b"".join([other.serial.to_bytes(4, "little") for other in key.links.values()])
    if isinstance(key, Authority):
        return key.callout
    if key.type == b"logon":
        raise Errno(EOPNOTSUPP)
    return key.payload


def describe(key: Key) -> bytes:
    """A key's last column in /proc/keys."""
    if isinstance(key, Authority):
        if key.invalidated or key.revoked:
            return b"key:%b [gone]" % key.description
        return b"key:%b pid:%d ci:%d" % (key.description, key.pid, len(key.callout))
    if key.error or not key.instantiated:
        return key.description
    if isinstance(key, Keyring):
        return key.description + (b": %d" % len(key.links) if key.links else b": empty")
    text = key.description + b": %d" % len(key.payload)
    if key.type == b"big_key":
        text += b" [file]" if len(key.payload) > BIG_FILE else b" [buff]"
    return text
