"""From what the daemon's log says to a sentence that an operator can act on."""

import re

CURES = (
    (
        r"no space left on device|disk quota exceeded",
        "The disk is full. Make room on the file system of ENGINE_HOST_DIR.",
    ),
    (r"address already in use", "An address that the engine needs is taken already."),
    (
        r"newuidmap|newgidmap|subuid|subgid",
        "The subordinate ids of its user can't be used. Install uidmap, and look at /etc/subuid.",
    ),
    (
        r"slirp4netns|/dev/net/tun|setting up tap",
        "Its network could not be made. Install slirp4netns and iproute2; load the module tun.",
    ),
    (
        r"(\S+): (?:command )?not found|executable file not found",
        "A program can't be found. Install docker.io, rootlesskit, slirp4netns, uidmap, iproute2.",
    ),
    (
        r"iptables|nf_tables",
        "The packet filter can't be used in a user namespace. Load nf_tables and xt_MASQUERADE.",
    ),
    (
        r"unshare|clone|user namespace|operation not permitted",
        "This machine does not let the engine make namespaces.",
    ),
)
ECHO = re.compile(r"\[rootlesskit:.*(exited|exit \d|child exited|parsing message)")
LONGEST_LINE = 300


def why(log: str) -> str:
    """The cure, if one is known, and the last line that tells of an error."""
    line = _telling_line(log)
    if not line:
        return "Its daemon ended without a word."
    for pattern, sentence in CURES:
        if re.search(pattern, line, re.IGNORECASE):
            return f"{sentence} ({line})"
    return f"Its daemon said: {line}"


def _telling_line(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"error|fail|fatal|no space|denied", line, re.I)]
    # At its end rootlesskit only repeats that its child has ended.
    telling = [line for line in errors if not ECHO.search(line)] or errors or lines
    return telling[-1][:LONGEST_LINE] if telling else ""
