"""The table of all real programs on the host's root, and that of those in the busybox root."""

from __future__ import annotations

from tests.programs.builds import BUILDS
from tests.programs.busybox import BUSYBOX
from tests.programs.coreutils import COREUTILS
from tests.programs.debuggers import DEBUGGERS
from tests.programs.keyutils import KEYUTILS
from tests.programs.languages import LANGUAGES
from tests.programs.mounting import MOUNTING
from tests.programs.runtimes import PACKAGE_MANAGERS, RUNTIMES
from tests.programs.servers import SERVERS
from tests.programs.shells import SHELLS
from tests.programs.suites import SUITES
from tests.programs.terminals import TERMINALS
from tests.programs.tools import TOOLS

PROGRAMS = (
    SHELLS
    + COREUTILS
    + TOOLS
    + LANGUAGES
    + BUILDS
    + TERMINALS
    + MOUNTING
    + KEYUTILS
    + DEBUGGERS
    + SERVERS
    + RUNTIMES
    + PACKAGE_MANAGERS
    + SUITES
)

__all__ = ["BUSYBOX", "PROGRAMS"]
