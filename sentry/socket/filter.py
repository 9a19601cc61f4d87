"""Socket filters: classic BPF programs over what a socket is sent (SO_ATTACH_FILTER, socket(7)).

A program is checked when it is attached: it has no loops and ends in a return, so that running it takes at
most as many steps as it has instructions.
"""

from __future__ import annotations

import errno
from struct import Struct

from sentry.abi.seccomp import BPF_MAXINSNS, SOCK_FILTER_SIZE, SOCK_FPROG
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

    Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, k

_INSTRUCTION = Struct("<HBBI")
_MASK = 0xFFFFFFFF
_MEMORY = 16  # words
_ANCILLARY = 0xFFFFF000  # SKF_AD_OFF: from here on, facts about the packet, which a message has none of

# Classes, and the fields beside them
_LD, _LDX, _ST, _STX, _ALU, _JMP, _RET, _MISC = range(8)
_ABS, _IND, _MEM, _LEN, _MSH, _IMM = 0x20, 0x40, 0x60, 0x80, 0xA0, 0x00
_SIZES = {0x00: 4, 0x08: 2, 0x10: 1}
_FROM_X = 0x08
_ADD, _SUB, _MUL, _DIV, _OR, _AND, _LSH, _RSH, _NEG, _MOD, _XOR = range(0, 0xB0, 0x10)
_JA, _JEQ, _JGT, _JGE, _JSET = 0x00, 0x10, 0x20, 0x30, 0x40
_TAX, _TXA = 0x07, 0x87
_LOADS = frozenset(
    [_LD | mode | size for mode in (_ABS, _IND) for size in _SIZES]
    + [_LD | _IMM, _LD | _MEM, _LD | _LEN, _LDX | _IMM, _LDX | _MEM, _LDX | _LEN, _LDX | _MSH | 0x10]
)
_OTHERS = frozenset(
    [_ST, _STX, _RET, _RET | 0x10, _TAX, _TXA, _ALU | _NEG, _JMP | _JA]
    + [_ALU | op | source for op in range(0, 0xB0, 0x10) if op != _NEG for source in (0, _FROM_X)]
    + [_JMP | op | source for op in (_JEQ, _JGT, _JGE, _JSET) for source in (0, _FROM_X)]
)


class Filter:
    """A program that was found good."""

    __slots__ = ("code", "instructions")

    def __init__(self, code: bytes) -> None:
        """Raises Errno(EINVAL)."""
        self.code = code
        self.instructions: list[Instruction] = list(_INSTRUCTION.iter_unpack(code))
        _check(self.instructions)

    def __len__(self) -> int:
        return len(self.instructions)

    def run(self, data: bytes | memoryview) -> int:
        """How many bytes of the message are kept; 0: it is lost."""
        program = self.instructions
        memory = [0] * _MEMORY
        a = x = at = 0
        while True:
            code, if_true, if_false, k = program[at]
            at += 1
            kind = code & 7
            if kind == _RET:
                return a if code & 0x18 == 0x10 else k
            if kind in (_LD, _LDX):
                value = _load(code, k, x, memory, data)
                if value is None:
                    return 0
                if kind == _LD:
                    a = value
                else:
                    x = value
            elif kind in (_ST, _STX):
                memory[k] = a if kind == _ST else x
            elif kind == _ALU:
                operand = x if code & _FROM_X else k
                if code & 0xF0 in (_DIV, _MOD) and not operand:
                    return 0
                a = _compute(code & 0xF0, a, operand)
            elif kind == _JMP:
                if code & 0xF0 == _JA:
                    at += k
                else:
                    at += if_true if _holds(code & 0xF0, a, x if code & _FROM_X else k) else if_false
            elif code == _TAX:
                x = a
            else:
                a = x


def read_filter(task: Task, value: bytes) -> Filter:
    """The program that the value of SO_ATTACH_FILTER, a struct sock_fprog, describes: EFAULT, EINVAL."""
    if len(value) != SOCK_FPROG.size:
        raise Errno(errno.EINVAL)
    length, code = SOCK_FPROG.unpack(value)
    if not 0 < length <= BPF_MAXINSNS:
        raise Errno(errno.EINVAL)
    return Filter(task.copy_in(code, length * SOCK_FILTER_SIZE))


def _check(program: list[Instruction]) -> None:
    """Raises Errno(EINVAL) for a program that does not end, or does what can't be done."""
    for at, (code, if_true, if_false, k) in enumerate(program):
        left = len(program) - at - 1
        operation = code & 0xF0
        good = code in _LOADS or code in _OTHERS
        if code in (_ST, _STX, _LD | _MEM, _LDX | _MEM):
            good = k < _MEMORY
        elif good and code & 7 == _ALU and not code & _FROM_X:
            good = not (operation in (_DIV, _MOD) and k == 0) and not (operation in (_LSH, _RSH) and k >= 32)
        elif good and code & 7 == _JMP:
            good = k < left if operation == _JA else max(if_true, if_false) < left
        if not good:
            raise Errno(errno.EINVAL)
    if program[-1][0] & 7 != _RET:
        raise Errno(errno.EINVAL)
    _check_memory(program)


def _check_memory(program: list[Instruction]) -> None:
    """Raises Errno(EINVAL) where a word of memory is loaded that was not stored on every way to there."""
    known: list[int | None] = [None] * len(
        program
    )  # words that are stored, by the jumps that lead to a place
    stored: int | None = 0  # None: no way leads from the instruction before
    for at, (code, if_true, if_false, k) in enumerate(program):
        before = known[at]
        if before is not None:
            stored = before if stored is None else stored & before
        stored = 0xFFFF if stored is None else stored
        if code in (_ST, _STX):
            stored |= 1 << k
        elif code in (_LD | _MEM, _LDX | _MEM) and not stored >> k & 1:
            raise Errno(errno.EINVAL)
        elif code & 7 == _JMP:
            offsets = (k,) if code & 0xF0 == _JA else (if_true, if_false)
            for offset in offsets:
                old = known[at + 1 + offset]
                known[at + 1 + offset] = stored if old is None else old & stored
            stored = None
        elif code & 7 == _RET:
            stored = None


def _load(code: int, k: int, x: int, memory: list[int], data: bytes | memoryview) -> int | None:
    """What a load gives; None: beyond the message, which ends the program."""
    mode = code & 0xE0
    if mode == _IMM:
        return k
    if mode == _MEM:
        return memory[k]
    if mode == _LEN:
        return len(data)
    if mode == _MSH:
        return (data[k] & 0xF) * 4 if k < len(data) else None
    at = k if mode == _ABS else k + x & _MASK
    size = _SIZES[code & 0x18]
    if at >= _ANCILLARY or at + size > len(data):
        return None
    return int.from_bytes(data[at : at + size], "big")


def _compute(operation: int, a: int, operand: int) -> int:
    if operation == _ADD:
        a += operand
    elif operation == _SUB:
        a -= operand
    elif operation == _MUL:
        a *= operand
    elif operation == _DIV:
        a //= operand
    elif operation == _MOD:
        a %= operand
    elif operation == _OR:
        a |= operand
    elif operation == _AND:
        a &= operand
    elif operation == _XOR:
        a ^= operand
    elif operation == _LSH:
        a <<= operand & 31
    elif operation == _RSH:
        a >>= operand & 31
    else:
        a = -a
    return a & _MASK


def _holds(operation: int, a: int, operand: int) -> bool:
    if operation == _JEQ:
        return a == operand
    if operation == _JGT:
        return a > operand
    if operation == _JGE:
        return a >= operand
    return bool(a & operand)
