"""Compilers, make, git and sqlite3: programs that start many others or write many files."""

from __future__ import annotations

from tests.programs.program import Program, bash

COMPILERS = [
    Program(
        "gcc-hello",
        bash(r"""
            printf '#include <stdio.h>\nint main(void) { puts("hello"); return 7; }\n' > hello.c
            gcc -O2 -Wall -o hello hello.c
            ./hello
        """),
        status=7,
        needs=("gcc",),
    ),
    Program(
        "gcc-static-library",
        bash(r"""
            echo 'int twice(int n) { return 2 * n; }' > twice.c
            echo 'int twice(int); int main(void) { return twice(21); }' > main.c
            gcc -c twice.c main.c && ar rcs libtwice.a twice.o && ranlib libtwice.a && nm libtwice.a | tail -1
            gcc -static -o main main.o -L. -ltwice
            ./main
        """),
        status=42,
        needs=("gcc",),
    ),
    Program(
        "gcc-shared-library",
        bash(r"""
            echo 'int answer = 41; int next(void) { return ++answer; }' > lib.c
            cat > main.c <<'END'
            #include <dlfcn.h>
            #include <stdio.h>
            int main(void)
            {
                int (*next)(void) = dlsym(dlopen("./lib.so", RTLD_NOW), "next");
                printf("%d\n", next());
                return dlopen("./missing.so", RTLD_NOW) != NULL;
            }
            END
            gcc -shared -fPIC -o lib.so lib.c && gcc -o main main.c
            ./main
        """),
        needs=("gcc",),
    ),
    Program(
        "gcc-threads",
        bash(r"""
            cat > threads.c <<'END'
            #include <pthread.h>
            #include <stdatomic.h>
            #include <stdio.h>
            static atomic_long total;
            static void *work(void *n) { for (int i = 0; i < 100000; i++) total += (long)n; return NULL; }
            int main(void)
            {
                pthread_t t[4];
                for (long i = 0; i < 4; i++) pthread_create(&t[i], NULL, work, (void *)i);
                for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
                printf("%ld\n", (long)total);
            }
            END
            gcc -O1 -pthread -o threads threads.c && ./threads
        """),
        needs=("gcc",),
    ),
    Program(
        "gcc-segmentation-fault",
        bash(r"""
            ulimit -c 0
            echo 'int main(void) { *(volatile int *)8 = 1; }' > crash.c && gcc -o crash crash.c
            exec ./crash
        """),
        status=139,
        needs=("gcc",),
    ),
    Program(
        "gcc-error",
        bash("echo 'int main(void) { return undeclared; }' > wrong.c; gcc -c wrong.c"),
        status=1,
        needs=("gcc",),
    ),
    Program(
        "g++-program",
        bash(r"""
            cat > program.cc <<'END'
            #include <iostream>
            #include <map>
            #include <stdexcept>
            #include <string>
            #include <thread>
            int main()
            {
                std::map<std::string, int> lengths;
                for (std::string word : {"one", "three", "seventeen"}) lengths[word] = word.size();
                for (auto &[word, length] : lengths) std::cout << word << ' ' << length << '\n';
                try { throw std::runtime_error("thrown"); }
                catch (std::exception &error) { std::cout << error.what() << '\n'; }
                std::thread([] { std::cout << "thread" << std::endl; }).join();
                throw 5;
            }
            END
            ulimit -c 0
            g++ -std=c++17 -pthread -o program program.cc && ./program
            exit $?
        """),
        status=134,
        stderr=False,  # bash names the process that was aborted
        needs=("g++",),
    ),
    Program(
        "make-j2",
        bash(r"""
            {
                printf 'all: $(patsubst %%,out%%,1 2 3 4 5 6 7 8)\n\t@cat out* | sort\n'
                printf 'out%%:\n\t@sleep 0.01; echo built $* > $@\n'
            } > Makefile
            make -s -j2 && make -s -j2 -q all
            echo $?
            make -s
        """),
        needs=("make",),
    ),
    Program(
        "make-j2-of-c-sources",
        bash(r"""
            for i in 1 2 3 4 5 6; do echo "int f$i(void) { return $i; }" > f$i.c; done
            {
                for i in 1 2 3 4 5 6; do echo "int f$i(void);"; done
                echo 'int main(void) { return f1() + f2() + f3() + f4() + f5() + f6(); }'
            } > main.c
            printf 'program: main.o f1.o f2.o f3.o f4.o f5.o f6.o\n\t$(CC) -o $@ $^\n' > Makefile
            make -s -j2 && touch -d tomorrow f3.c && make -n | wc -l && make -s -j2 && ./program
        """),
        status=21,
        stderr=False,  # make warns of the time in the future
        needs=("make", "gcc"),
    ),
    Program(
        "make-error",
        bash(r"""
            printf 'all:\n\t@echo before\n\t@false\n\t@echo never\n' > Makefile
            make
        """),
        status=2,
        needs=("make",),
    ),
]

GIT_SETTINGS = """
    export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_AUTHOR_DATE='2020-01-01T00:00:00Z'
    export GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.org GIT_COMMITTER_DATE='2020-01-01T00:00:00Z'
    export GIT_CONFIG_NOSYSTEM=1
    git init -q -b main repository && cd repository
"""


def git(script: str) -> list[str]:
    """A script in a new repository; names and dates of commits are fixed, so that their hashes are too."""
    return ["/bin/bash", "-c", bash(GIT_SETTINGS)[2] + "\n" + bash(script)[2]]


GIT = [
    Program(
        "git-commit-log",
        git("""
            for i in $(seq 10); do echo $i >> file; git add file; git commit -q -m "commit $i"; done
            git log --oneline
            git log -1 --format='%H %an %ae %ad %s'
            git status --short
        """),
        needs=("git",),
    ),
    Program(
        "git-gc-fsck",
        git("""
            for i in 1 2 3 4 5; do seq $((i * 100)) > f$i; git add .; git commit -q -m $i; done
            git gc -q
            git count-objects -v | grep -E '^(count|in-pack|packs|garbage)'
            git fsck --full
            git rev-parse HEAD
            find .git/objects -type f | wc -l
        """),
        needs=("git",),
    ),
    Program(
        "git-branch-merge-diff",
        git("""
            change() { git checkout -q $1; sed -i $2 f; git commit -qam $1; }
            seq 5 > f; git add f; git commit -q -m base; git branch side
            change side s/1/one/; change main s/5/five/
            git merge -q --no-edit side; cat f
            git diff HEAD~1 --stat
            git log --graph --oneline | cat
            change main s/3/three/; change side s/3/drei/
            git merge main; echo $?
            git diff --name-only --diff-filter=U
        """),
        needs=("git",),
    ),
    Program(
        "git-clone-stash-bundle",
        git("""
            mkdir -p d/e; echo x > d/e/f; ln -s d/e/f l; git add .; git commit -q -m first; git tag v1
            git clone -q . ../copy; git -C ../copy rev-parse HEAD; git -C ../copy ls-files -s
            echo dirty > d/e/f; git stash -q; cat d/e/f; git stash pop -q; cat d/e/f
            git bundle create -q ../b --all; git bundle verify -q ../b; git archive v1 | tar tf -
            git blame -s d/e/f | wc -l
        """),
        needs=("git",),
    ),
]

DATABASES = [
    Program(
        "sqlite3-10000-rows",
        bash("""
            {
                echo 'create table t (id integer primary key, name text); begin;'
                seq 10000 | sed "s/.*/insert into t values (&, 'row &');/"
                echo 'commit;'
            } | sqlite3 base.db
            sqlite3 base.db 'select count(*), sum(id), max(name) from t; pragma integrity_check;'
            sqlite3 base.db 'create index i on t (name); select id from t where name = "row 777";'
            sqlite3 base.db 'delete from t where id % 2; vacuum; select count(*) from t;'
        """),
        needs=("sqlite3",),
    ),
    Program(
        "sqlite3-transactions-and-error",
        bash("""
            sqlite3 base.db 'create table t (n); pragma journal_mode = wal;'
            for i in 1 2 3 4 5; do sqlite3 base.db "begin immediate; insert into t values ($i); commit;"; done
            sqlite3 base.db 'begin; delete from t; rollback; select group_concat(n) from t;'
            sqlite3 base.db 'select * from missing'
        """),
        status=1,
        needs=("sqlite3",),
    ),
]

BUILDS = COMPILERS + GIT + DATABASES
