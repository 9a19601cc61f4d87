"""What an overlay is asked for in its options, and what it shows of them (Linux, filesystems/overlayfs.rst).

Linux falls back to less where the file systems of the layers can't do what is asked: here that is so for
`index`, `nfs_export` and `metacopy`, whose files would have to be found again by handles, or filled in later.
All files lie in one file system's numbers, as with Linux' overlay on a single one: `xino` has nothing to do.
"""

from __future__ import annotations

from errno import EINVAL, EPERM

from sentry.abi.capability import CAP_SYS_ADMIN
from sentry.errors import Errno
from sentry.vfs.mounts.options import any_text, flag, parse, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds

_ON_OFF = word("on", "off")
PARAMETERS = {
    "default_permissions": flag,
    "fsync": word("auto", "strict", "volatile"),
    "index": _ON_OFF,
    "lowerdir": any_text,
    "metacopy": _ON_OFF,
    "nfs_export": _ON_OFF,
    "override_creds": flag,
    "redirect_dir": word("on", "off", "follow", "nofollow"),
    "upperdir": any_text,
    "userxattr": flag,
    "uuid": word("auto", "on", "null", "off"),
    "verity": word("on", "off", "require"),
    "volatile": flag,
    "workdir": any_text,
    "xino": word("on", "off", "auto"),
}
REDIRECT_ON, REDIRECT_FOLLOW, REDIRECT_NOFOLLOW = "on", "follow", "nofollow"


class LayeredOptions:
    """The options of one overlay; EINVAL: unknown or contradictory ones, EPERM: they need privilege."""

    def __init__(self, options: list[str], creds: Creds) -> None:
        values = parse(options, PARAMETERS)
        self.values = values
        self.has_upper = "upperdir" in values
        self.private = b"user.overlay." if "userxattr" in values else b"trusted.overlay."
        self.verity = str(values.get("verity", "off"))
        self.redirect = self._redirect(creds)
        self.fsync = self._fsync(options)
        self.uuid = str(values.get("uuid", "auto"))
        if not self.has_upper and self.uuid != "auto":
            self.uuid = "null"
        without = values.get("index") == "off" or values.get("metacopy") == "on"
        if self.has_upper and values.get("nfs_export") == "on" and without:
            raise Errno(EINVAL)

    def _redirect(self, creds: Creds) -> str:
        values = self.values
        metacopy = values.get("metacopy") == "on"
        asked = values.get("redirect_dir")
        if "userxattr" in values:
            if asked not in (None, REDIRECT_NOFOLLOW) or metacopy:
                raise Errno(EINVAL)
            return REDIRECT_NOFOLLOW
        if not creds.has_cap(CAP_SYS_ADMIN):  # such attributes are not for everybody to follow
            if asked is not None or metacopy or self.verity != "off":
                raise Errno(EPERM)
            return REDIRECT_NOFOLLOW
        mode = REDIRECT_FOLLOW if asked in (None, "off") else str(asked)
        if mode == REDIRECT_FOLLOW and not self.has_upper:
            mode = REDIRECT_ON
        if metacopy and mode != REDIRECT_ON:
            if asked is not None:
                raise Errno(EINVAL)
            mode = REDIRECT_ON
        return mode

    def _fsync(self, options: list[str]) -> str:
        """The last of the two spellings counts; without an upper layer nothing is volatile."""
        mode = "auto"
        for option in options:
            if option == "volatile":
                mode = "volatile"
            elif option.startswith("fsync="):
                mode = option[6:]
        return "auto" if mode == "volatile" and not self.has_upper else mode

    def shown(self) -> bytes:
        """For /proc/mounts: what differs from how it is by itself."""
        values = self.values
        text = ""
        for name in ("lowerdir", "upperdir", "workdir") if self.has_upper else ("lowerdir",):
            text += f",{name}={values[name]}"
        if "default_permissions" in values:
            text += ",default_permissions"
        if self.redirect != REDIRECT_FOLLOW:
            text += f",redirect_dir={self.redirect}"
        if self.uuid != "auto":
            text += f",uuid={self.uuid}"
        if self.fsync != "auto":
            text += f",fsync={self.fsync}"
        if "userxattr" in values:
            text += ",userxattr"
        if self.verity != "off":
            text += f",verity={self.verity}"
        return text.encode("latin-1")
