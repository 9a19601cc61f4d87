"""Host calls of the sandbox set-up that the standard library lacks.  All raise OSError."""

CLONE_NEWNS: int
CLONE_NEWCGROUP: int
CLONE_NEWUTS: int
CLONE_NEWIPC: int
CLONE_NEWUSER: int
CLONE_NEWPID: int
CLONE_NEWNET: int
MS_RDONLY: int
MS_NOSUID: int
MS_NODEV: int
MS_NOEXEC: int
MS_REC: int
MS_PRIVATE: int

def clone(flags: int) -> int:
    """fork(2) into new namespaces: 0 in the child, its pid in the parent."""

def mount(source: str, target: str, type: str, flags: int, data: str) -> None:
    """mount(2)."""

def detach(target: str) -> None:
    """umount2(2) with MNT_DETACH."""

def pivot_root(new: str, old: str) -> None:
    """pivot_root(2)."""

def open_proc() -> int:
    """A detached, read-only proc of this PID namespace with subset=pid, as a descriptor (fsmount(2))."""

def open_tree(path: str) -> int:
    """A detached copy of the mounts at and below a path, as a descriptor (open_tree(2), recursive)."""

def restrict_tree(fd: int, readonly: bool) -> None:
    """Make a detached tree nosuid and nodev, and read-only if asked (mount_setattr(2), recursive)."""

def die_with_parent() -> None:
    """PR_SET_PDEATHSIG with SIGKILL: of the thread that forked this process."""

def limit_inheritance(keep: int) -> None:
    """Limit the bounding set to the mask `keep`, empty the ambient set, and lock the securebits so that no
    exec gives capabilities to uid 0."""

def limit_capabilities(keep: int) -> None:
    """Give up every capability but those of the mask `keep`, for this thread, for good."""

def no_new_privileges() -> None:
    """PR_SET_NO_NEW_PRIVS."""

def undumpable() -> None:
    """PR_SET_DUMPABLE 0: no core file, no ptrace by others of the same user, /proc/PID owned by root."""

def close_range(first: int, last: int) -> None:
    """close_range(2)."""

def seal(program: bytes) -> None:
    """Load a classic BPF program as the seccomp filter of all threads.  EINVAL for a malformed one."""
