"""Run an OCI bundle: a directory with config.json and, as a rule, rootfs/.

Standard input, output and error are the guest's, signals are passed on, and the exit status is the program's
(128 + signal when it was killed).
"""

from __future__ import annotations

from runsc import bundle, state
from runsc.context import dry_run
from runsc.errors import RuntimeFailure
from runsc.flags import SWITCH, VALUE, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runsc.context import Context
    from runsc.flags import Options

USAGE = "run [--bundle DIR] ID"
FLAGS = (
    Flag("bundle", VALUE, "the bundle's directory", "DIR", ".", short="b"),
    Flag("dry-run", SWITCH, "print the set-up of the sandbox, start nothing"),
)


def run(context: Context, options: Options, arguments: list[str]) -> int:
    if len(arguments) != 1:
        raise RuntimeFailure(f"expected one container ID; usage: runsc-py {USAGE}")
    id = arguments[0]
    state.check_id(id)
    description = bundle.load(options.value("bundle"), context.overlay, context.log)
    if options.on("dry-run"):
        return dry_run(context, description)
    context.complete(description.config, id)

    from runsc import sandbox_process

    claimed = state.create(context.options.value("root") or state.default_root(), id)
    try:
        return sandbox_process.run(description, lambda pid: claimed.write(id, pid, description.bundle))
    finally:
        claimed.remove()
