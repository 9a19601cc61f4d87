"""Go, node and Java: runtimes with threads, signals and memory management of their own; pip, npm and dpkg."""

from __future__ import annotations

from tests.programs.program import ENSUREPIP, PIP, Program, bash

RUNTIMES = [
    Program(
        "go-build-and-run",
        bash(r"""
            export GOCACHE=$PWD/cache GO111MODULE=off GOFLAGS=-p=2
            cat > main.go <<'END'
            package main

            import (
                "fmt"
                "io"
                "net"
                "os"
                "os/exec"
                "os/signal"
                "runtime"
                "syscall"
                "time"
            )

            func fib(n int) int {
                if n < 2 {
                    return n
                }
                return fib(n-1) + fib(n-2)
            }

            func echo(listener net.Listener) {
                for {
                    c, err := listener.Accept()
                    if err != nil {
                        return
                    }
                    go func() { io.Copy(c, c); c.Close() }()
                }
            }

            func main() {
                results := make(chan int)
                for i := 0; i < 50; i++ {
                    go func(i int) { results <- fib(15 + i%8) }(i)
                }
                sum := 0
                for i := 0; i < 50; i++ {
                    sum += <-results
                }
                fmt.Println(sum)
                go func() { for { } }() // preempted by a signal, or the garbage collector waits for ever
                time.Sleep(time.Millisecond)
                runtime.GC()
                listener, err := net.Listen("unix", "s")
                go echo(listener)
                for i := 0; i < 20; i++ {
                    c, err := net.Dial("unix", "s")
                    fmt.Fprintf(c, "hello %d", i)
                    c.(*net.UnixConn).CloseWrite()
                    answer, _ := io.ReadAll(c)
                    fmt.Println(string(answer), err)
                }
                arrived := make(chan os.Signal, 1)
                signal.Notify(arrived, syscall.SIGUSR1)
                syscall.Kill(os.Getpid(), syscall.SIGUSR1)
                fmt.Println(<-arrived)
                output, err := exec.Command("/bin/sh", "-c", "echo child; exit 3").Output()
                fmt.Printf("%q %v\n", output, err)
                defer func() { fmt.Println(recover()) }()
                var nowhere *int
                *nowhere = 1
            }
            END
            go build -o program main.go && ./program && go vet main.go
        """),
        needs=("go",),
        slow=True,
    ),
    Program(
        "node-workers",
        bash("""
            cat > main.js <<'END'
            const { Worker, isMainThread, parentPort, workerData } = require("worker_threads");
            if (isMainThread) {
              const counter = new Int32Array(new SharedArrayBuffer(8));
              const work = (n) => new Promise((resolve, reject) => {
                const worker = new Worker(__filename, { workerData: { n, counter } });
                worker.on("message", resolve).on("error", reject);
              });
              Promise.all([0, 1, 2, 3].map(work)).then((sums) => {
                console.log(sums, counter[0]);
                console.log(require("child_process").execSync("echo child | cat").toString());
                const server = require("net").createServer((c) => c.pipe(c)).listen("s", () => {
                  const c = require("net").connect("s", () => c.end("echoed"));
                  c.on("data", (data) => console.log(data.toString())).on("close", () => server.close());
                });
              });
            } else {
              const { n, counter } = workerData;
              for (let i = 0; i < 1000; i++) Atomics.add(counter, 0, 1);
              Atomics.wait(counter, 1, 0, 5);
              let sum = 0;
              for (let i = 0; i < 1e6; i++) sum += i * n;
              parentPort.postMessage(sum);
            }
            END
            node main.js
        """),
        needs=("node",),
    ),
    Program(
        "java-threads",
        bash("""
            cat > Main.java <<'END'
            import java.net.*;
            import java.nio.ByteBuffer;
            import java.nio.channels.*;
            import java.nio.file.*;
            import java.util.*;
            import java.util.concurrent.*;

            public class Main {
                static int deep(int n) { return deep(n + 1) + 1; }

                public static void main(String[] arguments) throws Exception {
                    ExecutorService pool = Executors.newFixedThreadPool(4);
                    List<Future<Long>> parts = new ArrayList<>();
                    for (int i = 0; i < 40; i++) {
                        final int n = i;
                        parts.add(pool.submit(() -> {
                            long sum = 0;
                            for (int k = 0; k < 100000; k++) sum += k ^ n;
                            return sum;
                        }));
                    }
                    long sum = 0;
                    for (Future<Long> part : parts) sum += part.get();
                    pool.shutdown();
                    System.out.println(sum + " " + pool.awaitTermination(60, TimeUnit.SECONDS));
                    var address = UnixDomainSocketAddress.of("s");
                    var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(address);
                    var client = SocketChannel.open(address);
                    client.write(ByteBuffer.wrap("hello".getBytes()));
                    System.out.println(server.accept().read(ByteBuffer.allocate(10)));
                    Object nothing = arguments.length > 9 ? "" : null;
                    try { nothing.hashCode(); } catch (NullPointerException e) { System.out.println("null"); }
                    try { deep(0); } catch (StackOverflowError e) { System.out.println("overflow"); }
                    System.out.println(new ProcessBuilder("sh", "-c", "exit 5").start().waitFor());
                    for (int i = 0; i < 100; i++) { byte[] garbage = new byte[1 << 20]; }
                    System.gc();
                    var file = FileChannel.open(Path.of("f"), StandardOpenOption.CREATE,
                        StandardOpenOption.READ, StandardOpenOption.WRITE);
                    var map = file.map(FileChannel.MapMode.READ_WRITE, 0, 4096);
                    map.put(0, (byte) 7);
                    map.force();
                    System.out.println(file.size() + " " + (file.tryLock() != null));
                }
            }
            END
            java -XX:+UseG1GC Main.java
        """),
        needs=("java",),
        slow=True,
    ),
]

PACKAGE_MANAGERS = [
    Program(
        "pip-install-a-wheel",
        bash("""
            info=one-1.0.dist-info
            mkdir $info
            echo 'answer = 42' > one.py
            printf 'Metadata-Version: 2.1\\nName: one\\nVersion: 1.0\\n' > $info/METADATA
            printf 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n' > $info/WHEEL
            printf '[console_scripts]\\none = one:main\\n' > $info/entry_points.txt
            printf '%s,,\\n' one.py $info/{METADATA,WHEEL,RECORD,entry_points.txt} > $info/RECORD
            python3 -m zipfile -c one-1.0-py3-none-any.whl one.py one-1.0.dist-info
            rm one.py
            pip() { python3 -I $(ls /usr/share/python-wheels/pip-*.whl)/pip "$@"; }
            pip install --no-index --find-links . --target lib --quiet one
            pip list --path lib
            find lib -type f | sort
            PYTHONPATH=lib python3 -c 'import one; print(one.answer)'
        """),
        needs=(PIP,),
        slow=True,
    ),
    Program(
        "npm-ci",
        bash("""
            mkdir dep app
            echo '{"name": "dep", "version": "1.0.0", "bin": {"say": "say.js"}}' > dep/package.json
            printf '#!/usr/bin/env node\\nconsole.log("said")\\n' > dep/say.js
            (cd dep && npm pack --silent)
            cd app
            echo '{"name": "app", "version": "1.0.0", "dependencies": {"dep": "file:../dep/dep-1.0.0.tgz"},
                "scripts": {"start": "say", "postinstall": "echo after > after"}}' > package.json
            npm install --offline --no-audit --no-fund --silent --cache ../cache
            rm -r node_modules
            npm ci --offline --no-audit --no-fund --silent --cache ../cache
            npm start --silent; cat after; find node_modules -type f | sort
        """),
        needs=("npm",),
        slow=True,
    ),
    Program(
        "dpkg-build-install-remove",
        bash("""
            mkdir -p one/DEBIAN one/usr/bin one/etc root/var/lib/dpkg/{updates,info} root/{bin,tmp}
            touch root/var/lib/dpkg/{status,available}
            printf 'Package: one\\nVersion: 1.0\\nArchitecture: all\\nMaintainer: A <a@example.org>\\n' \
                > one/DEBIAN/control
            printf 'Description: one\\n' >> one/DEBIAN/control
            echo /etc/one.conf > one/DEBIAN/conffiles
            echo setting > one/etc/one.conf
            printf '#!/bin/sh\\necho one\\n' > one/usr/bin/one
            chmod 755 one/usr/bin/one
            dpkg-deb --root-owner-group --build one one.deb
            dpkg-deb --contents one.deb | awk '{print $1, $2, $6}'
            dpkg() { command dpkg --root=$PWD/root --force-not-root --force-bad-path --log=/dev/null "$@"; }
            dpkg --install one.deb
            dpkg --list one | tail -1; dpkg --verify one; root/usr/bin/one
            echo changed > root/etc/one.conf; dpkg --verify one
            dpkg --remove one; find root/etc root/usr -type f
            dpkg --purge one; find root/etc root/usr -type f; dpkg --audit
        """),
        needs=("dpkg-deb",),
    ),
    Program(
        "venv-with-pip",
        bash("""
            mkdir one
            printf '[build-system]\\nrequires = []\\nbuild-backend = "b"\\nbackend-path = ["."]\\n' \
                > one/pyproject.toml
            cat > one/b.py << END
            import zipfile

            INFO = "one-1.0.dist-info/"
            FILES = {
                "one.py": "def main(): print('from one')",
                INFO + "METADATA": "Metadata-Version: 2.1\\nName: one\\nVersion: 1.0\\n",
                INFO + "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
                INFO + "entry_points.txt": "[console_scripts]\\none = one:main\\n",
                INFO + "RECORD": "",
            }


            def build_wheel(directory, settings=None, metadata=None):
                name = "one-1.0-py3-none-any.whl"
                with zipfile.ZipFile(f"{directory}/{name}", "w") as wheel:
                    for path, text in FILES.items():
                        wheel.writestr(path, text)
                return name
            END
            python3 -m venv v
            v/bin/pip install --quiet --no-index ./one
            v/bin/one; v/bin/pip check
            v/bin/pip uninstall --quiet --yes one; ls v/bin
        """),
        needs=(ENSUREPIP,),
        slow=True,
    ),
    Program(
        "apt-get-from-a-local-repository",
        bash(r"""
            mkdir -p repo root/var/lib/dpkg/{updates,info} root/{bin,tmp}
            mkdir -p root/etc/apt/{apt.conf,sources.list,preferences,trusted.gpg}.d
            mkdir -p root/var/{cache/apt/archives,lib/apt/lists}/partial root/var/log/apt
            touch root/var/lib/dpkg/{status,available}
            pack() {
                mkdir -p $1/DEBIAN $1/usr/share/$1
                echo "I am $1" > $1/usr/share/$1/text
                printf 'Package: %s\nVersion: 1.0\nArchitecture: all\nMaintainer: A <a@example.org>\n' $1 \
                    > $1/DEBIAN/control
                printf "${2}Description: $1\n" >> $1/DEBIAN/control
                dpkg-deb --root-owner-group --build $1 repo/$1.deb > $1.log
                cat $1/DEBIAN/control
                printf 'Filename: ./%s.deb\nSize: %s\n' $1 $(stat -c %s repo/$1.deb)
                printf 'SHA256: %s\n\n' $(sha256sum < repo/$1.deb | cut -d' ' -f1)
            }
            pack library > library.entry
            pack program 'Depends: library\n' > program.entry
            cat *.entry > repo/Packages
            echo "deb [trusted=yes] file:$PWD/repo ./" > root/etc/apt/sources.list
            cat > apt.conf << END
                Dir "$PWD/root"; Dir::Bin::methods "/usr/lib/apt/methods"; Dir::Log::Planner "";
                APT::Architecture "amd64"; APT::Sandbox::User "root";
                DPkg::Options {"--root=$PWD/root"; "--force-not-root"; "--force-bad-path"; };
                DPkg::Options {"--log=/dev/null"; };
            END
            export APT_CONFIG=$PWD/apt.conf DEBIAN_FRONTEND=noninteractive
            apt-get -qq update
            apt-cache policy program
            apt-get -q --yes install program | grep -vE '^Get:|^Need to get|^Preparing'
            cat root/usr/share/*/text
            apt-get -q check; apt-mark showauto
            apt-get -q --yes purge --autoremove program
            find root/usr; ls root/var/log/apt
        """),
        needs=("dpkg-deb", "apt-get"),
        slow=True,
    ),
]
