"""Tests of GLib and systemd, which Debian packages as programs: each ends as it does natively."""

from __future__ import annotations

from tests.programs.program import GLIB_TESTS, SYSTEMD_TESTS, Program, bash


def one(directory: str, name: str, *needs: str) -> Program:
    """A program of the directory: what it prints isn't the same each time, how it ends is; 77: not here."""
    script = f"""
        export G_TEST_SRCDIR={directory} G_TEST_BUILDDIR={directory} TMPDIR=$PWD XDG_RUNTIME_DIR=$PWD
        {directory}/{name} > out 2>&1 < /dev/null
        status=$?
        echo $status
        [ $status = 0 ] || [ $status = 77 ] || (tail out; exit 1)
    """
    package = name if name.startswith("test-") else f"glib-{name}"
    return Program(package, bash(script), needs=(directory, *needs), slow=True)


# What asks something of a kernel, but no network and no privileges outside of a sandbox.
GLIB = """
    asyncqueue atomic basic-application bitlock cancellable cond contexts credentials custom-dispatch
    defaultvalue g-file g-file-info gdbus-auth gdbus-close-pending gdbus-connection
    gdbus-connection-flush gdbus-connection-loss gdbus-error gdbus-exit-on-close gdbus-export
    gdbus-introspection gdbus-method-invocation gdbus-names gdbus-non-socket gdbus-peer-object-manager
    gdbus-proxy gdbus-proxy-threads gdbus-proxy-unique-name gdbus-proxy-well-known-name gsubprocess
    include io-channel io-channel-basic io-stream live-g-file logging mainloop mappedfile memory-monitor
    mutex onceinit once private rwlock readwrite rec-mutex socket-address spawn-multithreaded
    spawn-path-search spawn-test testfilemonitor testing thread thread-deprecated thread-pool timeout
    timer trash unix unix-fd unix-mounts unix-streams utils
"""

SYSTEMD = """
    test-async test-barrier test-bus-queue-ref-cycle test-bus-server test-bus-watch-bind test-chown-rec
    test-clock test-copy test-cpu-set-util test-data-fd-util test-env-util test-errno-util test-event
    test-exec-util test-execve test-fd-util test-fdset test-fileio test-format-util test-fs-util
    test-glob-util test-hostname-util test-id128 test-install-file test-io-util
    test-journal-interleaving test-journal-send test-journal-stream test-journal-verify test-libmount
    test-locale-util test-log test-login test-mkdir test-mmap-cache test-mountpoint-util test-os-util
    test-path-lookup test-path-util test-proc-cmdline test-process-util test-random-util
    test-replace-var test-rlimit-util test-rm-rf test-sched-prio test-serialize test-sigbus
    test-signal-util test-socket-util test-stat-util test-terminal-util test-time-util test-tmpfile-util
    test-tmpfiles test-umask-util test-user-util test-util test-utmp test-varlink test-watch-pid
    test-xattr-util
"""

SUITES = [one(GLIB_TESTS, name, "dbus-daemon") for name in GLIB.split()]
SUITES += [one(SYSTEMD_TESTS, name) for name in SYSTEMD.split()]
