"""Interpreters: python3 and perl."""

from __future__ import annotations

from tests.programs.program import PYTHON, Program, bash, perl, python

PYTHONS = [
    Program("python-expression", python("print(6 * 7, 2 ** 100, 1 / 3)")),
    Program("python-exit-status", python("import sys; print('no', file=sys.stderr); sys.exit(5)"), status=5),
    Program("python-traceback", python("def f(): raise ValueError('wrong')\nf()"), status=1),
    Program(
        "python-killed",
        python("""
            import os, signal
            if (child := os.fork()) == 0:
                os.kill(os.getpid(), signal.SIGTERM)
            os._exit(128 + os.WTERMSIG(os.waitpid(child, 0)[1]))
        """),
        status=143,
    ),
    Program(
        "python-json",
        python("""
            import json, sys
            data = {"numbers": list(range(5)), "nested": {"a": None, "b": [True, 1.5, "\\u00e9"]}}
            text = json.dumps(data, sort_keys=True, indent=1)
            print(text)
            assert json.loads(text) == data
        """),
    ),
    Program(
        "python-ssl",
        bash("""
            openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -subj /CN=localhost 2>/dev/null
            cat > handshake.py <<'END'
            import ssl
            server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.load_cert_chain("cert", "key")
            client = ssl.create_default_context(cafile="cert")
            a_in, a_out, b_in, b_out = (ssl.MemoryBIO() for _ in range(4))
            sides = [
                client.wrap_bio(a_in, a_out, server_hostname="localhost"),
                server.wrap_bio(b_in, b_out, server_side=True),
            ]
            done = set()
            while len(done) < 2:
                for number, side in enumerate(sides):
                    try:
                        side.do_handshake()
                        done.add(number)
                    except ssl.SSLWantReadError:
                        pass
                    b_in.write(a_out.read())
                    a_in.write(b_out.read())
            sides[0].write(b"secret")
            b_in.write(a_out.read())
            print(sides[0].version(), sides[1].read())
            END
            /usr/bin/python3 handshake.py
        """),
        needs=("openssl",),
    ),
    Program(
        "python-sqlite3",
        python("""
            import sqlite3
            base = sqlite3.connect("base.db")
            base.execute("pragma journal_mode=wal")
            base.execute("create table rows (id integer primary key, name text)")
            with base:
                base.executemany("insert into rows values (?, ?)", ((i, f"name {i}") for i in range(2000)))
            try:
                with base:
                    base.execute("insert into rows values (1, 'again')")
            except sqlite3.IntegrityError as error:
                print(error)
            print(base.execute("select count(*), sum(id), max(name) from rows").fetchone())
            print(sqlite3.connect("base.db").execute("pragma integrity_check").fetchone())
        """),
    ),
    Program(
        "python-subprocess",
        python("""
            import subprocess, sys
            print(subprocess.run(["sort", "-r"], input="a\\nb\\nc\\n", text=True, capture_output=True).stdout)
            print(subprocess.run("exit 3", shell=True).returncode)
            print(subprocess.run(["sh", "-c", "kill -9 $$"]).returncode)
            first = subprocess.Popen(["seq", "100"], stdout=subprocess.PIPE)
            second = subprocess.Popen(["tail", "-1"], stdin=first.stdout, stdout=subprocess.PIPE)
            print(second.communicate(), first.wait())
            try:
                subprocess.run(["sleep", "100"], timeout=0.05)
            except subprocess.TimeoutExpired:
                print("timed out")
            try:
                subprocess.run(["/nowhere/program"])
            except FileNotFoundError as error:
                print(error)
        """),
    ),
    Program(
        "python-threading",
        python("""
            import queue, threading
            work, results, lock, total = queue.Queue(), [], threading.Lock(), 0
            def worker():
                while (item := work.get()) is not None:
                    with lock:
                        results.append(item * item)
            threads = [threading.Thread(target=worker) for _ in range(8)]
            for thread in threads: thread.start()
            for number in range(1000): work.put(number)
            for _ in threads: work.put(None)
            for thread in threads: thread.join()
            event = threading.Event()
            threading.Timer(0.01, event.set).start()
            print(len(results), sum(results), event.wait(), threading.active_count() >= 1)
        """),
    ),
    Program(
        "python-asyncio-unix-server",
        python("""
            import asyncio
            async def serve(reader, writer):
                while line := await reader.readline():
                    writer.write(line.upper())
                    await writer.drain()
                writer.close()
            async def ask(number):
                reader, writer = await asyncio.open_unix_connection("socket")
                answers = []
                for turn in range(10):
                    writer.write(f"client {number} turn {turn}\\n".encode())
                    answers.append((await reader.readline()).decode().strip())
                writer.close()
                return answers[-1]
            async def main():
                server = await asyncio.start_unix_server(serve, "socket")
                print(*await asyncio.gather(*map(ask, range(20))), sep="\\n")
                process = await asyncio.create_subprocess_shell("echo child; exit 3", stdout=-1)
                print(await process.communicate(), process.returncode)
                try:
                    await asyncio.wait_for(asyncio.sleep(100), 0.01)
                except asyncio.TimeoutError:
                    print("timeout")
                server.close()
            asyncio.run(main())
        """),
    ),
    Program(
        "python-multiprocessing",
        python("""
            import multiprocessing
            def square(number):
                return number * number
            if __name__ == "__main__":
                with multiprocessing.get_context("fork").Pool(3) as pool:
                    print(pool.map(square, range(50)))
        """),
    ),
    Program(
        "python-signals",
        python("""
            import os, select, signal, time
            seen = []
            signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
            os.kill(os.getpid(), signal.SIGUSR1)
            signal.signal(signal.SIGALRM, lambda number, frame: seen.append(number))
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            signal.pause()
            reader, writer = os.pipe()
            os.set_blocking(writer, False)
            signal.set_wakeup_fd(writer)
            os.kill(os.getpid(), signal.SIGUSR1)
            print(select.select([reader], [], [], 5)[0] == [reader], [signal.Signals(n).name for n in seen])
            print(signal.sigtimedwait([signal.SIGUSR2], 0))
        """),
    ),
    Program(
        "python-files-and-mmap",
        python("""
            import fcntl, mmap, os, shutil, tempfile, glob, pathlib
            with open("f", "w+b") as file:
                file.truncate(10000)
                with mmap.mmap(file.fileno(), 0) as view:
                    view[5000:5005] = b"hello"
                    print(view.find(b"hello"))
                file.seek(5000)
                print(file.read(5))
                fcntl.flock(file, fcntl.LOCK_EX)
            os.makedirs("a/b/c")
            pathlib.Path("a/b/x.txt").write_text("text")
            shutil.copytree("a", "z", symlinks=True)
            print(sorted(glob.glob("**/*.txt", recursive=True)), shutil.disk_usage(".").total > 0)
            with tempfile.TemporaryDirectory() as directory:
                print(os.path.isdir(directory))
            print(os.path.exists(directory), [entry.name for entry in os.scandir("a")])
            shutil.rmtree("z")
            print(sorted(os.listdir()))
        """),
    ),
    Program(
        "python-pty",
        python("""
            import os, pty
            pid, fd = pty.fork()
            if pid == 0:
                script = "test -t 0 && echo terminal; read line; echo got $line; stty size"
                os.execvp("sh", ["sh", "-c", script])
            os.write(fd, b"typed\\n")
            output = b""
            try:
                while chunk := os.read(fd, 1000):
                    output += chunk
            except OSError as error:
                print(error.strerror)
            print(sorted(output.decode().split()), os.waitpid(pid, 0)[1])
        """),
    ),
    Program(
        "python-heavy-imports",
        python("""
            import argparse, asyncio, ctypes, dataclasses, decimal, email.message, hashlib, http.client
            import inspect, logging, lzma, multiprocessing, re, sqlite3, ssl, tarfile, unittest, zipfile
            import urllib.request, xml.dom
            print(hashlib.sha256(b"x").hexdigest())
            print(ctypes.CDLL(None).getpid() > 0, decimal.Decimal(1) / 7, re.sub("a+", "b", "caaat"))
        """),
    ),
    Program("python-standard-input", [PYTHON, "-"], stdin=b"import sys\nprint(sys.argv, sum(range(1000)))\n"),
]

PERLS = [
    Program(
        "perl-text",
        perl(r"""
            use strict;
            my %count;
            $count{$_}++ for split //, 'mississippi';
            print join(',', map { "$_=$count{$_}" } sort keys %count), "\n";
            (my $text = 'Hello World') =~ s/(\w+) (\w+)/$2 $1/;
            printf "%s %05.2f %s\n", $text, 3.14159, scalar reverse 'abc';
        """),
    ),
    Program(
        "perl-processes",
        perl(r"""
            use strict;
            $| = 1;
            my $pid = fork;
            if (!$pid) { print "child\n"; exit 3 }
            waitpid $pid, 0;
            print $? >> 8, "\n";
            open my $pipe, '-|', 'seq 5' or die;
            print "got $_" while <$pipe>;
            close $pipe;
            print `echo captured`;
            local $SIG{ALRM} = sub { die "alarm\n" };
            eval { alarm 1000; select undef, undef, undef, 0.01; alarm 0; die "no alarm\n" };
            print $@;
            local $SIG{USR1} = sub { print "signal\n" };
            kill USR1 => $$;
            system 'kill -9 $$';
            print $? & 127, "\n";
        """),
    ),
    Program(
        "perl-files",
        perl(r"""
            use strict;
            open my $file, '>', 'f' or die;
            print $file "line $_\n" for 1..1000;
            close $file;
            print -s 'f', "\n";
            open $file, '<', 'f';
            my @lines = <$file>;
            print scalar @lines, $lines[-1];
            mkdir 'd';
            rename 'f', 'd/g';
            print join(' ', glob 'd/*'), "\n";
            opendir my $directory, 'd';
            print join(' ', sort readdir $directory), "\n";
            print -e 'f' ? 'there' : 'gone', "\n";
        """),
    ),
    Program("perl-die", perl("die 'on purpose'"), status=255),
]

LANGUAGES = PYTHONS + PERLS
