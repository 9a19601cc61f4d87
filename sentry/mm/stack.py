"""What a new program finds on its stack: arguments, environment, auxiliary vector (execve(2), getauxval(3)).

From the top: eight zero bytes, the file name as executed, the environment's strings, the arguments', the
platform's name, 16 random bytes; then, below, the auxiliary vector, the two tables of pointers, and argc,
where the stack pointer is.
"""

from __future__ import annotations

from errno import E2BIG
from os import urandom
from struct import pack

from sentry.abi.elf import (
    AT_CLKTCK,
    AT_EXECFN,
    AT_FLAGS,
    AT_HWCAP,
    AT_HWCAP2,
    AT_MINSIGSTKSZ,
    AT_NULL,
    AT_PAGESZ,
    AT_PLATFORM,
    AT_RANDOM,
)
from sentry.abi.mman import PAGE_SIZE
from sentry.errors import Errno

MAX_STRING = 32 * PAGE_SIZE  # one argument, NUL included (MAX_ARG_STRLEN)
_MIN_ARGUMENTS = 32 * PAGE_SIZE
_MAX_ARGUMENTS = 6 << 20
_CLOCK_TICKS = 100


def _read_host() -> dict[int, int]:
    # The CPU's capabilities are those of the machine below: ours are the guest's.
    try:
        with open("/proc/self/auxv", "rb") as file:
            words = file.read()
    except OSError:
        return {}
    values = memoryview(words).cast("Q").tolist()
    return dict(zip(values[::2], values[1::2], strict=True))


_host = _read_host()
_MACHINE = (
    (AT_HWCAP, _host.get(AT_HWCAP, 0)),
    (AT_PAGESZ, PAGE_SIZE),
    (AT_CLKTCK, _CLOCK_TICKS),
    (AT_FLAGS, 0),
    (AT_HWCAP2, _host.get(AT_HWCAP2, 0)),
    (AT_MINSIGSTKSZ, _host.get(AT_MINSIGSTKSZ, 2048)),
)


def arguments_limit(stack_limit: int) -> int:
    """How many bytes arguments and environment may have in all, pointers included."""
    return max(min(stack_limit // 4, _MAX_ARGUMENTS), _MIN_ARGUMENTS)


def check_arguments(argv: list[bytes], envp: list[bytes], name: bytes, stack_limit: int) -> None:
    """Errno(E2BIG) for what execve(2) ("Limits on size of arguments and environment") forbids."""
    if len(name) >= MAX_STRING:
        raise Errno(E2BIG)
    size = len(name) + 1 + 8 * (max(len(argv), 1) + len(envp))
    for strings in (argv, envp):
        for string in strings:
            if len(string) >= MAX_STRING:
                raise Errno(E2BIG)
            size += len(string) + 1
    if size > arguments_limit(stack_limit):
        raise Errno(E2BIG)


class InitialStack:
    """The bytes to put at [pointer, top), and where in them is what.

    Args:
        top: the stack's end, page-aligned.
        name: the file name as executed (AT_EXECFN).
        auxv: the entries that depend on the program; those of the machine are added.
        slack: bytes to leave free for randomisation.
    """

    __slots__ = ("arg_end", "arg_start", "auxv", "content", "env_end", "env_start", "pointer")

    def __init__(
        self,
        top: int,
        argv: list[bytes],
        envp: list[bytes],
        name: bytes,
        auxv: list[tuple[int, int]],
        slack: int = 0,
    ) -> None:
        strings = b"".join([b"\0".join([*argv, *envp, name]), b"\0", bytes(8)])
        at = self.arg_start = top - len(strings)
        pointers = [len(argv)]
        for string in argv:
            pointers.append(at)
            at += len(string) + 1
        pointers.append(0)
        self.arg_end = self.env_start = at
        for string in envp:
            pointers.append(at)
            at += len(string) + 1
        pointers.append(0)
        self.env_end = at
        platform = (self.arg_start - slack & -16) - 16
        random = platform - 16
        entries = [
            *auxv,
            *_MACHINE,
            (AT_RANDOM, random),
            (AT_EXECFN, at),
            (AT_PLATFORM, platform),
            (AT_NULL, 0),
        ]
        words = [word for entry in entries for word in entry]
        self.auxv = pack(f"<{len(words)}Q", *words)
        table = pack(f"<{len(pointers)}Q", *pointers) + self.auxv
        self.pointer = random - len(table) & -16
        padding = bytes(random - len(table) - self.pointer)
        head = b"".join([table, padding, urandom(16), b"x86_64".ljust(16, b"\0")])
        self.content = head + bytes(self.arg_start - platform - 16) + strings
