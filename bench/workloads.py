"""The workloads of `make bench`: commands, or shell scripts that run natively and in each sandbox, in an
empty writable directory; what counts is the wall time from start to end."""

WORKLOADS: dict[str, str | list[str]] = {
    "start of true": ["/bin/true"],
    "200 x fork+exec in sh": "i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i+1)); done",
    "python, heavy imports": (
        "/usr/bin/python3 -c 'import json, ssl, sqlite3, asyncio, email, http.client,"
        " xml.dom.minidom, unittest'"
    ),
    "gcc hello.c": (
        "printf '#include <stdio.h>\\nint main(void) { puts(\"hello\"); return 0; }\\n'"
        " > hello.c && gcc -O2 hello.c -o hello && ./hello"
    ),
    "git, 10 commits": (
        "export HOME=$PWD; git init -q . && git config user.name a && git config user.email a@b &&"
        " for i in 1 2 3 4 5 6 7 8 9 10; do echo $i > f && git add f && git commit -qm $i || exit; done"
    ),
    "find /usr/lib": "find /usr/lib > /dev/null",
    "cpu loop": "/usr/bin/python3 -S -c 's=0\nfor i in range(30000000): s+=i'",
}

# Name, iterations: the smallest of so many runs is printed.
ROUNDS = {"start of true": 9, "cpu loop": 3, "find /usr/lib": 3}
