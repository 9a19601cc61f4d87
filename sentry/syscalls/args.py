"""How a handler's annotations become decoded arguments.

A handler says what it wants - `def lseek(task: Task, file: File, offset: Long, whence: Int)` - and
`decoder` builds, once, a function that takes the six raw registers.  To the type checker the markers are
plain ints and objects; at run time they select a conversion.

    Int    signed 32 bits          UInt   unsigned 32 bits
    Long   signed 64 bits          Ptr    an address, 64 bits       Size   unsigned 64 bits
    Fd     a descriptor number     File   the open file description behind one (EBADF)
    Path   a path copied in (EFAULT, ENAMETOOLONG), bytes without the NUL
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sentry.kernel.task import Task
    from sentry.vfs.file import File as File

    Int = int
    UInt = int
    Long = int
    Ptr = int
    Size = int
    Fd = int
    Path = bytes
    Handler = Callable[..., Any]
    Call = Callable[[Task, int, int, int, int, int, int], Any]
else:

    class Int: ...

    class UInt: ...

    class Long: ...

    class Ptr: ...

    class Size: ...

    class Fd: ...

    class Path: ...

    class File: ...


PATH_MAX = 4096

_CONVERSIONS = {
    Int: "(({r} & 0xffffffff) ^ 0x80000000) - 0x80000000",
    UInt: "{r} & 0xffffffff",
    Long: "({r} ^ 0x8000000000000000) - 0x8000000000000000",
    Ptr: "{r}",
    Size: "{r}",
    Fd: "(({r} & 0xffffffff) ^ 0x80000000) - 0x80000000",
    File: "t.files.get((({r} & 0xffffffff) ^ 0x80000000) - 0x80000000)",
    Path: "t.copy_in_str({r}, 4096)",
}


def decoder(handler: "Handler") -> "Call":
    """A function (task, a, b, c, d, e, f) that decodes what `handler`'s annotations ask for and calls it."""
    wanted = [kind for name, kind in handler.__annotations__.items() if name not in ("task", "return")]
    arguments = ["t"]
    for register, kind in zip("abcdef", wanted, strict=False):
        arguments.append(_CONVERSIONS[kind].format(r=register))
    source = f"lambda t, a, b, c, d, e, f: h({', '.join(arguments)})"
    call: Call = eval(source, {"h": handler})  # the text is made of the constants above alone
    return call
