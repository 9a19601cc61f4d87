"""Databases and servers: processes that share files, memory and sockets, and that survive a kill -9."""

from __future__ import annotations

from tests.programs.program import PLYVEL, POSTGRESQL, Program, bash, python

SQLITE = [
    Program(
        "sqlite3-wal-readers-and-writers",
        python("""
            import multiprocessing, sqlite3

            def write(first):
                base = sqlite3.connect("base.db", timeout=60, isolation_level=None)
                for n in range(first, first + 50):
                    base.execute("insert into t values (?)", (n,))

            def read(_):
                base = sqlite3.connect("base.db", timeout=60)
                counts = [base.execute("select count(*) from t").fetchone()[0] for _ in range(50)]
                return counts == sorted(counts)

            base = sqlite3.connect("base.db")
            print(base.execute("pragma journal_mode = wal").fetchone())
            base.execute("create table t (n)")
            base.commit()
            with multiprocessing.Pool(4) as pool:
                writing = pool.map_async(write, [0, 1000])
                print(all(pool.map(read, range(2))))
                writing.get()
            print(base.execute("select count(*), sum(n) from t").fetchone())
            print(base.execute("pragma wal_checkpoint(truncate)").fetchone())
        """),
    ),
    Program(
        "sqlite3-recovers-after-kill",
        python("""
            import os, signal, sqlite3

            def killed(mode):
                base = sqlite3.connect(f"{mode}.db", isolation_level=None)
                base.execute(f"pragma journal_mode = {mode}")
                base.execute("pragma cache_size = 2")  # so that much of the transaction is in the file
                base.execute("create table t (n, filler)")
                base.execute("insert into t values (1, 'kept')")
                base.execute("begin")
                base.executemany("insert into t values (?, ?)", ((n, "x" * 500) for n in range(2000)))
                os.kill(os.getpid(), signal.SIGKILL)

            for mode in "delete", "wal":
                if (child := os.fork()) == 0:
                    killed(mode)
                print(os.waitpid(child, 0)[1], sorted(n for n in os.listdir() if n.startswith(mode)))
                base = sqlite3.connect(f"{mode}.db")
                print(base.execute("select * from t").fetchall())
                print(base.execute("pragma integrity_check").fetchall())
                base.close()
                print(sorted(n for n in os.listdir() if n.startswith(mode)))
        """),
    ),
    Program(
        "sqlite3-shared-cache-and-mmap",
        python("""
            import sqlite3, threading

            uri = "file:base.db?cache=shared"
            first, second = (sqlite3.connect(uri, uri=True, check_same_thread=False) for _ in range(2))
            first.execute("pragma mmap_size = 16777216")
            first.execute("create table t (n, filler)")
            first.executemany("insert into t values (?, ?)", ((n, "y" * 1000) for n in range(3000)))
            try:
                second.execute("select count(*) from t")
            except sqlite3.OperationalError as error:
                print(error)
            first.commit()
            sums = []
            query = "select sum(n), sum(length(filler)) from t"
            work = lambda base: sums.append(base.execute(query).fetchone())
            threads = [threading.Thread(target=work, args=(base,)) for base in (first, second)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            print(sums)
        """),
    ),
]

LEVELDB = [
    Program(
        "leveldb-lock-compaction-kill",
        python("""
            import os, signal, plyvel

            base = plyvel.DB("base", create_if_missing=True, write_buffer_size=65536)
            for n in range(5000):
                base.put(b"k%06d" % n, b"v" * (n % 300))
            snapshot = base.snapshot()
            base.delete(b"k000001")
            base.compact_range()
            print(len(list(base.iterator())), len(list(snapshot.iterator())))

            def opened_elsewhere():
                try:
                    plyvel.DB("base")
                except plyvel.IOError as error:
                    print(error, flush=True)
                    os._exit(7)

            def killed():
                with plyvel.DB("base").write_batch(sync=True) as batch:
                    for n in range(100):
                        batch.put(b"z%d" % n, b"")
                os.kill(os.getpid(), signal.SIGKILL)

            for body in opened_elsewhere, killed:
                if (child := os.fork()) == 0:
                    body()
                print(os.waitpid(child, 0)[1], flush=True)
                base.close()
            base = plyvel.DB("base")
            print(len(list(base.iterator(prefix=b"z"))), len(list(base.iterator())))
            base.close()
            plyvel.repair_db("base")
            plyvel.destroy_db("base")
        """),
        needs=(PLYVEL,),
    ),
]

REDIS = [
    Program(
        "redis-over-a-unix-socket",
        bash("""
            redis-server --port 0 --unixsocket s --save '' --appendonly yes --daemonize no > log 2>&1 &
            server=$!
            redis() { redis-cli -s s "$@"; }
            until [ "$(redis ping 2>&1)" = PONG ]; do sleep 0.01; done
            redis set a 1; redis incr a; redis lpush l x y z; redis lrange l 0 -1; redis zadd z 2 b 1 a
            redis eval 'return redis.call("zrange", KEYS[1], 0, -1)' 1 z
            (echo multi; echo incr a; echo incr a; echo exec) | redis
            seq 2000 | sed 's/.*/set key:& value-&/' | redis --pipe | grep -E 'errors|replies'
            redis dbsize
            redis-benchmark -s s -n 1000 -c 20 -P 4 -t get,lpush -q | tr '\\r' '\\n' | grep -c 'per second'
            redis bgsave; redis bgrewriteaof >&2
            until redis info persistence | grep -q 'rdb_bgsave_in_progress:0'; do sleep 0.01; done
            redis info persistence | grep last_bgsave_status
            kill -9 $server; wait $server; echo $?; rm s
            redis-server --port 0 --unixsocket s --save '' --appendonly yes --daemonize no >> log 2>&1 &
            until [ "$(redis ping 2>&1)" = PONG ]; do sleep 0.01; done
            redis get a; redis get key:1999; redis shutdown nosave; wait; echo $?
        """),
        stderr=False,
        needs=("redis-server",),
    ),
]

POSTGRES = [
    Program(
        "postgresql-crash-and-recovery",
        bash(r"""
            PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
            export PGDATA=$PWD/data PGHOST=$PWD/data PGDATABASE=postgres
            mkdir data; as() { "$@"; }
            if [ "$(id -u)" = 0 ]; then
                chown postgres data
                as() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
            fi
            start() { as pg_ctl start -w -s -l data/log; }
            sql() { as psql -At -c "$@"; }
            as initdb -A trust -E UTF8 > /dev/null
            printf "listen_addresses = ''\nunix_socket_directories = '$PGDATA'\n" >> data/postgresql.conf
            start
            as psql -q -c 'create table t (n int primary key, filler text)'
            as psql -q -c "insert into t select n, repeat('x', n % 100) from generate_series(1, 20000) n"
            as pgbench -i -q > init 2>&1 && as pgbench -c 4 -j 2 -t 25 -n | grep -E 'processed|failed'
            sql 'select sum(abalance) - (select sum(delta) from pgbench_history) from pgbench_accounts'
            sql "begin; listen l; notify l, 'said'; commit" | sed 's/PID.*//'
            sql 'set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0;
                set min_parallel_table_scan_size = 0; select count(*), sum(n), sum(length(filler)) from t'
            as psql -q -c 'begin; delete from t; select pg_sleep(60)' > killed 2>&1 &
            until sql 'select query from pg_stat_activity' | grep -q '^begin; delete'; do sleep 0.02; done
            kill -9 $(head -1 data/postmaster.pid); wait
            until start; do sleep 0.1; done  # the killed server's processes must have gone
            grep -c 'was not properly shut down' data/log
            sql 'select count(*), sum(n) from t'
            as pg_ctl stop -s -m fast
        """),
        stderr=False,
        needs=(POSTGRESQL,),
        slow=True,
    ),
]

SERVERS = SQLITE + LEVELDB + REDIS + POSTGRES
