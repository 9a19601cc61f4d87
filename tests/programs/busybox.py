"""What runs in the busybox root: /bin/busybox, a link for each of its applets, and little else."""

from __future__ import annotations

from textwrap import dedent

from tests.programs.program import Program


def ash(script: str) -> list[str]:
    return ["/bin/sh", "-c", dedent(script).strip("\n")]


BUSYBOX = [
    Program("busybox-echo", ["/bin/echo", "hello", "two words"]),
    Program("busybox-root", ash("ls / && pwd && cat /etc/passwd")),
    Program("busybox-pipeline", ash("seq 1000 | grep 7 | sort -rn | head -3 | tac; echo $(seq 5 | wc -l)")),
    Program(
        "busybox-files",
        ash("""
            cd /tmp && mkdir -p a/b && echo text > a/b/f && cp -r a z && mv z/b/f z/g && find a z | sort
            ln -s g z/l && readlink z/l && cat z/l && chmod 600 z/g && stat -c '%a %s %F' z/g
            rm -r a && ls -A && du -a z | wc -l
        """),
    ),
    Program(
        "busybox-text",
        ash(r"""
            printf 'b 2\na 1\nc 3\n' | sort | awk '{s += $2} END {print s, NR}'
            echo abc | tr a-c A-C | rev
            echo hello | sed 's/l\+/L/g'
            seq 20 | tail -n 3 | xargs -n 1 echo
            echo x | md5sum; echo x | sha256sum
        """),
    ),
    Program(
        "busybox-archives",
        ash("""
            cd /tmp && mkdir d && seq 1000 > d/f && tar cf t.tar d && tar tf t.tar && gzip t.tar
            zcat t.tar.gz | tar xf - -O | md5sum
            bzip2 -c d/f | bunzip2 | cmp - d/f && echo same
        """),
    ),
    Program(
        "busybox-here-document-and-trap",
        ash("""
            trap 'echo bye' EXIT; trap 'echo usr1' USR1; kill -USR1 $$
            cat <<END
            value $((6 * 7))
            END
            (exit 3); echo $?
        """),
    ),
    Program(
        "busybox-background",
        ash("sleep 0.01 & wait $!; echo $?; sleep 100 & kill -9 $!; wait $!; echo $?"),
        stderr=False,
    ),
    Program("busybox-exit-status", ash("exit 9"), status=9),
    Program("busybox-killed", ash("sh -c 'kill -TERM $$'; echo $?"), stderr=False),
    Program("busybox-not-found", ash("nowhere"), status=127),
    Program("busybox-writes-to-its-root", ash("echo new > /bin/new && rm /etc/passwd && ls /bin/new /etc")),
]
