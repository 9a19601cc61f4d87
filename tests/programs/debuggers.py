"""Programs that look into others: strace and gdb."""

from __future__ import annotations

from tests.programs.program import Program, bash

_SOURCE = """
    cat > p.c <<'END'
    #include <stdio.h>
    static int twice(int x) { return 2 * x; }
    int main(void) {
            int a = 20;
            int b = twice(a) + 2;
            printf("answer %d\\n", b);
            return 0;
    }
    END
    gcc -g -O0 -no-pie -o p p.c
"""
_GDB = "gdb -nx -batch"

DEBUGGERS = [
    Program(
        "strace-follows-a-pipeline",
        bash("""
            strace -f -o log sh -c 'echo one two | wc'
            grep -c '+++ exited with 0 +++' log
            grep -o 'write(1, "one two[^"]*", 8' log  # what follows may stand on a line of its own
            grep -o 'execve("[^"]*wc"' log | sort -u
        """),
        needs=("strace",),
    ),
    Program(
        "strace-injects-errors",
        bash("""
            strace -e inject=mkdir:error=ENOSPC -o log mkdir x
            grep -o 'ENOSPC.*' log
        """),
        needs=("strace",),
    ),
    Program(
        "strace-of-threads",
        bash("""
            strace -f -e trace=none -o log python3 -c '
            import threading
            threads = [threading.Thread(target=print, args=("thread",)) for _ in range(3)]
            for thread in threads:
                thread.start()
                thread.join()
            '
            grep -c 'exited with 0' log
        """),
        needs=("strace", "python3"),
    ),
    Program(
        "strace-attaches",
        bash("""
            mkfifo fifo
            (read line < fifo; echo done) &
            child=$!
            touch attached
            strace -o log -p $child 2>> attached &
            until grep -q attached attached; do sleep 0.1; done
            echo > fifo
            wait $child
            wait
            grep -o 'write(1, "done.n", 5)' log
            tail -1 log
        """),
        needs=("strace",),
    ),
    Program(
        "gdb-breaks-steps-and-calls",
        bash(
            _SOURCE
            + f"""
            {_GDB} -ex 'break main' -ex run -ex bt -ex stepi -ex 'info registers rdi cs' \\
                -ex 'break twice' -ex continue -ex finish -ex next -ex 'print twice(4)' -ex delete \\
                -ex continue ./p 2>&1 |
                grep -v -e '^Using host' -e libthread_db -e '^Missing' -e process
            """
        ),
        needs=("gdb", "gcc"),
    ),
    Program(
        "gdb-watches-by-stepping",
        bash(
            _SOURCE
            + f"""
            {_GDB} -ex 'set can-use-hw-watchpoints 0' -ex 'break main' -ex run -ex 'watch b' -ex continue \\
                -ex 'print b' -ex kill ./p 2>&1 | grep -e '^Old' -e '^New' -e '^[$]'
            """
        ),
        needs=("gdb", "gcc"),
    ),
    Program(
        "gdb-attaches",
        bash(f"""
            mkfifo fifo
            (read line < fifo; echo done) &
            child=$!
            sleep 0.3
            {_GDB} -p $child -ex 'info threads' -ex detach 2>&1 | grep -c -e '^[*] 1' -e detached
            echo > fifo
            wait $child
        """),
        needs=("gdb",),
    ),
]
