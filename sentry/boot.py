"""From a Config to a running kernel, in the three steps between which the sandbox process seals itself.

prepare   the platform's first stub exists, the root is mounted
watch     the helper thread starts: after the privileges are gone, before the seccomp filter
run       the first program is loaded and the loop runs until init is dead
"""

from __future__ import annotations

import gc
import os

from sentry import _core
from sentry.errors import Errno, StartError
from sentry.fs.cgroup_files import configure
from sentry.kernel import core_dump
from sentry.kernel.exec import start_init
from sentry.kernel.kernel import Kernel
from sentry.kernel.log import Log
from sentry.kernel.reactor import Reactor
from sentry.platform.base import load
from sentry.vfs import namei
from sentry.vfs.mounts.setup import build_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.config import Config


def prepare(config: Config) -> Kernel:
    """The kernel of `config`, ready to be sealed; StartError when the platform can't work here."""
    try:
        machine = load(config.platform)
        machine.init(config.stub_fd)
        os.close(config.stub_fd)  # it is running
    except Errno as error:
        why = os.strerror(error.code)
        raise StartError(f"platform {config.platform}: {why}; see runsc-py doctor") from error
    reactor = Reactor(_core.timer_create(False), _core.timer_create(True), _core.timer_arm)
    log = Log(config.log_fd, config.log_json, "debug" if config.debug else "warning")
    log.take_over()
    kernel = Kernel(machine, reactor, log, config)
    machine.kernel = kernel
    machine.hot = namei.use_cache = config.hot
    machine.patch = config.patch
    if config.strace:
        from sentry.strace import Strace

        kernel.strace = Strace(config.strace_fd, config.log_json and config.strace_fd == config.log_fd)
        machine.hot = False  # every call is to be seen
    if config.log_fd >= 0:
        from sentry.kernel import report

        report.on_signal(kernel)
    kernel.mounts = build_root(kernel, config)
    kernel.dump_core = core_dump.dump
    return kernel


def watch(kernel: Kernel) -> None:
    """Start waiting for the host's descriptors."""
    kernel.machine.watch(kernel.reactor.epoll_fd)


def run(kernel: Kernel) -> int:
    """Load the first program and run to its end; its exit status (128 + signal when killed).

    Raises StartError when the program can't be started.
    """
    # What exists now stays for good: keep the collector's eyes off it, and its pages shared with the parent.
    # From here on it runs between two handlers only (Kernel.run_ready): what it frees changes kernel state.
    gc.freeze()
    gc.disable()
    configure(kernel.cgroups.root, kernel.config.resources, start_init(kernel, kernel.config))
    kernel.log.write("debug", "the first program is loaded")
    try:
        kernel.machine.run()
    finally:
        kernel.machine.shutdown()
    for key, count in kernel.log.counts.items():
        kernel.log.write("debug", f"{key}: {count} times")
    status = kernel.exit_status
    return 128 + (status & 0x7F) if status & 0x7F else status >> 8
