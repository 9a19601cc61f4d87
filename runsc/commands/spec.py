"""Write a config.json to start from into a directory; one that is there is never overwritten."""

from __future__ import annotations

import os

from runsc.errors import RuntimeFailure, failed
from runsc.flags import VALUE, Flag
from runsc.spec import example

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runsc.context import Context
    from runsc.flags import Options

USAGE = "spec [--bundle DIR]"
FLAGS = (Flag("bundle", VALUE, "the bundle's directory", "DIR", ".", short="b"),)


def run(context: Context, options: Options, arguments: list[str]) -> int:
    if arguments:
        raise RuntimeFailure(f"unexpected argument '{arguments[0]}'; usage: runsc-py {USAGE}")
    import json

    path = os.path.join(options.value("bundle"), "config.json")
    try:
        with open(path, "x", encoding="utf-8") as file:
            json.dump(example(), file, indent=2)
            file.write("\n")
    except OSError as error:
        raise failed(path, error) from None
    return 0
