"""Signal numbers, flags and structures (signal(7), sigaction(2), sigaltstack(2)); x86-64."""

from __future__ import annotations

from struct import Struct

NSIG = 64
SIGHUP = 1
SIGINT = 2
SIGQUIT = 3
SIGILL = 4
SIGTRAP = 5
SIGABRT = 6
SIGBUS = 7
SIGFPE = 8
SIGKILL = 9
SIGUSR1 = 10
SIGSEGV = 11
SIGUSR2 = 12
SIGPIPE = 13
SIGALRM = 14
SIGTERM = 15
SIGSTKFLT = 16
SIGCHLD = 17
SIGCONT = 18
SIGSTOP = 19
SIGTSTP = 20
SIGTTIN = 21
SIGTTOU = 22
SIGURG = 23
SIGXCPU = 24
SIGXFSZ = 25
SIGVTALRM = 26
SIGPROF = 27
SIGWINCH = 28
SIGIO = 29
SIGPWR = 30
SIGSYS = 31
SIGRTMIN = 32  # the kernel's; the C library keeps the first two for itself
SIGRTMAX = 64


def mask_of(*signals: int) -> int:
    """The signal set (bit n-1 for signal n) that holds `signals`."""
    mask = 0
    for signo in signals:
        mask |= 1 << (signo - 1)
    return mask


ALL_SIGNALS = (1 << NSIG) - 1
UNBLOCKABLE = mask_of(SIGKILL, SIGSTOP)
STOP_SIGNALS = mask_of(SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU)
# Default actions; what is in none of these terminates the process (with a core dump where one is made).
DEFAULT_IGNORED = mask_of(SIGCHLD, SIGCONT, SIGURG, SIGWINCH)
SYNCHRONOUS = mask_of(SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS)

SIG_DFL = 0
SIG_IGN = 1

SIG_BLOCK = 0
SIG_UNBLOCK = 1
SIG_SETMASK = 2

SA_NOCLDSTOP = 0x00000001
SA_NOCLDWAIT = 0x00000002
SA_SIGINFO = 0x00000004
SA_UNSUPPORTED = 0x00000400
SA_EXPOSE_TAGBITS = 0x00000800
SA_RESTORER = 0x04000000
SA_ONSTACK = 0x08000000
SA_RESTART = 0x10000000
SA_NODEFER = 0x40000000
SA_RESETHAND = 0x80000000
SA_KNOWN = (
    SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_EXPOSE_TAGBITS | SA_RESTORER
    | SA_ONSTACK | SA_RESTART | SA_NODEFER | SA_RESETHAND
)  # fmt: skip

SS_ONSTACK = 1
SS_DISABLE = 2
SS_AUTODISARM = 1 << 31
MINSIGSTKSZ = 2048

# si_code
SI_USER = 0
SI_KERNEL = 0x80
SI_QUEUE = -1
SI_TIMER = -2
SI_MESGQ = -3
SI_ASYNCIO = -4
SI_SIGIO = -5
POLL_IN, POLL_OUT, POLL_MSG, POLL_ERR, POLL_PRI, POLL_HUP = 1, 2, 3, 4, 5, 6  # of SIGIO
SI_TKILL = -6
ILL_ILLOPN = 2
FPE_INTDIV = 1
SEGV_MAPERR = 1
SEGV_ACCERR = 2
BUS_ADRALN = 1
BUS_ADRERR = 2
TRAP_BRKPT = 1
TRAP_TRACE = 2
CLD_EXITED = 1
CLD_KILLED = 2
CLD_DUMPED = 3
CLD_TRAPPED = 4
CLD_STOPPED = 5
CLD_CONTINUED = 6
SYS_SECCOMP = 1

SIGINFO_SIZE = 128
SIGSET_SIZE = 8
SIGACTION = Struct("<QQQQ")  # handler, flags, restorer, mask: the kernel's struct, not the C library's
STACK_T = Struct("<Qi4xQ")  # ss_sp, ss_flags, ss_size
SIGEVENT = Struct("<QiiI")  # value, signo, notify, thread id; 64 bytes in all
SIGEVENT_SIZE = 64
SIGEV_SIGNAL = 0
SIGEV_NONE = 1
SIGEV_THREAD = 2
SIGEV_THREAD_ID = 4
