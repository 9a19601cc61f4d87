"""The C half of the systrap platform."""

ops: object
"""PyCapsule `runsc.platform.ops` of the `struct pf_ops` (platform/include/platform.h)."""

def probe() -> tuple[int, str]:
    """Try on a child process what the back-end needs: (0, ""), or the errno and the host call that failed."""
