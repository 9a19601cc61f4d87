"""Shells: pipelines, subshells, traps, here-documents, job control without a terminal, exit statuses."""

from __future__ import annotations

from tests.programs.program import Program, bash, dash

SHELLS = [
    Program(
        "bash-pipeline",
        bash(r"""
            seq 1000 | grep 7 | sort -rn | head -5 | tr '\n' ' '
            echo ${PIPESTATUS[@]}
        """),
    ),
    Program(
        "bash-long-pipeline",
        bash("""
            seq 20000 | cat | cat | cat | cat | cat | cat | cat | tail -1
        """),
    ),
    Program("bash-pipefail", bash("set -o pipefail; false | true"), status=1),
    Program(
        "bash-subshell",
        bash("""
            x=1
            (x=2; cd /; echo $x $PWD)
            echo $x
            echo $(echo $(echo nested)) `echo old`
        """),
    ),
    Program(
        "bash-here-document",
        bash("""
            name=world; cat <<END; cat <<'END'; cat <<<string
            hello $name
            END
            raw $name
            END
        """),
    ),
    Program(
        "bash-here-document-large",
        bash("""
            big=$(seq 30000); wc -c <<END
            $big
            END
        """),
    ),
    Program(
        "bash-trap-exit",
        bash("""
            trap 'echo bye' EXIT
            trap 'echo got USR1' USR1
            kill -USR1 $$
            echo on
            exit 3
        """),
        status=3,
    ),
    Program(
        "bash-trap-term",
        bash("""
            trap 'echo caught; exit 9' TERM
            kill -TERM $$
            sleep 10
        """),
        status=9,
    ),
    Program(
        "bash-trap-err-debug",
        bash("""
            set -E
            trap 'echo failed $?' ERR
            f() { false; }
            f
            (exit 4)
            echo end
        """),
    ),
    Program(
        "bash-trap-child",
        bash("""
            trap 'echo child' CHLD
            set -m
            /bin/true
            trap - CHLD
            echo done
        """),
        stderr=False,
    ),
    Program(
        "bash-background-wait",
        bash("""
            (exit 5) & first=$!
            (exit 6) & second=$!
            wait $second
            echo $?
            wait $first
            echo $?
            wait
            echo $?
        """),
    ),
    Program(
        "bash-many-background",
        bash("""
            for i in {1..20}
            do (echo $i > f$i) & done
            wait
            cat f* | sort -n | xargs
        """),
    ),
    Program(
        "bash-process-substitution",
        bash("""
            diff <(seq 5) <(seq 2 6)
            paste <(seq 3) <(seq 4 6)
        """),
        needs=("diff",),
    ),
    Program(
        "bash-coprocess",
        bash("""
            coproc cat
            echo through >&${COPROC[1]}
            read -u ${COPROC[0]} line
            echo got $line
            kill $COPROC_PID
        """),
        stderr=False,
    ),
    Program(
        "bash-arrays",
        bash(r"""
            declare -A m=([a]=1 [b]=2)
            l=(x y z)
            echo ${#l[@]} ${l[-1]} ${m[b]}
            printf '%s\n' ${!m[@]} | sort
        """),
    ),
    Program(
        "bash-arithmetic",
        bash("""
            echo $((7 * 6)) $((2 ** 40)) $((0x1f)) $((10 % 3))
            ((0)) || echo zero
        """),
    ),
    Program(
        "bash-read-loop",
        bash("""
            while IFS=: read -r a b
            do echo "$b-$a"
            done
        """),
        stdin=b"1:one\n2:two\n3:three\n",
    ),
    Program(
        "bash-redirections",
        bash("""
            exec 5>log
            echo five >&5
            echo err >&2
            ls /nowhere 2>>log
            exec 5>&-
            wc -l < log
        """),
    ),
    Program(
        "bash-globs",
        bash("""
            mkdir d
            touch d/{a,b,c}.{x,y} d/.h
            echo d/*.x d/[ab].y
            shopt -s dotglob nullglob
            echo d/* z*
        """),
    ),
    Program(
        "bash-functions-recursion",
        bash("""
            f() { (($1 < 2)) && echo $1 || echo $(($(f $(($1-1))) + $(f $(($1-2))))); }
            f 10
        """),
    ),
    Program("bash-exit-status", bash("exit 42"), status=42),
    Program("bash-command-not-found", bash("no-such-command"), status=127),
    Program("bash-not-executable", bash("echo text > file; ./file"), status=126),
    # In the sandbox the program is process 1, which no signal from its own namespace kills: hence the child.
    Program("bash-killed", bash("bash -c 'kill -KILL $$'; exit $?"), status=137, stderr=False),
    Program("bash-terminated", bash("bash -c 'kill -TERM $$'; exit $?"), status=143, stderr=False),
    Program(
        "bash-child-killed",
        bash("""
            bash -c 'kill -SEGV $$'
            echo $?
            bash -c 'kill -HUP $$'
            echo $?
        """),
        stderr=False,
    ),
    Program(
        "bash-ulimit",
        bash("""
            ulimit -n 100
            ulimit -n
            (ulimit -f 1; head -c 100000 /dev/zero > big; echo $?)
        """),
        stderr=False,
    ),
    Program(
        "bash-umask-test",
        bash("""
            umask 027
            touch f
            mkdir d
            stat -c '%a %n' f d
            [ -d d -a -f f ] && [[ -r f ]]
            echo $?
        """),
    ),
    Program(
        "bash-dev-fd",
        bash("""
            echo one | cat /dev/fd/0 /dev/stdin
            echo two > /dev/stdout
            test -t 0
            echo $?
        """),
    ),
    Program("bash-fifo", bash("mkfifo p; (seq 5 > p) & cat p; wait; [ -p p ] && echo fifo")),
    Program(
        "bash-printf-time",
        bash(r"""
            printf '%05d|%-6s|%x|%q\n' 42 ab 255 'a b'
            TZ=UTC printf '%(%F %T)T\n' 86399
        """),
    ),
    Program(
        "dash-pipeline",
        dash("""
            seq 100 | { read a; read b; echo $a $b; cat > /dev/null; } | sed 's/^/got /'
        """),
    ),
    Program(
        "dash-subshell",
        dash("""
            x=1
            (x=2; echo $x)
            echo $x
            (exit 7)
            echo $?
            { echo group; }
        """),
    ),
    Program(
        "dash-here-document",
        dash("""
            v=value; cat <<A; cat <<'B' | tr a-z A-Z
            $v $(echo sub)
            A
            $v raw
            B
        """),
    ),
    Program(
        "dash-trap",
        dash("""
            trap 'echo bye' EXIT
            trap 'echo int' INT
            trap '' HUP
            kill -INT $$
            kill -HUP $$
            exit 2
        """),
        status=2,
    ),
    Program("dash-killed", dash("dash -c 'kill -ABRT $$'; exit $?"), status=134, stderr=False),
    Program(
        "dash-200-forks",
        dash("""
            i=0
            while [ $i -lt 200 ]
            do /bin/true
            i=$((i+1))
            done
            echo $i
        """),
    ),
    Program(
        "dash-background",
        dash("""
            sleep 0.02 & p=$!
            wait $p
            echo $?
            sleep 100 & kill $!
            wait $!
            echo $?
        """),
        stderr=False,
    ),
    Program(
        "dash-case-for",
        dash("""
            for f in a.c b.h c
            do case $f in *.c) echo source;; *.h) echo header;; *) echo $f;; esac
            done
        """),
    ),
    Program("dash-set-e", dash("set -e; echo before; false; echo after"), status=1),
    Program(
        "dash-script-file",
        dash(r"""
            printf '#!/bin/dash\necho $0 $#: "$@"\n' > s
            chmod +x s
            ./s 'a b' c
            exec ./s last
        """),
    ),
]
