"""Programs that mount: util-linux and bubblewrap, in a mount namespace of their own."""

from __future__ import annotations

from tests.programs.program import Program, bash


def _apart(script: str) -> list[str]:
    """The script in a new, private mount namespace."""
    return ["unshare", "-m", *bash(script)]


MOUNTING = [
    Program(
        "mount-tmpfs-bind-move",
        _apart("""
            mkdir a b
            mount -t tmpfs -o size=1m,mode=700,nodev none a
            echo text > a/file
            mount --bind a b
            cat b/file
            mount -o remount,bind,ro b
            touch b/x
            touch a/x && ls b
            findmnt -n -o FSTYPE,OPTIONS "$PWD/a"
            mountpoint -q b && echo mounted
            umount b && mount --move a b && cat b/file && umount b
            mountpoint -q b || echo gone
            umount b 2>/dev/null || echo $?
        """),
        root=True,
    ),
    Program(
        "mount-propagation",
        _apart("""
            mkdir a b
            mount -t tmpfs --make-shared none a
            mkdir a/x
            mount --bind a b
            mount -t tmpfs none a/x && touch a/x/seen && ls b/x
            findmnt -n -o PROPAGATION "$PWD/b"
            mount --make-slave b
            findmnt -n -o PROPAGATION "$PWD/b"
            umount b/x && ls a/x
            mount --make-rprivate a
            findmnt -n -o PROPAGATION "$PWD/a" "$PWD/a/x" | sort -u
        """),
        root=True,
    ),
    Program(
        "mount-busy",
        _apart("""
            mkdir a
            mount -t tmpfs none a
            cd a
            umount ../a 2>/dev/null
            echo $?
            umount -l ../a && pwd | sed 's,.*/,,' && ls && cd .. && ls a | wc -l
        """),
        root=True,
    ),
    Program(
        "pivot-root-into-a-busybox",
        _apart("""
            mkdir new
            mount -t tmpfs none new
            mkdir new/bin new/old new/proc
            cp /usr/bin/busybox new/bin
            cd new
            pivot_root . old
            exec /bin/busybox chroot . /bin/busybox sh -c '
                busybox umount -l /old
                busybox ls /
                busybox mount -t proc none /proc
                busybox mount | busybox grep -c .
                busybox cat /proc/mounts | busybox cut -d" " -f2,3'
        """),
        root=True,
        needs=("busybox",),
    ),
    Program(
        "unshare-map-root",
        ["unshare", "-rm", *bash("mount -t tmpfs none /mnt && touch /mnt/a && ls /mnt; id -u")],
    ),
    Program(
        "bubblewrap",
        ["bwrap", "--ro-bind", "/", "/", "--tmpfs", "/tmp", "--dev", "/dev", "--proc", "/proc",
         "--unshare-all", "--die-with-parent", *bash("""
            touch /new 2>/dev/null || echo read-only
            touch /tmp/new && ls /tmp
            ls /dev | head -5
            echo $$
            hostname -I 2>/dev/null
            readlink /proc/self/exe
         """)],
        needs=("bwrap",),
    ),
]  # fmt: skip
