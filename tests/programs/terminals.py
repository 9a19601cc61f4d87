"""What lives on pseudoterminals: tmux, screen, script, editors, pagers, job control in interactive shells.

Each entry waits for what the screen must come to show; nothing depends on how fast it does.
"""

from __future__ import annotations

from textwrap import dedent

from tests.programs.program import Program, bash, python

# Waits until a command succeeds, a minute at most.
_AWAIT = """\
await() {
    for _ in $(seq 600); do
        if "$@"; then return; fi
        sleep 0.1
    done
    echo "never: $*"
    exit 9
}
"""

# A program on a terminal of its own: `type` is the keyboard, `see` waits for the screen, `end` for the exit.
_CONVERSATION = """\
import fcntl, os, pty, select, struct, sys, termios
seen = b""
def start(*argv):
    global child, fd
    child, fd = pty.fork()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        os.environ.update(TERM="vt100", PS1="READY> ", HISTFILE="", INPUTRC="/dev/null")
        os.execvp(argv[0], argv)
def type(keys):
    os.write(fd, keys.encode())
def see(text):
    global seen
    while text.encode() not in seen:
        if not select.select([fd], [], [], 60)[0]:
            sys.exit(f"never: {text!r} in {seen!r}")
        seen += os.read(fd, 4096)
    seen = seen.partition(text.encode())[2]
    print("saw", repr(text), flush=True)
def end():
    try:
        while os.read(fd, 4096):
            pass
    except OSError as error:
        print(error.strerror)
    print("status", os.waitpid(child, 0)[1])
"""


def waiting(script: str) -> list[str]:
    return bash(_AWAIT + dedent(script))


def conversation(script: str) -> list[str]:
    return python(_CONVERSATION + dedent(script))


MULTIPLEXERS = [
    Program(
        "tmux-detached-session",
        waiting("""
            export TERM=vt100
            unset TMUX
            mux() { tmux -S ./socket -f /dev/null "$@"; }
            shows() { mux capture-pane -p -t "$1" | grep -qx "$2"; }
            ended() { ! mux has-session 2> /dev/null; }
            for name in one two three; do
                mux new-session -d -s $name -x 100 -y 30 'PS1="ready " sh'
                await shows $name ready
                mux send-keys -t $name 'echo got $((6 * 7)); stty size' Enter
                await shows $name '30 100'
                mux capture-pane -p -t $name | grep -x 'got 42'
                mux resize-window -t $name -x 70 -y 20
                mux send-keys -t $name 'clear; stty size' Enter
                await shows $name '20 70'
                mux display-message -p -t $name '#{window_width}x#{window_height} #{pane_current_command}'
                mux split-window -t $name 'cat'
                mux list-panes -t $name -F '#{pane_index} #{pane_height} #{pane_tty}' | wc -l
                mux kill-session -t $name
                await ended  # the server goes after its last session: a new one must not meet it
            done
            echo over
        """),
        needs=("tmux",),
    ),
    Program(
        "screen-detached-session",
        waiting(r"""
            export TERM=vt100 SCREENDIR=$PWD/s
            mkdir -m 700 s
            screen -c /dev/null -dmS work sh
            await screen -S work -Q select . > /dev/null
            screen -S work -X stuff 'stty size > size; echo $((6 * 7)) > answer\n'
            await [ -s answer ]
            cat size answer
            screen -S work -X stuff 'clear; echo on the screen\n'
            shown() { screen -S work -X hardcopy copy; grep -qsx 'on the screen *' copy; }
            await shown
            screen -S work -X quit
            gone() { ! screen -ls | grep -q work; }
            await gone
            echo over
        """),
        needs=("screen",),
    ),
    Program(
        "script-records-a-terminal",
        bash(r"""
            script -qec 'stty -a | head -1; tty | sed s/[0-9]*$/N/; echo printed; exit 3' log < /dev/null
            echo $?
            grep -c printed log
        """),
    ),
]

PROGRAMS_ON_A_TERMINAL = [
    Program(
        "bash-job-control",
        conversation(r"""
            start("bash", "--norc", "-i")
            see("READY> ")
            type("sh -c 'echo beg''in; exec sleep 100'\n")
            see("begin\r\n")
            type("\x1a")
            see("Stopped")
            type("bg\n")
            see("&\r\n")
            type("jobs %1\n")
            see("Running")
            type("sh -c 'echo in''front; exec sleep 100'\n")
            see("infront")
            type("\x03")
            see("READY> ")
            type("echo status $?\n")
            see("status 130")
            type("kill %1; wait; cat &\n")
            see("READY> ")
            type("until jobs -s | grep -q cat; do sleep 0.1; done; echo stop''ped\n")
            see("stopped")
            type("kill %cat; fg; echo end''ed\n")
            see("ended")
            type("stty tostop; (echo from behind) & until jobs -s | grep -q behind; do sleep 0.1; done\n")
            see("Stopped")
            type("fg\n")
            see("\r\nfrom behind\r\n")
            type("exit 5\n")
            end()
        """),
    ),
    Program(
        "terminal-hangs-up",
        conversation(r"""
            start("bash", "-c", "trap 'echo hung up > mark; exit' HUP; echo START; read; read")
            see("START")
            os.close(fd)
            print(os.waitpid(child, 0)[1], open("mark").read())
        """),
    ),
    Program(
        "vim-edits-by-keys",
        conversation(r"""
            start("vim", "-u", "NONE", "-N", "-n", "text")
            see("text")
            type("ione two\nthree\x1bggdwGp:wq\r")
            end()
            print(open("text").read())
        """),
        needs=("vim",),
    ),
    Program(
        "vim-edits-by-script",
        bash(r"""
            printf 'a\nb\nc\n' > f
            vim -es -u NONE -c '2d' -c '%s/c/see/' -c 'normal oinserted' -c 'r !echo from a shell' -c wq f
            cat f
        """),
        needs=("vim",),
    ),
    Program(
        "less-turns-pages",
        conversation(r"""
            open("text", "w").write("".join(f"line {n}\n" for n in range(1, 201)))
            start("less", "text")
            see("line 23")
            type(" ")
            see("line 46")
            type("G")
            see("line 200")
            type("?line 77\n")
            see("line 99")
            type("q")
            end()
        """),
        needs=("less",),
    ),
    Program(
        "python-prompt",
        conversation(r"""
            start("/usr/bin/python3", "-q", "-I")
            see(">>> ")
            type("6 * 7\n")
            see("\n42\r\n")
            type("input()\n")
            see("input()\r\n")
            type("typed\x7f\x7fing\n")
            see("'typing'")
            type("\x04")
            end()
        """),
    ),
]

TERMINALS = MULTIPLEXERS + PROGRAMS_ON_A_TERMINAL
