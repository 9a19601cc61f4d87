"""The line discipline as termios(3) describes it."""

from __future__ import annotations

import pytest

from sentry.abi.signal import SIGINT, SIGQUIT, SIGTSTP
from sentry.abi.termios import (
    DEFAULT_CC,
    ECHO,
    ECHOCTL,
    ECHOE,
    ECHOK,
    ECHOKE,
    ECHONL,
    ECHOPRT,
    ICANON,
    ICRNL,
    IEXTEN,
    IGNCR,
    INLCR,
    ISIG,
    ISTRIP,
    IUTF8,
    IXANY,
    IXON,
    NOFLSH,
    OCRNL,
    OLCUC,
    ONLCR,
    ONLRET,
    ONOCR,
    OPOST,
    PARMRK,
    VEOL,
    VMIN,
    VTIME,
    XTABS,
    Termios,
    unpack,
)
from sentry.tty.echo import Echo
from sentry.tty.line import INPUT_MAX, LineDiscipline

DEFAULT_LOCAL = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN


def cc_with(**changes: int) -> bytes:
    cc = bytearray(DEFAULT_CC)
    for name, value in changes.items():
        cc[{"VEOL": VEOL, "VMIN": VMIN, "VTIME": VTIME}[name]] = value
    return bytes(cc)


def discipline(
    lflag: int = DEFAULT_LOCAL,
    iflag: int = ICRNL | IXON,
    oflag: int = OPOST | ONLCR,
    cc: bytes = DEFAULT_CC,
) -> LineDiscipline:
    return LineDiscipline(Termios(iflag, oflag, lflag=lflag, cc=cc))


def echoed(line: LineDiscipline) -> bytes:
    data = bytes(line.echo)
    line.echo.clear()
    return data


def test_canonical_input_is_available_line_by_line() -> None:
    line = discipline()
    line.receive(b"one\ntw")
    assert line.available()
    assert line.readable() == 4
    line.receive(b"o\n")
    assert line.take(100) == b"one\n"
    assert line.take(2) == b"tw"
    assert line.take(100) == b"o\n"
    assert not line.available()


def test_eof_char_ends_a_line_without_a_delimiter() -> None:
    line = discipline()
    line.receive(b"abc\x04\x04")
    assert line.take(3) == b"abc"  # the end of file mark goes with it
    assert line.available()
    assert line.take(10) == b""
    assert not line.available()


def test_icrnl_maps_return_to_newline_and_echo_is_cr_nl() -> None:
    line = discipline()
    line.receive(b"x\r")
    assert line.take(9) == b"x\n"
    assert echoed(line) == b"x\r\n"


@pytest.mark.parametrize(
    ("iflag", "typed", "got"),
    [
        (0, b"a\rb\n", b"a\rb\n"),
        (IGNCR, b"a\rb\n", b"ab\n"),
        (IGNCR | ICRNL, b"a\rb\n", b"ab\n"),
        (ISTRIP, b"\xe1\n", b"a\n"),
        (PARMRK, b"\xff\n", b"\xff\xff\n"),
    ],
)
def test_input_flags(iflag: int, typed: bytes, got: bytes) -> None:
    line = discipline(iflag=iflag)
    line.receive(typed)
    assert line.take(99) == got


def test_inlcr_turns_newline_into_return_which_ends_no_line() -> None:
    line = discipline(iflag=INLCR)
    line.receive(b"a\n")
    assert not line.available()
    assert bytes(line.edited) == b"a\r"


def test_erase_takes_a_character_off_line_and_screen() -> None:
    line = discipline()
    line.receive(b"ab\x7f\x7f\x7fc\n")
    assert line.take(9) == b"c\n"
    assert echoed(line) == b"ab\b \b\b \bc\r\n"


def test_erase_of_a_control_character_wipes_both_columns() -> None:
    line = discipline()
    line.receive(b"\x01\x7f")
    assert echoed(line) == b"^A\b \b\b \b"


def test_erase_of_a_tab_goes_back_to_where_it_began() -> None:
    line = discipline()
    line.receive(b"abc\t")
    assert line.column == 8
    echoed(line)
    line.receive(b"\x7f")
    assert echoed(line) == b"\b" * 5
    assert line.column == 3


def test_erase_under_iutf8_takes_all_bytes_of_a_character() -> None:
    line = discipline(iflag=ICRNL | IUTF8)
    line.receive("aé\x7f\n".encode())
    assert line.take(9) == b"a\n"
    assert echoed(line) == "aé\b \b\r\n".encode()


def test_werase_takes_a_word_and_the_spaces_after_it() -> None:
    line = discipline()
    line.receive(b"one two  \x17\n")
    assert line.take(99) == b"one \n"


def test_kill_takes_the_line() -> None:
    line = discipline()
    line.receive(b"abc\x15d\n")
    assert line.take(99) == b"d\n"
    assert echoed(line) == b"abc" + b"\b \b" * 3 + b"d\r\n"


def test_kill_without_echoke_shows_itself_and_a_newline() -> None:
    line = discipline(lflag=DEFAULT_LOCAL & ~ECHOKE)
    line.receive(b"abc\x15")
    assert echoed(line) == b"abc^U\r\n"


def test_echoprt_shows_what_is_erased_between_slashes() -> None:
    line = discipline(lflag=DEFAULT_LOCAL | ECHOPRT)
    line.receive(b"ab\x7f\x7fc\n")
    assert echoed(line) == b"ab\\ba/c\r\n"


def test_lnext_makes_the_next_character_ordinary() -> None:
    line = discipline()
    line.receive(b"\x16\x03\n")
    assert line.signals == []
    assert line.take(9) == b"\x03\n"
    assert echoed(line) == b"^\b^C\r\n"


def test_reprint_shows_the_line_again() -> None:
    line = discipline()
    line.receive(b"ab\x12")
    assert echoed(line) == b"ab^R\r\nab"


def test_reprint_looks_at_no_more_than_can_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    line = discipline()
    line.receive(b"x" * 4000)
    echoed(line)
    shown = []
    monkeypatch.setattr(Echo, "char", lambda echo, char: shown.append(char) or echo.raw(char))
    line.receive(b"\x12" * 1000)
    assert len(shown) < 6000
    assert len(echoed(line)) >= 4000


@pytest.mark.parametrize(("char", "signo"), [(3, SIGINT), (28, SIGQUIT), (26, SIGTSTP)])
def test_isig_characters_raise_signals_and_flush(char: int, signo: int) -> None:
    line = discipline()
    line.receive(b"done\nab" + bytes((char,)))
    assert line.signals == [signo]
    assert line.flushed
    assert not line.available()
    assert not line.edited
    assert echoed(line) == b"^" + bytes((char ^ 0x40,))


def test_noflsh_keeps_the_input() -> None:
    line = discipline(lflag=DEFAULT_LOCAL | NOFLSH)
    line.receive(b"ab\x03\n")
    assert line.signals == [SIGINT]
    assert not line.flushed
    assert line.take(9) == b"ab\n"


def test_without_isig_they_are_ordinary() -> None:
    line = discipline(lflag=DEFAULT_LOCAL & ~ISIG)
    line.receive(b"\x03\n")
    assert line.signals == []
    assert line.take(9) == b"\x03\n"


def test_ixon_stop_and_start_are_swallowed() -> None:
    line = discipline()
    line.receive(b"a\x13")
    assert line.stopped
    line.receive(b"\x11b\n")
    assert not line.stopped
    assert line.take(9) == b"ab\n"


def test_ixany_restarts_on_any_character_and_keeps_it() -> None:
    line = discipline(iflag=IXON | IXANY)
    line.receive(b"\x13x\n")
    assert not line.stopped
    assert line.take(9) == b"x\n"


def test_echonl_shows_only_newlines() -> None:
    line = discipline(lflag=ICANON | ECHONL)
    line.receive(b"secret\n")
    assert echoed(line) == b"\r\n"


def test_veol_ends_a_line_too() -> None:
    line = discipline(cc=cc_with(VEOL=ord(";")))
    line.receive(b"ab;cd\n")
    assert line.take(99) == b"ab;"


def test_a_disabled_character_is_ordinary() -> None:
    line = discipline()  # VEOL is 0
    line.receive(b"a\0b\n")
    assert line.take(99) == b"a\0b\n"


def test_a_line_longer_than_the_buffer_keeps_its_newline() -> None:
    line = discipline()
    line.receive(b"x" * 6000 + b"\n")
    data = line.take(10000)
    assert len(data) == INPUT_MAX + 1
    assert data.endswith(b"x\n")


def test_input_is_refused_once_readers_are_behind() -> None:
    line = discipline()
    taken = line.receive(b"12345678\n" * 2000)
    assert INPUT_MAX <= taken < INPUT_MAX + 10
    assert line.room() == 0
    assert line.receive(b"z") == 0
    line.take(9)
    assert line.room() > 0


def test_raw_input_passes_as_it_is() -> None:
    line = discipline(lflag=0, iflag=0)
    assert line.receive(bytes(range(256))) == 256
    assert line.take(100) == bytes(range(100))
    assert line.readable() == 156
    assert not line.echo


def test_raw_input_with_signals_still_knows_its_characters() -> None:
    line = discipline(lflag=ISIG)
    line.receive(b"a\x03b")
    assert line.signals == [SIGINT]
    assert line.take(9) == b"b"


def test_poll_waits_for_vmin_bytes() -> None:
    line = discipline(lflag=0, cc=cc_with(VMIN=3))
    line.receive(b"ab")
    assert line.available()
    assert not line.available(poll=True)
    line.receive(b"c")
    assert line.available(poll=True)


def test_leaving_canonical_mode_makes_the_edited_line_readable() -> None:
    line = discipline()
    line.receive(b"one\ntwo")
    line.configure(Termios(lflag=0))
    assert line.take(99) == b"one\ntwo"


def test_entering_canonical_mode_makes_what_is_there_a_line() -> None:
    line = discipline(lflag=0)
    line.receive(b"abc")
    line.configure(Termios())
    assert line.take(99) == b"abc"
    assert not line.available()


@pytest.mark.parametrize(
    ("oflag", "written", "sent"),
    [
        (0, b"a\n\t", b"a\n\t"),
        (OPOST, b"a\n", b"a\n"),
        (OPOST | ONLCR, b"a\nb\n", b"a\r\nb\r\n"),
        (OPOST | OCRNL, b"a\rb", b"a\nb"),
        (OPOST | ONOCR, b"\ra\r", b"a\r"),
        (OPOST | OLCUC, b"aZ1", b"AZ1"),
        (OPOST | XTABS, b"ab\tc\t", b"ab      c       "),
        (OPOST | ONLRET | XTABS, b"ab\n\t", b"ab\n        "),
    ],
)
def test_output_processing(oflag: int, written: bytes, sent: bytes) -> None:
    assert discipline(oflag=oflag).process(written) == sent


def test_the_column_is_the_same_on_the_fast_and_the_slow_way() -> None:
    text = b"abc\tde\nfg\bh\r\nxyz\t1"
    fast, slow = discipline(), discipline()
    fast.process(text)
    for index in range(len(text)):
        slow.process(text[index : index + 1])
    assert fast.column == slow.column == 9


def test_termios_structures_round_trip() -> None:
    termios = Termios()
    assert len(termios.pack()) == 36
    assert len(termios.pack2()) == 44
    assert len(termios.pack_old()) == 18
    assert unpack(termios.pack()).pack() == termios.pack()
    assert unpack(termios.pack2()).pack2() == termios.pack2()
    assert termios.with_old(termios.pack_old()).pack() == termios.pack()
    assert termios.ospeed == 38400
