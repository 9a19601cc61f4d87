"""Where a directory of an overlay that was renamed has its lower part: its attribute `overlay.redirect`.

The value is the name that it had in the same directory, or, from a slash on, its path in the lower layers
(Linux, filesystems/overlayfs.rst, "Redirecting directories").
"""

from __future__ import annotations

from errno import EINVAL, ENODATA, EOPNOTSUPP, EPERM, EXDEV

from sentry.abi.fcntl import NAME_MAX
from sentry.errors import Errno
from sentry.fs.layered_options import REDIRECT_NOFOLLOW

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.fs.layers import LayeredFs, LayeredInode
    from sentry.vfs.inode import Inode

# Bytes of a path, as Linux' module parameter redirect_max has it: what is longer must be copied by whoever
# renames (EXDEV), and isn't read, since each directory on the way may have one, in each layer.
_MAX = 256


def _value(fs: LayeredFs, inode: Inode) -> bytes:
    """The attribute as it is; b"": there is none."""
    try:
        return inode.getxattr(fs.private + b"redirect")
    except Errno as error:
        if error.code in (ENODATA, EOPNOTSUPP):
            return b""
        raise


def redirect_of(fs: LayeredFs, inode: Inode) -> bytes:
    """Where the layers below a directory go on; b"": where they would anyway.

    Raises Errno: EINVAL (whoever made the layer wrote nonsense), EPERM (it is not to be followed).
    """
    value = _value(fs, inode)
    if not value:
        return b""
    if len(value) > _MAX:
        raise Errno(EINVAL)
    names = value[1:].split(b"/") if value[:1] == b"/" else [value]
    for name in names:
        if name in (b"", b".", b"..") or len(name) > NAME_MAX or b"/" in name or b"\0" in name:
            raise Errno(EINVAL)
    if fs.redirect == REDIRECT_NOFOLLOW:
        raise Errno(EPERM)
    return value


def set_redirect(inode: LayeredInode, same_directory: bool) -> None:
    """Note where the lower part of a directory is, which is in the upper layer and about to be renamed."""
    fs, real = inode.fs, inode.real.inode
    old = _value(fs, real)
    if old and (same_directory or old[:1] == b"/"):
        return
    value = inode.name if same_directory else _path(inode)
    if len(value) > _MAX:
        raise Errno(EXDEV)
    real.setxattr(fs.private + b"redirect", value, 0)


def _path(inode: LayeredInode) -> bytes:
    """Its place in the lower layers, as far as its directories and their redirects tell."""
    path = b""
    here: LayeredInode | None = inode
    while here is not None and here.parent is not None:
        name = (_value(here.fs, here.real.inode) if here.upper else b"") or here.name
        if name[:1] == b"/":
            return name + path
        path = b"/" + name + path
        here = here.parent
    return path
