"""--strace: arguments whose values have names (O_RDONLY, MAP_PRIVATE, SIGTERM), by call and parameter.

The names are those of sentry.abi; parameters are called as in python-ptrace's prototypes.
"""

from __future__ import annotations

from sentry.abi import (
    clone,
    fcntl,
    futex,
    ioctl,
    mman,
    poll,
    prctl,
    resource,
    signal,
    socket,
    time,
    wait,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    Words = Callable[[int], str]

LOW = 0xFFFFFFFF  # an int argument counts in its low half only


def _names(module: ModuleType, *prefixes: str, without: tuple[str, ...] = ()) -> dict[int, str]:
    """The constants of an abi module by value; of two names for one value the first counts."""
    names: dict[int, str] = {}
    for name, value in vars(module).items():
        if type(value) is int and name.startswith(prefixes) and name not in without:
            names.setdefault(value, name)
    return names


def one_of(names: dict[int, str]) -> Words:
    """The word of a value that is one of several."""
    return lambda value: names.get(value & LOW) or hex(value & LOW)


def any_of(names: dict[int, str], zero: str = "0") -> Words:
    """The words of a value whose bits have names; what is left over in hex."""
    bits = sorted((value for value in names if value), key=lambda value: (-value.bit_count(), value))

    def words(value: int) -> str:
        found = []
        for bit in bits:
            if value & bit == bit:
                found.append(names[bit])
                value &= ~bit
        if value:
            found.append(hex(value))
        return "|".join(found) or zero

    return words


def _with_low(names: dict[int, str], low: int, rest: Words) -> Words:
    """One of some words in the low bits, flags above them."""

    def words(value: int) -> str:
        word = names.get(value & low, hex(value & low))
        return word + (f"|{rest(value & ~low)}" if value & ~low & LOW else "")

    return words


def _clone_flags(value: int) -> str:
    text = _CLONE(value & ~clone.CSIGNAL) if value & ~clone.CSIGNAL else ""
    number = value & clone.CSIGNAL
    return "|".join(part for part in (text, SIGNAL(number) if number else "") if part) or "0"


def octal(value: int) -> str:
    return f"0{value & LOW:o}" if value & LOW else "0"


_ACCESS_MODES = {fcntl.O_RDONLY: "O_RDONLY", fcntl.O_WRONLY: "O_WRONLY", fcntl.O_RDWR: "O_RDWR"}
_OPEN_BITS = _names(
    fcntl, "O_", without=(*_ACCESS_MODES.values(), "O_ACCMODE", "O_KNOWN", "O_FORGOTTEN", "O_SETTABLE")
)
OPEN = _with_low(_ACCESS_MODES, fcntl.O_ACCMODE, any_of(_OPEN_BITS))
_CREATION = any_of({fcntl.O_CLOEXEC: "CLOEXEC", fcntl.O_NONBLOCK: "NONBLOCK"})
_PATH_FLAGS = {
    fcntl.AT_SYMLINK_NOFOLLOW: "AT_SYMLINK_NOFOLLOW", fcntl.AT_SYMLINK_FOLLOW: "AT_SYMLINK_FOLLOW",
    fcntl.AT_NO_AUTOMOUNT: "AT_NO_AUTOMOUNT", fcntl.AT_EMPTY_PATH: "AT_EMPTY_PATH",
}  # fmt: skip
_AT = any_of(_PATH_FLAGS)
_PROT = any_of(_names(mman, "PROT_"), "PROT_NONE")
_MAP = any_of(_names(mman, "MAP_", without=("MAP_TYPE", "MAP_SHARED_VALIDATE", "MAP_VALIDATED")))
_CLONE = any_of(_names(clone, "CLONE_", without=("CLONE_ARGS_SIZE_VER0",)))
_FUTEX_OPS = {value: name for value, name in _names(futex, "FUTEX_").items() if value <= futex.FUTEX_LOCK_PI2}
_FUTEX = _with_low(_FUTEX_OPS, 0x7F, any_of({128: "FUTEX_PRIVATE_FLAG", 256: "FUTEX_CLOCK_REALTIME"}))
SIGNAL = one_of({v: n for v, n in _names(signal, "SIG").items() if 0 < v < 32 and "_" not in n})
_SOCKET_TYPE = _with_low(
    _names(socket, "SOCK_", without=("SOCK_MAX", "SOCK_TYPE_MASK", "SOCK_NONBLOCK", "SOCK_CLOEXEC")),
    socket.SOCK_TYPE_MASK,
    any_of(_names(socket, "SOCK_NONBLOCK", "SOCK_CLOEXEC")),
)
_FAMILY = one_of(_names(socket, "AF_"))
_MSG = any_of(_names(socket, "MSG_"))
_CLOCK = one_of(_names(time, "CLOCK_"))
_WAIT = any_of(_names(wait, "W", without=("WSTOPPED",)))
_HOW = one_of({0: "SIG_BLOCK", 1: "SIG_UNBLOCK", 2: "SIG_SETMASK"})
_RESOURCE = one_of(_names(resource, "RLIMIT_", without=("RLIMIT",)))
_REMOVE = any_of({fcntl.AT_REMOVEDIR: "AT_REMOVEDIR"})
_RENAME = any_of(_names(fcntl, "RENAME_"))
_ACCESS = any_of({4: "R_OK", 2: "W_OK", 1: "X_OK"}, "F_OK")
_WHENCE = one_of(_names(fcntl, "SEEK_"))
_FCNTL = one_of(_names(fcntl, "F_", without=("F_SEAL_SEAL", "F_SEAL_SHRINK", "F_SEAL_GROW", "F_SEAL_WRITE")))
_TIMER = any_of({1: "TIMER_ABSTIME"})

# (call, parameter): its words.  A parameter of every call has "" for the call.
WORDS: dict[tuple[str, str], Words] = {
    ("", "sig"): SIGNAL, ("", "signum"): SIGNAL, ("", "which_clock"): _CLOCK, ("", "clockid"): _CLOCK,
    ("", "whence"): _WHENCE, ("open", "flags"): OPEN, ("openat", "flags"): OPEN,
    ("mmap", "prot"): _PROT, ("mprotect", "prot"): _PROT, ("mmap", "flags"): _MAP,
    ("mremap", "flags"): any_of(_names(mman, "MREMAP_")), ("msync", "flags"): any_of(_names(mman, "MS_")),
    ("madvise", "behavior"): one_of(_names(mman, "MADV_")), ("clone", "flags"): _clone_flags,
    ("unshare", "unshare_flags"): _clone_flags, ("futex", "op"): _FUTEX, ("fcntl", "cmd"): _FCNTL,
    ("ioctl", "cmd"): one_of(_names(ioctl, "T", "F")), ("socket", "domain"): _FAMILY,
    ("socketpair", "domain"): _FAMILY, ("socket", "type"): _SOCKET_TYPE, ("socketpair", "type"): _SOCKET_TYPE,
    ("accept4", "flags"): any_of(_names(socket, "SOCK_NONBLOCK", "SOCK_CLOEXEC")),
    ("sendto", "flags"): _MSG, ("recvfrom", "flags"): _MSG, ("sendmsg", "flags"): _MSG,
    ("recvmsg", "flags"): _MSG, ("shutdown", "how"): one_of(_names(socket, "SHUT_")),
    ("setsockopt", "level"): one_of({1: "SOL_SOCKET"}), ("getsockopt", "level"): one_of({1: "SOL_SOCKET"}),
    ("wait4", "options"): _WAIT, ("waitid", "options"): _WAIT,
    ("waitid", "which"): one_of(_names(wait, "P_")), ("rt_sigprocmask", "how"): _HOW,
    ("epoll_ctl", "op"): one_of(_names(poll, "EPOLL_CTL_")),
    ("prctl", "option"): one_of(_names(prctl, "PR_SET", "PR_GET", "PR_CAP")),
    ("arch_prctl", "code"): one_of(_names(prctl, "ARCH_")), ("prlimit64", "resource"): _RESOURCE,
    ("getrlimit", "resource"): _RESOURCE, ("setrlimit", "resource"): _RESOURCE,
    ("access", "mode"): _ACCESS, ("faccessat", "mode"): _ACCESS, ("faccessat2", "mode"): _ACCESS,
    ("newfstatat", "flag"): _AT, ("statx", "flags"): _AT, ("utimensat", "flags"): _AT,
    ("linkat", "flags"): _AT, ("execveat", "flags"): _AT, ("fchownat", "flag"): _AT,
    ("fchmodat2", "flags"): _AT,
    ("faccessat2", "flags"): any_of(_PATH_FLAGS | {fcntl.AT_EACCESS: "AT_EACCESS"}),
    ("unlinkat", "flag"): _REMOVE, ("renameat2", "flags"): _RENAME,
    ("pipe2", "flags"): any_of(_OPEN_BITS), ("dup3", "flags"): any_of(_OPEN_BITS),
    ("eventfd2", "flags"): _CREATION, ("epoll_create1", "flags"): _CREATION,
    ("timerfd_create", "flags"): _CREATION, ("signalfd4", "flags"): _CREATION,
    ("memfd_create", "flags"): any_of({1: "MFD_CLOEXEC", 2: "MFD_ALLOW_SEALING"}),
    ("clock_nanosleep", "flags"): _TIMER, ("timerfd_settime", "flags"): _TIMER,
    ("getrandom", "flags"): any_of({1: "GRND_NONBLOCK", 2: "GRND_RANDOM"}),
    ("close_range", "flags"): any_of(_names(fcntl, "CLOSE_RANGE_")), ("umask", "mask"): octal,
}  # fmt: skip

# Calls newer than python-ptrace's prototypes, and those whose arguments depend on the architecture.
PROTOTYPES: dict[str, tuple[tuple[str, str], ...]] = {
    "rt_sigreturn": (),
    "arch_prctl": (("int", "code"), ("unsigned long", "addr")),
    "umount2": (("const char *", "name"), ("int", "flags")),
    "rseq": (("void *", "rseq"), ("unsigned int", "len"), ("int", "flags"), ("unsigned int", "sig_")),
    "clone3": (("void *", "args"), ("size_t", "size")),
    "close_range": (("unsigned int", "first"), ("unsigned int", "last"), ("unsigned int", "flags")),
    "openat2": (("int", "dirfd"), ("const char *", "filename"), ("void *", "how"), ("size_t", "size")),
    "faccessat2": (("int", "dfd"), ("const char *", "filename"), ("int", "mode"), ("int", "flags")),
    "fchmodat2": (("int", "dfd"), ("const char *", "filename"), ("umode_t", "mode"), ("int", "flags")),
    "pidfd_open": (("pid_t", "pid"), ("unsigned int", "flags")),
    "pidfd_send_signal": (("int", "pidfd"), ("int", "sig"), ("void *", "info"), ("unsigned int", "flags")),
}
