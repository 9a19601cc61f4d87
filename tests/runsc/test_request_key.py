"""Keys that the guest's own /sbin/request-key constructs: the program is written by the guest itself."""

from __future__ import annotations

from textwrap import dedent

import pytest

from tests.sandbox import sandbox_run

PYTHON = "/usr/bin/python3"
CALLS = """
import ctypes, errno, os, signal, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    ctypes.set_errno(0)
    answer = libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    return answer if answer >= 0 else errno.errorcode[ctypes.get_errno()]
def keyctl(*arguments):
    return call(250, *arguments)
def request(name, callout=b"callout", ring=-3):
    return call(249, b"user", name, callout, ring)
def program(text):
    with open("/sbin/request-key.new", "w") as file:
        file.write("#!" + sys.executable + "\\n" + CALLS + text)
    os.chmod("/sbin/request-key.new", 0o755)
    os.rename("/sbin/request-key.new", "/sbin/request-key")
def name(answer):
    return answer if isinstance(answer, str) else "ok"
"""


def outcome(script: str, constructs: str = "") -> list[str]:
    """What a guest prints that has joined a new session keyring, and has a program that constructs keys."""
    text = f"CALLS = {CALLS!r}\n{CALLS}\nkeyctl(1, 0)\n"
    if constructs:
        text += f"program({dedent(constructs)!r})\n"
    text += dedent(script)
    ended = sandbox_run([PYTHON, "-c", text])
    assert ended.stderr == b""
    assert ended.returncode == 0
    return ended.stdout.decode().splitlines()


pytestmark = pytest.mark.usefixtures("mode")


def test_without_the_program_there_is_no_key() -> None:
    script = """
        if os.path.exists("/sbin/request-key"):
            os.unlink("/sbin/request-key")
        print(request(b"a"), request(b"a"), request(b"a", None), request(b"b"))
    """
    assert outcome(script) == ["ENOENT ENOKEY ENOKEY ENOENT"]


def test_the_program_runs_as_init_was_started_and_answers() -> None:
    program = """
        key = int(sys.argv[2])
        environment = open("/proc/self/environ").read().split("\\0")
        told = [sys.argv[1], os.getuid(), os.getppid(), environment, os.getcwd(), len(sys.argv)]
        open("/tmp/told", "w").write(repr(told))
        info = b = ctypes.create_string_buffer(100)
        answers = [keyctl(12, key, b"x", 1, 0), keyctl(16, key) > 0, keyctl(11, -7, info, 100), info.value]
        answers += [keyctl(12, key, b"", 0, 0), keyctl(12, key, b"x", 1, -7), keyctl(12, key, b"x", 1, -9)]
        answers += [keyctl(12, key + 1, b"x", 1, 0), keyctl(19, key, 1, 512, 0), name(keyctl(6, key, b, 9))]
        answers += [keyctl(12, key, b"payload", 7, -8), keyctl(12, key, b"x", 1, 0), keyctl(16, key)]
        open("/tmp/answers", "w").write(repr(answers))
    """
    script = """
        key = request(b"a", b"info")
        buffer = ctypes.create_string_buffer(100)
        print(keyctl(11, key, buffer, 100), buffer.value)
        print(open("/tmp/told").read())
        print(open("/tmp/answers").read())
    """
    assert outcome(script, program) == [
        "7 b'payload'",
        "['create', 0, 0, ['HOME=/', 'PATH=/sbin:/bin:/usr/sbin:/usr/bin', ''], '/', 8]",
        "['EPERM', True, 4, b'info', 'EINVAL', 'EINVAL', 'ENOKEY', 'EPERM', 'EINVAL', 'ok', 0, 'EPERM',"
        " 'ENOKEY']",
    ]


def test_the_program_decides_about_the_error() -> None:
    program = """
        key = int(sys.argv[2])
        keyctl(16, key)
        keyctl(19, key, 1, errno.EKEYREJECTED, 0)
    """
    script = """
        print(request(b"a"), request(b"a", None))
        time.sleep(1.1)
        print(request(b"a", None))
    """
    assert outcome(script, program) == ["EKEYREJECTED EKEYREJECTED", "ENOKEY"]


def test_the_program_finds_the_keyring_where_keys_go_by_default() -> None:
    program = """
        key = int(sys.argv[2])
        keyctl(16, key)
        told = [keyctl(0, -8, 0) == int(sys.argv[7]), keyctl(12, key, b"payload", 7, -8)]
        open("/tmp/told", "w").write(repr(told))
    """
    script = """
        key = request(b"a", ring=0)
        print(name(key), keyctl(11, -3, None, 0), open("/tmp/told").read())
    """
    assert outcome(script, program) == ["ok 4 [True, 0]"]


def test_a_program_that_never_ends_holds_nobody_who_is_killed() -> None:
    script = """
        children = []
        for _ in range(2):  # the first waits for the program, the second for the key
            child = os.fork()
            if child == 0:
                request(b"slow")
                os._exit(0)
            children.append(child)
            while len(children) == 1 and not os.path.exists("/tmp/started"):
                time.sleep(0.01)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        os.kill(children[0], signal.SIGSTOP)
        os.kill(children[0], signal.SIGCONT)
        print(os.waitpid(children[0], os.WNOHANG))
        for child in children:
            os.kill(child, signal.SIGKILL)
            print(os.waitpid(child, 0)[1])
    """
    assert outcome(script, "open('/tmp/started', 'w'); time.sleep(1000)") == ["(0, 0)", "9", "9"]


def test_programs_that_request_keys_themselves_come_to_an_end() -> None:
    program = """
        with open("/tmp/count", "a") as file:
            file.write("x")
        request(b"deep %d" % os.getpid())
    """
    assert outcome("print(request(b'deep'), os.path.getsize('/tmp/count'))", program) == ["ENOKEY 64"]


def test_keys_are_charged_and_given_back() -> None:
    script = """
        def used():
            lines = open("/proc/key-users").read().splitlines()
            return [line.split()[3:] for line in lines if line.split()[0] == "0:"][0]
        before = used()
        big = bytes(1 << 20)[:-1]
        key = call(248, b"big_key", b"big", big, len(big), -3)
        print(name(key), keyctl(11, key, None, 0))
        after = used()
        print(int(after[1].split("/")[0]) - int(before[1].split("/")[0]))
        keys = [call(248, b"big_key", b"big%d" % n, big, len(big), -3) for n in range(70)]
        print(sorted({name(key) for key in keys}))
        keyctl(7, -3)
        print(used() == before, name(call(248, b"big_key", b"big", big, len(big), -3)))
        for kind in b"asymmetric", b"trusted", b"rxrpc":
            print(call(248, kind, b"x", b"x", 1, -3))
        open("/proc/sys/kernel/keys/gc_delay", "w").write("0")
        key = call(248, b"user", b"x", b"x", 1, -3)
        keyctl(3, key)
        print(keyctl(6, key, None, 0))
    """
    assert outcome(script) == [
        "ok 1048575", "24", "['ENOMEM', 'ok']", "True ok", "ENODEV", "ENODEV", "ENODEV", "ENOKEY",
    ]  # fmt: skip
