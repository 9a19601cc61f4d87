"""ELF headers and the first lines of scripts: every byte of them is hostile."""

from __future__ import annotations

import random
from errno import EIO, ENOEXEC

import pytest

from sentry.abi.elf import (
    PF_R,
    PF_W,
    PHDR,
    PT_GNU_STACK,
    PT_INTERP,
)
from sentry.abi.mman import PROT_EXEC, PROT_READ
from sentry.errors import Errno
from sentry.mm import script
from sentry.mm.layout import GUEST_END
from tests.unit.elf_images import TEXT, image, parse
from tests.unit.mm_doubles import errno_of

PAGE = 4096


# Headers


def test_segments_in_pages() -> None:
    parsed = parse(image())
    text, data = parsed.segments
    assert (text.start, text.length, text.offset, text.prot) == (0x400000, 0x2000, 0, PROT_READ | PROT_EXEC)
    assert (text.zero_count, text.anon_length) == (0, 0)
    assert (data.start, data.length, data.offset) == (0x402000, 0x2000, 0x1000)
    assert (data.zero_start, data.zero_count) == (0x403200, 0xE00)
    assert (data.anon_start, data.anon_length) == (0x404000, 0x2000)
    assert (parsed.low, parsed.high, parsed.end) == (0x400000, 0x406000, 0x405E00)
    assert parsed.phdr == 0x400040
    assert parsed.code == (0x400000, 0x401234)
    assert parsed.data == (0x402E00, 0x403200)


def test_a_short_bss_within_the_last_page() -> None:
    parsed = parse(image(((PF_R | PF_W, 0, 0x400000, 0x100, 0x200),)))
    segment = parsed.segments[0]
    assert (segment.zero_start, segment.zero_count, segment.anon_length) == (0x400100, 0xF00, 0)


def test_a_segment_without_file_bytes() -> None:
    parsed = parse(image((TEXT, (PF_R | PF_W, 0x123, 0x500010, 0, 0x2000))))
    segment = parsed.segments[1]
    assert (segment.length, segment.zero_count) == (0, 0)
    assert (segment.anon_start, segment.anon_length) == (0x500000, 0x3000)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x7fELF",
        b"hello world" * 20,
        image(bits=1),
        image(order=2),
        image(machine=40),
        image(kind=1),
        image(phentsize=32),
        image(phnum=0),
        image(phnum=65535),
        image(phoff=2**64 - 1),
        image(phoff=0x7FFFFFFF),
        image(entry=2**64 - 1),
        image(()),
        image(((PF_R, 0, 0x400000, 0x2000, 0x1000),)),
        image(((PF_R, 0, GUEST_END - PAGE, PAGE, 2 * PAGE),)),
        image(((PF_R, 0, 2**64 - PAGE, PAGE, PAGE),)),
        image(((PF_R, 0, 0x400000, 2**63, 2**64 - 1),)),
        image(((PF_R, 1, 0x400000, 0x1000, 0x1000),)),
        image(((PF_R, 2**63, 0x400000, 0x1000, 0x1000),)),
        image(((PF_R, 0, 0, 0x1000, 0x1000),)),
        image(interp=b"x"),
        image(interp=b"no end"),
        image(others=((PT_INTERP, PF_R, 2**63, 0, 0, 10, 10, 1),)),
        image(others=((PT_INTERP, PF_R, 0, 0, 0, 5000, 5000, 1),)),
    ],
)
def test_hostile_headers(content: bytes) -> None:
    assert errno_of(parse, content) == ENOEXEC


def test_an_interpreter_name_beyond_the_end_of_the_file() -> None:
    assert errno_of(parse, image(others=((PT_INTERP, PF_R, 0x10000, 0, 0, 10, 10, 1),))) == EIO


def test_headers_far_into_the_file_are_read() -> None:
    plain = image(phoff=0x2000)
    content = plain[:0x2000] + plain[64 : 64 + 2 * PHDR.size] + bytes(0x1000)
    assert [segment.start for segment in parse(content).segments] == [0x400000, 0x402000]


@pytest.mark.parametrize("seed", range(30))
def test_random_damage_is_refused_or_harmless(seed: int) -> None:
    rng = random.Random(seed)
    good = image(interp=b"/lib/ld.so\0", others=((PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 0, 16),))
    for _ in range(200):
        damaged = bytearray(good)
        for _ in range(rng.randrange(1, 6)):
            at = rng.randrange(4, 64 + 4 * PHDR.size)
            damaged[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        try:
            parsed = parse(bytes(damaged))
        except Errno:
            continue
        assert 0 <= parsed.low < parsed.high <= GUEST_END
        assert 0 <= parsed.entry <= GUEST_END
        assert parsed.alignment & (parsed.alignment - 1) == 0
        for segment in parsed.segments:
            assert parsed.low <= segment.start
            assert segment.start + segment.length <= parsed.high
            assert segment.anon_start + segment.anon_length <= parsed.high
            assert 0 <= segment.zero_count < PAGE


# Scripts


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"#!/bin/sh\n", (b"/bin/sh", None)),
        (b"#! \t/bin/sh \t \necho", (b"/bin/sh", None)),
        (b"#!/usr/bin/env  python3 -u \n", (b"/usr/bin/env", b"python3 -u")),
        (b"#!/bin/sh", (b"/bin/sh", None)),
        (b"#!/bin/sh " + b"x" * 300, (b"/bin/sh", b"x" * 244)),
    ],
)
def test_script_lines(head: bytes, expected: tuple[bytes, bytes | None]) -> None:
    name, argument = script.parse_line(head)
    assert name == expected[0]
    if argument is not None and len(argument) > 100:
        assert set(argument) == {ord("x")}
        assert len(head[:255]) - len(b"#!/bin/sh ") == len(argument)
    else:
        assert argument == expected[1]


@pytest.mark.parametrize(
    "head", [b"#!\n", b"#!  \t \n/bin/sh", b"#!" + b"x" * 300, b"#!\0/bin/sh\n", b"#! " + b" " * 300]
)
def test_bad_script_lines(head: bytes) -> None:
    assert errno_of(script.parse_line, head) == ENOEXEC
