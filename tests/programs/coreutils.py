"""coreutils: text, files, processes."""

from __future__ import annotations

from tests.programs.program import Program, bash

COREUTILS = [
    Program(
        "text-sort-uniq",
        bash(r"""
            printf '%s\n' b a c a b a | sort | uniq -c | sort -rn | sed 's/^ *//'
            seq 20000 | sort -R | sort -n | md5sum
        """),
    ),
    Program(
        "text-cut-paste-join",
        bash("""
            seq 5 > a
            seq 6 10 > b
            paste -d: a b | tee c | cut -d: -f2
            join -t: c c
            comm -12 a <(seq 3 9)
        """),
    ),
    Program(
        "text-tr-nl-fold",
        bash(r"""
            echo 'Hello World' | tr a-z A-Z | rev
            seq 3 | nl -ba
            echo abcdefgh | fold -w3
            printf 'a\tb\n' | expand
        """),
    ),
    Program(
        "text-head-tail-split",
        bash("""
            seq 100 > f
            head -n -97 f
            tail -c 7 f
            tail -n +99 f
            split -l 30 f p
            wc -l p*
            csplit -s f 50
            cksum xx*
        """),
    ),
    Program(
        "text-od-base64",
        bash(r"""
            printf '\0\1\377abc' | od -An -tx1z
            seq 20 | base64 -w 20 | tail -1
            seq 20 | base64 | base64 -d | tail -1
        """),
    ),
    Program(
        "text-checksums",
        bash("""
            seq 1000 > f
            md5sum f
            sha1sum f
            sha256sum f
            sha512sum f
            b2sum f
            sum f
            cksum f
            md5sum f | md5sum -c
        """),
    ),
    Program(
        "text-numbers",
        bash(r"""
            factor 1234567890
            numfmt --to=iec 1048576
            seq -s, 1 0.5 3
            expr 6 \* 7
            printf 'a b\nb c\n' | tsort
            date -u -d @86400 +%F
        """),
    ),
    Program(
        "text-shuf-tac",
        bash("""
            seq 10 | shuf --random-source=<(seq 1000) | xargs
            seq 5 | tac | pr -t -3
            seq 9 | fmt
            seq 3 | ptx -G | wc -l
        """),
    ),
    Program(
        "files-copy-move",
        bash("""
            mkdir -p a/b/c
            echo x > a/b/f
            ln -s f a/b/l
            cp -a a z
            mv z/b/f z/g
            find a z | sort
            cat z/g
            readlink z/b/l
            rm -r a z
            ls -A
        """),
    ),
    Program(
        "files-stat",
        bash("""
            umask 022
            echo hello > f
            touch -d @1000000000 f
            ln f g
            stat -c '%s %h %a %F %Y %n' f g
            ls -go f | sed 's/  */ /g'
        """),
    ),
    Program(
        "files-modes",
        bash("""
            touch f
            chmod 640 f
            stat -c %a f
            chmod u+x,o=rw f
            stat -c %A f
            install -m 751 f g
            stat -c %a g
            mkdir -m 1777 d
            stat -c %A d
        """),
    ),
    Program(
        "files-links-paths",
        bash("""
            ln -s d l
            mkdir d
            touch d/x
            realpath --relative-to=. l/x
            basename /a/b.c .c
            dirname /a/b/c
            readlink -m q/../r | sed 's,.*/,,'
            rmdir d
        """),
        status=1,
    ),
    Program(
        "files-dd-truncate",
        bash("""
            dd if=/dev/zero of=z bs=1k count=64 status=none
            truncate -s 100000 z
            stat -c %s z
            dd if=z bs=1000 skip=99 status=none | wc -c
            cmp z /dev/zero
        """),
        status=1,
    ),
    Program(
        "files-many",
        bash("""
            mkdir d
            cd d
            touch $(seq 1000)
            ls | wc -l
            ls | sort -n | tail -1
            rm $(seq 2 1000)
            ls
        """),
    ),
    Program(
        "files-sparse-sync",
        bash("""
            truncate -s 1M s
            echo end >> s
            sync s
            tail -c 4 s
            cp --sparse=always s t
            cmp s t && echo same
            shred -u t
            ls
        """),
    ),
    Program(
        "files-mktemp",
        bash("""
            d=$(mktemp -d ./XXXX)
            f=$(mktemp $d/fileXXXXXX)
            stat -c '%a %F' $d $f
            mkfifo $d/p
            mknod $d/q p
            ls $d | wc -l
        """),
    ),
    Program(
        "files-errors",
        bash("""
            cat missing
            mkdir a a
            rmdir b
            cp a b
            rm a
            mv c d
            ln -s x y
            cat y
            ls nothere
        """),
        status=2,
    ),
    Program(
        "process-env-nice",
        bash("""
            env -i A=1 B=2 /usr/bin/env
            env -u HOME printenv HOME
            echo $?
            echo $(($(nice -n 3 nice) - $(nice)))
            nohup true
            stdbuf -o0 echo unbuffered
        """),
    ),
    Program(
        "process-timeout",
        bash("""
            timeout 0.05 sleep 100
            echo $?
            timeout -s KILL 0.05 sleep 100
            echo $?
            timeout 10 true
            echo $?
        """),
        stderr=False,
    ),
    Program(
        "process-xargs",
        bash("""
            seq 20 | xargs -n 5 echo
            seq 8 | xargs -P 4 -I{} sh -c 'echo {}' | sort
            echo a b | xargs -n1 false
            echo $?
        """),
    ),
    Program(
        "process-sigpipe",
        bash("""
            yes | head -2
            set -o pipefail
            yes | true
            echo $?
            echo ok | tee /dev/full | cat
            seq 3 | tee a b | wc -l
        """),
        stderr=False,
    ),
    Program(
        "process-kill-list",
        bash("""
            sleep 100 & kill -STOP $!
            kill -CONT $!
            kill -9 $!
            wait $!
            echo $?
            kill -l 15
            kill -0 $$
            echo $?
        """),
        stderr=False,
    ),
    Program(
        "test-and-true",
        bash("""
            test -e /etc/passwd
            echo $?
            [ a = b ]
            echo $?
            test 3 -gt 2
            echo $?
            true
            echo $?
            false
            echo $?
        """),
    ),
]
