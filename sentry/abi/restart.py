"""Restart codes: a blocked call's answer when a signal interrupts it.

They are ordinary errno-like values inside the kernel and never reach the guest: the way back to user mode
turns each into EINTR or a restart, depending on the signal's action (signal(7), "Interruption of system
calls").
"""

ERESTARTSYS = 512  # restart when the handler has SA_RESTART, or when there is no handler
ERESTARTNOINTR = 513  # restart always
ERESTARTNOHAND = 514  # restart only when no handler runs
ERESTART_RESTARTBLOCK = 516  # as NOHAND, through restart_syscall(2), with the remaining time
RESTARTS = frozenset((ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK))
