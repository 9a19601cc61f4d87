"""The workloads of `make bench`: commands, or shell scripts that run natively and in each sandbox, in an
empty writable directory; what counts is the wall time from start to end."""

from __future__ import annotations

from typing import NamedTuple


class Workload(NamedTuple):
    """`script` is a command, or a shell's text; `needs` are programs without which it is left out."""

    name: str
    script: str | list[str]
    needs: tuple[str, ...] = ("/usr/bin/python3",)


def python(script: str) -> list[str]:
    return ["/usr/bin/python3", "-c", script]


QUEUE = """
import queue, threading
todo, done = queue.Queue(16), queue.Queue()
def work():
    while (item := todo.get()) is not None:
        done.put(item * item)
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for number in range(20000): todo.put(number)
for _ in threads: todo.put(None)
for thread in threads: thread.join()
assert sum(done.get() for _ in range(20000)) == sum(number * number for number in range(20000))
"""

SQLITE = """/usr/bin/python3 -c '
import sqlite3
db = sqlite3.connect("bench.db")
db.execute("create table entries (number integer primary key, text)")
for number in range(300):
    db.execute("insert into entries values (?, ?)", (number, "x" * 100))
    db.commit()
assert db.execute("select count(*) from entries").fetchone() == (300,)
'"""

GCC = """printf '#include <stdio.h>\\nint main(void) { puts("hello"); return 0; }\\n' > hello.c &&
gcc -O2 hello.c -o hello && ./hello"""

GIT = """export HOME=$PWD; git init -q . && git config user.name a && git config user.email a@b &&
for i in 1 2 3 4 5 6 7 8 9 10; do echo $i > f && git add f && git commit -qm $i || exit; done"""

WORKLOADS = [
    Workload("start of true", ["/bin/true"], ()),
    Workload("200 x fork+exec in sh", "i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i+1)); done", ()),
    Workload(
        "python, heavy imports",
        python("import json, ssl, sqlite3, asyncio, email, http.client, xml.dom.minidom, unittest"),
    ),
    Workload("python, threads and a queue", python(QUEUE)),
    Workload("sqlite, 300 commits", SQLITE),
    Workload("gcc hello.c", GCC, ("gcc",)),
    Workload("git, 10 commits", GIT, ("git",)),
    Workload("find /usr/lib", "find /usr/lib > /dev/null", ("find",)),
    Workload(
        "tar of /usr/include, back",
        "tar cf include.tar -C /usr include && mkdir back && tar xf include.tar -C back",
        ("tar",),
    ),
    Workload("256 MB into sha256sum", "head -c 268435456 /dev/zero | sha256sum", ("sha256sum",)),
    Workload("node -e", ["/usr/bin/node", "-e", "console.log(6 * 7)"], ("/usr/bin/node",)),
    Workload("java -version", ["/usr/bin/java", "-version"], ("/usr/bin/java",)),
    Workload("cpu loop", ["/usr/bin/python3", "-S", "-c", "s=0\nfor i in range(30000000): s+=i"]),
]
