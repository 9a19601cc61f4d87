"""Command-line options as tables: parsing and help.

argparse is not used because importing it takes as long as starting Python.  `--name value` and
`--name=value` are accepted, and one dash in place of two, as gVisor's commands do.
"""

from __future__ import annotations

from runsc.errors import RuntimeFailure

SWITCH = 0  # given or not
VALUE = 1  # the last one given counts
LIST = 2  # all that were given


class Flag:
    """One option.  `value` is its placeholder in the help text, or the accepted words separated by `|`."""

    __slots__ = ("default", "help", "kind", "name", "short", "value")

    def __init__(
        self, name: str, kind: int, help: str, value: str = "", default: str = "", short: str = ""
    ) -> None:
        self.name = name
        self.kind = kind
        self.help = help
        self.value = value
        self.default = default
        self.short = short


class Options:
    """The options of one command as they were given."""

    __slots__ = ("_lists", "_values", "switches")

    def __init__(self, flags: tuple[Flag, ...]) -> None:
        self.switches: set[str] = set()
        self._values = {flag.name: flag.default for flag in flags}
        self._lists: dict[str, list[str]] = {flag.name: [] for flag in flags if flag.kind == LIST}

    def on(self, name: str) -> bool:
        """Was the switch given?"""
        return name in self.switches

    def value(self, name: str) -> str:
        """The option's value, or its default."""
        return self._values[name]

    def values(self, name: str) -> list[str]:
        """All values of a repeatable option, in order."""
        return self._lists[name]

    def put(self, flag: Flag, text: str) -> None:
        if flag.kind == LIST:
            self._lists[flag.name].append(text)
        elif "|" in flag.value and text not in flag.value.split("|"):
            words = flag.value.replace("|", ", ")
            raise RuntimeFailure(f"--{flag.name}: expected one of {words}, got '{text}'")
        else:
            self._values[flag.name] = text


def parse(
    flags: tuple[Flag, ...],
    argv: list[str],
    elsewhere: tuple[Flag, ...] = (),
    commands: dict[str, str] = {},  # noqa: B006  # never changed
) -> tuple[Options, list[str]]:
    """Read options up to the first other argument or `--`; the rest is returned as it is.

    `elsewhere` are options that are known, but not at this place; `commands` are those that stand for a
    command, which is all of the rest then.
    Raises RuntimeFailure for an unknown option or a missing or wrong value.
    """
    by_name = {flag.name: flag for flag in flags}
    by_name.update({flag.short: flag for flag in flags if flag.short})
    options = Options(flags)
    index = 0
    while index < len(argv):
        argument = argv[index]
        if argument == "--":
            return options, argv[index + 1 :]
        if not argument.startswith("-") or argument == "-":
            break
        index += 1
        name, equals, text = argument.lstrip("-").partition("=")
        flag = by_name.get(name)
        if flag is None:
            if name in commands:
                return options, [commands[name]]
            if any(other.name == name for other in elsewhere):
                raise RuntimeFailure(f"option '{argument}': goes before the command")
            raise RuntimeFailure(f"unknown option '{argument}'; see runsc-py --help")
        if flag.kind == SWITCH:
            if equals and text not in ("true", "false"):
                raise RuntimeFailure(f"--{flag.name}: expected true or false, got '{text}'")
            (options.switches.discard if text == "false" else options.switches.add)(flag.name)
            continue
        if not equals:
            if index == len(argv):
                raise RuntimeFailure(f"--{flag.name}: expected a value ({flag.value})")
            text = argv[index]
            index += 1
        options.put(flag, text)
    return options, argv[index:]


def describe(flags: tuple[Flag, ...]) -> str:
    """The options' part of a help text."""
    lines = []
    for flag in flags:
        left = f"--{flag.name}" + (f" {flag.value}" if flag.value else "")
        if flag.short:
            left = f"-{flag.short}, {left}"
        if flag.kind == LIST:
            left += " ..."
        default = f" (default: {flag.default})" if flag.default else ""
        lines.append(f"  {left:<34} {flag.help}{default}")
    return "\n".join(lines)
