"""coreutils and the classic tools around them: find, grep, sed, awk, tar, gzip and friends."""

from __future__ import annotations

from tests.programs.programs import Program, bash

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
            stat -c '%s %h %a %F %Y %n' f g .
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
            nice -n 3 nice
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

SEARCH_AND_EDIT = [
    Program(
        "find-predicates",
        bash("""
            mkdir -p a/b c
            touch a/x.c a/b/y.c c/z.h
            find . -name '*.c' | sort
            find . -type d | sort
            find . -empty -type f | wc -l
            find a -name x.c -exec echo found {} ';' -delete
            find . -newer a/b | sort
        """),
    ),
    Program(
        "find-usr-include",
        bash("""
            find /usr/include -name 'std*.h' | sort | head -20
            find /usr/share/perl -type d 2>&1 | wc -l
        """),
    ),
    Program(
        "find-print0-xargs",
        bash(r"""
            touch 'a b' 'c d'
            find . -type f -print0 | sort -z | xargs -0 -n1 echo
            find . -maxdepth 0 -printf '%y %m\n' | cut -c1
            find / -maxdepth 1 -name etc
        """),
    ),
    Program("find-errors", bash("find /nowhere"), status=1),
    Program(
        "grep-forms",
        bash(r"""
            printf 'one\ntwo\nthree\n' > f
            grep -n t f
            grep -c e f
            grep -v o f
            grep -E '^t(w|h)' f
            grep -o '[aeiou]' f | sort | uniq -c
            grep -P '\bthr' f
            grep -F . f
            echo $?
        """),
    ),
    Program(
        "grep-recursive",
        bash("""
            grep -rl 'define EOF' /usr/include --include=stdio.h
            grep -r -c root /etc/passwd
            grep -q root /etc/passwd
            echo $?
        """),
    ),
    Program("grep-nothing", bash("echo a | grep b"), status=1),
    Program(
        "sed-forms",
        bash(r"""
            seq 10 > f
            sed -n '3,5p' f
            sed '2d;s/1/one/g' f | head -3
            sed -i 's/^/x/' f
            tail -1 f
            echo abc | sed -E 's/(a)(b)/\2\1/;y/c/C/'
            seq 4 | sed 'N;s/\n/ /'
        """),
    ),
    Program("sed-error", bash("sed 's/unterminated' /dev/null"), status=1),
    Program(
        "awk-fields",
        bash("""
            seq 10 | awk '{s+=$1} END {print s, NR}'
            awk -F: '$3==0{print $1}' /etc/passwd | head -1
            echo 'a b c' | awk '{print NF, $NF; $2="x"; print}'
        """),
        needs=("mawk",),
    ),
    Program(
        "awk-program",
        bash(r"""
            awk 'function f(n){return n<2?n:f(n-1)+f(n-2)} BEGIN{print f(20); printf "%5.2f|%s\n", 3.14159, toupper("x"); while (("echo sub" | getline l) > 0) print l; print "sorted" | "sort"; close("sort"); exit 3}'
        """),
        status=3, needs=("mawk",),
    ),
    Program(
        "diff-and-patch",
        bash("""
            seq 10 > a
            sed 's/5/five/;8d' a > b
            diff -u --label a --label b a b > p
            echo $?
            cat p
            patch -s a p
            cmp a b && echo same
            diff -rq . .
        """),
        needs=("diff", "patch"),
    ),
]

ARCHIVES = [
    Program(
        "tar-create-extract",
        bash("""
            mkdir -p d/e
            seq 1000 > d/f
            ln -s f d/l
            ln d/f d/h
            chmod 600 d/f
            tar cf t.tar d
            tar tf t.tar | sort
            rm -r d
            tar xf t.tar
            stat -c '%a %h %F' d/f d/l
            md5sum < d/h
        """),
    ),
    Program(
        "tar-gzip-deterministic",
        bash("""
            mkdir d
            seq 500 > d/a
            seq 600 > d/b
            tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=644 -cf - d/a d/b | gzip -n | sha256sum
        """),
    ),
    Program(
        "tar-system-tree",
        bash("""
            tar cf - -C /usr/include . | tar tf - | wc -l
            tar cf - -C /usr/include linux | tar xf -
            find linux -type f | wc -l
            diff -r linux /usr/include/linux && echo same
        """),
        needs=("diff",),
    ),
    Program("tar-error", bash("echo nonsense > t; tar xf t"), status=2),
    Program(
        "gzip-forms",
        bash("""
            seq 100000 > f
            gzip -9kn f
            gzip -t f.gz
            zcat f.gz | cmp - f && echo same
            rm f
            gunzip f.gz
            md5sum f
            echo x | gzip -c | zcat
        """),
    ),
    Program("gzip-corrupt", bash("echo nonsense > f.gz; gzip -d f.gz"), status=1),
    Program(
        "bzip2-xz",
        bash("""
            seq 20000 > f
            bzip2 -k f
            xz -k -T2 f
            bzcat f.bz2 | md5sum
            xzcat f.xz | md5sum
            md5sum < f
        """),
        needs=("bzip2", "xz"),
    ),
    Program(
        "openssl-tool",
        bash("""
            seq 100 | openssl dgst -sha256
            seq 9 | openssl enc -aes-256-cbc -pbkdf2 -k pw -S 0102030405060708 | openssl enc -d -aes-256-cbc -pbkdf2 -k pw -S 0102030405060708 | tail -1
            openssl rand 32 | wc -c
        """),
        needs=("openssl",),
    ),
]

TOOLS = COREUTILS + SEARCH_AND_EDIT + ARCHIVES
