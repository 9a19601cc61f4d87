"""keyctl and request-key: keys that programs add, find, and construct for others."""

from __future__ import annotations

from tests.programs.program import Program, bash

_PRELUDE = r"""
n() { sed -E 's/^ +//; s/[0-9]{5,}/N/g; s/\b[0-9a-f]{8}\b/N/g' | sort; }
export -f n
"""

KEYUTILS = [
    Program(
        "keyctl-keys",
        bash(
            _PRELUDE
            + r"""
            keyctl session - bash -c '
                exec 2>&1
                k=$(keyctl add user one data @s); keyctl print $k; keyctl pipe $k | od -c | head -1
                keyctl describe $k | n; keyctl rdescribe $k
                keyctl update $k other; keyctl print $(keyctl search @s user one)
                ring=$(keyctl newring ring @s); keyctl link $k $ring; keyctl list $ring | n; keyctl show | n
                keyctl move $k $ring @p; keyctl rlist $ring | wc -w
                keyctl setperm $k 0x3f000000; keyctl timeout $k 100; keyctl unlink $k @s
                keyctl padd logon a:b @s </etc/hostname >/dev/null; keyctl print $(keyctl search @s logon a:b)
                keyctl restrict_keyring $ring; keyctl add user two data $ring
                keyctl revoke $ring; keyctl list $ring; keyctl invalidate $(keyctl search @s logon a:b)
                keyctl get_persistent @s | n; keyctl security @s
                keyctl session other keyctl show @s 2>&1 | n
                keyctl supports | grep -v -e dh -e public -e big
            '
        """
        ),
        stderr=False,  # the number of the session
        needs=("keyctl",),
        root=True,
    ),
    Program(
        "request-key-constructs",
        bash(
            _PRELUDE
            + r"""
            keyctl session - bash -c '
                exec 2>&1
                k=$(keyctl request2 user debug:hello world @s); keyctl print $k; keyctl describe $k | n
                keyctl request2 user debug:rej rejected @s; keyctl request2 user debug:rej other @s
                keyctl request2 user debug:exp expired @s
                keyctl request2 user debug:revoked revoked @s
                keyctl request2 user debug:neg negate @s
                keyctl request2 user nobody:x y @s; keyctl request user nobody:x; keyctl request user other
                k=$(keyctl request2 user debug:loop:abc payload @s); keyctl print $k
                k=$(echo piped | keyctl prequest2 user debug:p); keyctl print $k
                keyctl request2 logon a:b c @s
                keyctl show @s | n
            '
        """
        ),
        stderr=False,  # the number of the session
        needs=("keyctl",),
        root=True,
    ),
]
