"""`runsc-py do` and `run` from the outside: exit statuses, streams, signals, and that nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runsc import bundles
from tests.sandbox import ENVIRONMENT, HANG_GUARD, NOBODY, RUNSC, run, runsc

pytestmark = pytest.mark.usefixtures("mode")

BUSYBOX = "/usr/bin/busybox"


def do(*argv: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    result = run(runsc("do", "--", *argv), stdin=stdin, env=ENVIRONMENT)
    return result.returncode, result.stdout, result.stderr


def script(text: str) -> tuple[int, str]:
    """A host shell script in which $R is the command."""
    result = run(["sh", "-c", text], env={**os.environ, "R": " ".join(runsc()), "B": BUSYBOX})
    return result.returncode, (result.stdout + result.stderr).decode()


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + HANG_GUARD
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


# Exit statuses


@pytest.mark.parametrize("status", [0, 1, 3, 255])
def test_the_exit_status_is_the_programs(status: int) -> None:
    assert do("sh", "-c", f"exit {status}") == (status, b"", b"")


@pytest.mark.parametrize("signo", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_program_that_is_killed_gives_128_and_the_signal(signo: int) -> None:
    # The shell is init; what its child died of is its own exit status.
    assert do("sh", "-c", f"sh -c 'kill -{int(signo)} $$'; exit $?")[0] == 128 + signo


def test_a_program_that_is_not_found() -> None:
    assert do("/no/such") == (127, b"", b"runsc-py: /no/such: No such file or directory\n")
    assert do("no-such")[0] == 127


@pytest.fixture
def programs(work_directory: Path) -> Path:
    (work_directory / "plain").write_text("echo\n")
    header = bytearray(Path(BUSYBOX).read_bytes()[:4096])
    (work_directory / "short").write_bytes(header[:20])
    header[18] = 183  # EM_AARCH64
    (work_directory / "arm").write_bytes(header)
    (work_directory / "text").write_text("just words\n")
    (work_directory / "script").write_text("#!/no/interpreter\n")
    for name in ("short", "arm", "text", "script"):
        (work_directory / name).chmod(0o755)
    return work_directory


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("plain", 126, "Permission denied"),
        ("short", 126, "Exec format error"),
        ("arm", 126, "Exec format error"),
        ("text", 126, "Exec format error"),
        ("script", 127, "No such file or directory"),
        (".", 126, "Permission denied"),
    ],
)
def test_what_can_not_be_executed_is_said(programs: Path, name: str, status: int, words: str) -> None:
    result = run(runsc("do", "--volume", f"{programs}:/programs:ro", "--", f"/programs/{name}"))
    assert (result.returncode, result.stdout) == (status, b"")
    assert result.stderr.decode() == f"runsc-py: /programs/{name}: {words}\n"


def test_a_dynamic_program_without_its_interpreter(work_directory: Path) -> None:
    bundle = bundles.write(work_directory, bundles.base("/bin/dynamic"))
    (bundle / "rootfs/bin/dynamic").write_bytes(Path("/bin/true").read_bytes())
    (bundle / "rootfs/bin/dynamic").chmod(0o755)
    result = run(runsc("--root", f"{bundle}/state", "run", "--bundle", str(bundle), "one"))
    assert result.returncode == 127
    assert result.stderr == b"runsc-py: /bin/dynamic: No such file or directory\n"
    assert os.listdir(bundle / "state") == [".lock"]


# Bundles


def run_bundle(bundle: Path, *options: str) -> tuple[int, str, str]:
    result = run(runsc("--root", f"{bundle}/state", *options, "run", "--bundle", str(bundle), "one"))
    assert os.listdir(bundle / "state") == [".lock"]
    return result.returncode, result.stdout.decode(), result.stderr.decode()


def test_a_bundle_runs(work_directory: Path) -> None:
    config = bundles.base("sh", "-c", "pwd; echo $A; cat /proc/sys/kernel/hostname; exit 7")
    config["process"]["env"].append("A=b")
    config["process"]["cwd"] = "/tmp"
    config["hostname"] = "box"
    assert run_bundle(bundles.write(work_directory, config)) == (7, "/tmp\nb\nbox\n", "")


def test_a_missing_working_directory_is_made_in_memory(work_directory: Path) -> None:
    bundle = bundles.write(work_directory, bundles.put(bundles.base("pwd"), "process.cwd", "/not/there"))
    assert run_bundle(bundle) == (0, "/not/there\n", "")
    assert not (bundle / "rootfs/not").exists()


def test_what_is_no_directory_is_no_working_directory(work_directory: Path) -> None:
    config = bundles.put(bundles.base("pwd"), "process.cwd", "/bin/busybox/in")
    expected = "runsc-py: working directory /bin/busybox/in: Not a directory\n"
    assert run_bundle(bundles.write(work_directory, config)) == (128, "", expected)


def test_a_read_only_root(work_directory: Path) -> None:
    bundle = bundles.write(work_directory, bundles.base("touch", "/file"))
    status, _, error = run_bundle(bundle)
    assert status == 1
    assert "Read-only file system" in error


def test_writes_to_the_root_stay_in_memory(work_directory: Path) -> None:
    config = bundles.put(bundles.base("sh", "-c", "echo x > /file; cat /file"), "root.readonly", False)
    bundle = bundles.write(work_directory, config)
    assert run_bundle(bundle) == (0, "x\n", "")
    assert not (bundle / "rootfs/file").exists()


def test_without_the_overlay_they_reach_the_host(work_directory: Path) -> None:
    config = bundles.put(bundles.base("sh", "-c", "echo x > /file"), "root.readonly", False)
    bundle = bundles.write(work_directory, config)
    assert run_bundle(bundle, "--overlay2", "none") == (0, "", "")
    assert (bundle / "rootfs/file").read_text() == "x\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="makes files of another user")
@pytest.mark.parametrize("overlay", ["root:memory", "none"])
def test_root_uses_the_private_files_of_other_users(work_directory: Path, overlay: str) -> None:
    script = "cat /private/in && echo out > /private/out && ls /private && rm /private/in"
    config = bundles.put(bundles.base("sh", "-c", script), "root.readonly", False)
    for name in ("bounding", "effective", "permitted"):
        bundles.put(config, f"process.capabilities.{name}", ["CAP_DAC_OVERRIDE"])
    bundle = bundles.write(work_directory, config)
    private = bundle / "rootfs/private"
    private.mkdir()
    (private / "in").write_text("private\n")
    (private / "in").chmod(0o600)
    private.chmod(0o700)
    os.chown(private / "in", 42, 42)
    os.chown(private, 42, 42)
    assert run_bundle(bundle, "--overlay2", overlay) == (0, "private\nin\nout\n", "")


def test_an_id_in_use(work_directory: Path) -> None:
    bundle = bundles.write(work_directory, bundles.base("cat"))
    command = runsc("--root", f"{bundle}/state", "run", "--bundle", str(bundle), "one")
    with subprocess.Popen(command, stdin=subprocess.PIPE) as first:
        state = bundle / "state/one/state.json"
        assert eventually(lambda: state.exists() and state.stat().st_size > 0)
        second = run(command)
        assert (second.returncode, second.stderr) == (128, b"runsc-py: container ID already exists: one\n")
        assert first.stdin is not None
        first.stdin.close()
        assert first.wait() == 0
    assert os.listdir(bundle / "state") == [".lock"]


# Standard streams


def test_pipes_pass_through() -> None:
    assert do("sh", "-c", "cat; echo err >&2", stdin=b"in\n") == (0, b"in\n", b"err\n")


def test_a_file_is_appended_to_and_its_offset_shared(work_directory: Path) -> None:
    path = work_directory / "file"
    path.write_text("a\n")
    assert script(f"$R do -- echo b >> {path}") == (0, "")
    assert path.read_text() == "a\nb\n"
    assert script(f"{{ echo 1; $R do -- echo 2; echo 3; }} > {path}") == (0, "")
    assert path.read_text() == "1\n2\n3\n"
    assert script(f"{{ $R do -- sh -c 'read line'; cat; }} < {path}") == (0, "2\n3\n")
    # busybox moves the bytes with sendfile(2), which has its own way with offsets.
    (work_directory / "two").write_text("2\n")
    bind = f"--volume {work_directory}:/m:ro"
    assert script(f"{{ echo 1; $R do {bind} -- $B cat /m/two; echo 3; }} > {path}") == (0, "")
    assert path.read_text() == "1\n2\n3\n"
    assert script(f"{{ $R do -- $B head -c 2; cat; }} < {path}") == (0, "1\n2\n3\n")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_closed_streams_are_closed_in_the_guest(closed: str) -> None:
    look = "n=0; for f in 0 1 2; do [ -e /proc/self/fd/$f ] || n=$((n + 1)); done; exit $n"
    assert script(f"$R do -- bash -c '{look}' {closed}") == (closed.count("&-"), "")


def test_a_terminal_is_a_terminal_and_is_left_as_it_was() -> None:
    import pty
    import termios

    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    command = runsc("do", "--", "sh", "-c", "test -t 0 && test -t 1 && stty raw -echo && echo yes")
    with subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    ) as process:
        assert process.wait() == 0
    assert os.read(master, 100) == b"yes\n"
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


# Signals

WAIT = "trap 'echo got; exit 5' {name}; echo ready; while :; do sleep 0.1; done"


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2"])
def test_signals_reach_the_program(name: str) -> None:
    command = runsc("do", "--", "sh", "-c", WAIT.format(name=name))
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(getattr(signal, f"SIG{name}"))
        assert process.stdout.read() == b"got\n"
        assert process.wait() == 5


def test_a_program_without_a_handler_is_ended_by_a_signal_from_outside() -> None:
    command = runsc("do", "--", "sh", "-c", "echo ready; exec sleep 1000")
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        assert process.wait() == 128 + signal.SIGTERM


def test_a_signal_from_outside_ends_a_program_that_has_it_blocked_for_a_while() -> None:
    script = "\n".join(
        [
            "import signal, time",
            "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])",
            "print('ready', flush=True)",
            "while signal.SIGTERM not in signal.sigpending(): time.sleep(0.01)",
            "signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])",
            "print('alive')",
        ]
    )
    command = runsc("do", "--", "/usr/bin/python3", "-c", script)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        assert process.wait() == 128 + signal.SIGTERM
        assert process.stdout.read() == b""


# Without root


@pytest.fixture
def as_nobody(work_directory: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Runs the command as an ordinary user: as nobody when the tests run as root."""
    user = NOBODY if os.geteuid() == 0 else None
    if user is not None and run(runsc("--version"), user=user).returncode != 0:
        pytest.skip(f"nobody can't execute {RUNSC}")
    state = work_directory / "state"

    def call(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return run(runsc("--root", str(state), *arguments), user=user)

    return call


Nobody = Callable[..., subprocess.CompletedProcess[bytes]]


def test_rootless_the_guest_is_root_and_its_files_are_the_users(
    as_nobody: Nobody, work_directory: Path
) -> None:
    result = as_nobody(
        "do", "--volume", f"{work_directory}:/mine", "--", "sh", "-c", "id -u; echo x > /mine/file"
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, b"0\n", b"")
    assert (work_directory / "file").stat().st_uid == (NOBODY if os.geteuid() == 0 else os.geteuid())


def test_rootless_a_bundle_runs(as_nobody: Nobody, work_directory: Path) -> None:
    bundle = bundles.write(work_directory / "bundle", bundles.base("sh", "-c", "echo $$; exit 4"))
    result = as_nobody("run", "--bundle", str(bundle), "one")
    assert (result.returncode, result.stdout, result.stderr) == (4, b"1\n", b"")


def test_rootless_what_the_user_may_not_read_the_guest_may_not_either(as_nobody: Nobody) -> None:
    result = as_nobody("do", "--", "cat", "/etc/shadow")
    assert result.returncode == 1
    assert b"Permission denied" in result.stderr


# Nothing is left


def descendants(pid: int) -> set[int]:
    """Every process below `pid`."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parents[int(entry)] = int(
                    Path(f"/proc/{entry}/stat").read_text().rpartition(") ")[2].split()[1]
                )
            except OSError:
                continue
    found: set[int] = set()
    while True:
        more = {child for child, parent in parents.items() if parent in found | {pid}} - found
        if not more:
            return found
        found |= more


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize("victim", ["command line", "sandbox process"])
def test_sigkill_leaves_nothing(victim: str, work_directory: Path) -> None:
    bundle = bundles.write(work_directory, bundles.base("sh", "-c", "sleep 1000 & echo ready; sleep 1000"))
    mounts = Path("/proc/self/mountinfo").read_text()
    command = runsc("--root", f"{bundle}/state", "run", "--bundle", str(bundle), "one")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        all = descendants(process.pid)
        sandbox = int((bundle / "state/one/state.json").read_text().partition('"pid": ')[2].partition(",")[0])
        assert sandbox in all
        os.kill(process.pid if victim == "command line" else sandbox, signal.SIGKILL)
        _, error = process.communicate()
    assert eventually(lambda: not any(alive(pid) for pid in all))
    assert Path("/proc/self/mountinfo").read_text() == mounts
    if victim == "sandbox process":
        assert process.returncode == 128 + signal.SIGKILL
        assert error == b"runsc-py: the sandbox was killed by signal 9\n"
    else:
        # A killed command line can't tidy up; the next one does.
        assert sorted(os.listdir(bundle / "state")) == [".lock", "one"]
        bundles.change(bundle, "process.args", ["true"])
        assert run_bundle(bundle) == (0, "", "")


# The command line is gone before its child has asked to die with it.
_TOO_EARLY = """
import os, signal, sys
from runsc import _boot, sandbox_process
from runsc.cli import script

gone, alive = os.pipe()
ask = _boot.die_with_parent

def ask_late():
    global alive
    if alive >= 0:
        os.close(alive)
        alive = -1
        os.read(gone, 1)
    ask()

def die(sandbox):
    print(sandbox.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

_boot.die_with_parent = ask_late
sandbox_process.SandboxProcess.wait = die
sys.argv[1:] = ["do", "--", "sleep", "1000"]
script()
"""


def test_sigkill_before_the_child_is_bound_to_its_parent() -> None:
    command = [sys.executable, "-I", "-c", _TOO_EARLY]  # the installed package, not what lies here
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=HANG_GUARD, check=False)
    assert done.returncode == -signal.SIGKILL
    assert eventually(lambda: not alive(int(done.stdout)))


@pytest.mark.parametrize("delay", [0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08])
def test_sigkill_at_any_moment_of_the_start(delay: float) -> None:
    with subprocess.Popen(runsc("do", "--", "sleep", "1000")) as process:
        time.sleep(delay)
        all = descendants(process.pid)
        process.kill()
        process.wait()
    assert eventually(lambda: not any(alive(pid) for pid in all))
