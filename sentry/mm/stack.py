"""What a new program finds on its stack: arguments, environment, auxiliary vector (execve(2), getauxval(3)).

From the top: eight zero bytes, the file name as executed, the environment's strings, the arguments', the
platform's name, 16 random bytes; then, below, the auxiliary vector, the two tables of pointers, and argc,
where the stack pointer is.
"""

from __future__ import annotations

from errno import E2BIG
from itertools import accumulate
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
    AT_RSEQ_ALIGN,
    AT_RSEQ_FEATURE_SIZE,
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
# Patched call sites find their thread by %gs (platform/README.md): who wants %gs is to ask, by arch_prctl(2).
HWCAP2_FSGSBASE = 1 << 1
_MACHINE: tuple[int, ...] = (
    AT_HWCAP, _host.get(AT_HWCAP, 0),
    AT_PAGESZ, PAGE_SIZE,
    AT_CLKTCK, _CLOCK_TICKS,
    AT_FLAGS, 0,
    AT_HWCAP2, _host.get(AT_HWCAP2, 0) & ~HWCAP2_FSGSBASE,
    AT_MINSIGSTKSZ, _host.get(AT_MINSIGSTKSZ, 2048),
)  # fmt: skip
# The fields of struct rseq that we vouch for: up to mm_cid.  A host without it may not have these entries.
_RSEQ_SIZE, _RSEQ_ALIGN = 28, 32
if _host.get(AT_RSEQ_FEATURE_SIZE, 0) >= _RSEQ_SIZE:
    _MACHINE += AT_RSEQ_FEATURE_SIZE, _RSEQ_SIZE, AT_RSEQ_ALIGN, _RSEQ_ALIGN
_PLATFORM = b"x86_64".ljust(16, b"\0")


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
        auxv: keys and values in turn, those that depend on the program; the machine's are added.
        slack: bytes to leave free for randomisation.
    """

    __slots__ = ("arg_end", "arg_start", "auxv", "content", "env_end", "env_start", "pointer")

    def __init__(
        self,
        top: int,
        argv: list[bytes],
        envp: list[bytes],
        name: bytes,
        auxv: list[int],
        slack: int = 0,
    ) -> None:
        strings = b"\0".join([*argv, *envp, name, bytes(8)])
        start = self.arg_start = top - len(strings)
        # Where each string is; the last number is where the name is, behind them.
        places = list(accumulate([len(string) + 1 for string in (*argv, *envp)], initial=start))
        count = len(argv)
        self.arg_end = self.env_start = places[count]
        self.env_end = places[-1]
        platform = (start - slack & -16) - 16
        random = platform - 16
        self.auxv = _words(
            [
                *auxv,
                *_MACHINE,
                AT_RANDOM, random,
                AT_EXECFN, self.env_end,
                AT_PLATFORM, platform,
                AT_NULL, 0,
            ]
        )  # fmt: skip
        table = _words([count, *places[:count], 0, *places[count:-1], 0]) + self.auxv
        self.pointer = random - len(table) & -16
        padding = bytes(random - len(table) - self.pointer)
        self.content = b"".join(
            [table, padding, urandom(16), _PLATFORM, bytes(start - platform - 16), strings]
        )


def _words(numbers: list[int]) -> bytes:
    return pack(f"<{len(numbers)}Q", *numbers)
