"""The classic tools around coreutils: find, grep, sed, awk, diff, tar, gzip and friends."""

from __future__ import annotations

from tests.programs.program import Program, bash

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
            awk 'function f(n) { return n < 2 ? n : f(n - 1) + f(n - 2) }
                BEGIN {
                    print f(20)
                    printf "%5.2f|%s\n", 3.14159, toupper("x")
                    while (("echo sub" | getline line) > 0) print line
                    print "sorted" | "sort"
                    close("sort")
                    exit 3
                }'
        """),
        status=3,
        needs=("mawk",),
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
            options="--sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=644"
            tar $options -cf - d/a d/b | gzip -n | sha256sum
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
            cipher="-aes-256-cbc -pbkdf2 -k secret -S 0102030405060708"
            seq 9 | openssl enc $cipher | openssl enc -d $cipher | tail -1
            openssl rand 32 | wc -c
        """),
        needs=("openssl",),
    ),
]

TOOLS = SEARCH_AND_EDIT + ARCHIVES
