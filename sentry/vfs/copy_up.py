"""Copies of files with all that they are: into a tmpfs that covers them (the option tmpcopyup of a bundle's
mounts), or from a lower layer of an overlay to the upper one.
"""

from __future__ import annotations

import os
from errno import EIO, ENOSPC

from sentry.abi.stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from sentry.errors import Errno
from sentry.vfs.host_call import host
from sentry.vfs.namei import child_of
from sentry.vfs.path import Path
from sentry.vfs.regular import RegularInode
from sentry.vfs.xattr import CAPABILITY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.vfs.inode import Inode

_PIECE = 1 << 20


def copy_tree(origin: Path, target: Inode, creds: Creds) -> None:
    """Copy what is in the directory `origin` to the empty directory `target` of a tmpfs; ENOSPC."""
    directories = [(origin, target)]
    while directories:
        here, copy = directories.pop()
        for name, _, _ in here.inode.entries():
            child = Path(here.mount, child_of(here, name))
            made = copy_file(child.inode, copy, name, creds)
            if made.is_dir():
                directories.append((child, made))
        copy_attributes(here.inode, copy)  # now that nothing changes its times any more


def copy_file(inode: Inode, directory: Inode, name: bytes, creds: Creds) -> Inode:
    """One file made anew in a directory; of a directory no more than that it is one."""
    kind = inode.mode & S_IFMT
    if kind == S_IFDIR:
        return directory.mkdir(name, 0o700, creds)
    if kind == S_IFLNK:
        made = directory.symlink(name, inode.readlink(), creds)
    elif kind == S_IFREG:
        made = directory.create(name, 0o600, creds)
        copy_bytes(inode, made)
    else:
        made = directory.mknod(name, inode.mode, inode.rdev, creds)
    copy_attributes(inode, made)
    return made


def copy_bytes(inode: Inode, made: Inode) -> None:
    assert isinstance(inode, RegularInode)
    assert isinstance(made, RegularInode)
    size, done = inode.size, 0
    if size and made.room(0, size) < size:
        raise Errno(ENOSPC)
    made.setattr(size=size)
    while done < size:
        moved = host(os.sendfile, made.contents(True), inode.contents(False), done, min(size - done, _PIECE))
        if not moved:
            raise Errno(EIO)
        done += moved
    made.changed()


def copy_attributes(inode: Inode, made: Inode) -> None:
    """Mode, owner, times and those extended attributes that mean the same elsewhere."""
    for name in inode.listxattr():
        if name.startswith(b"user.") or name == CAPABILITY:
            made.setxattr(name, inode.getxattr(name), 0)
    mode = inode.mode & 0o7777 if inode.mode & S_IFMT != S_IFLNK else None
    made.setattr(mode=mode, uid=inode.uid, gid=inode.gid, atime=inode.atime, mtime=inode.mtime)
