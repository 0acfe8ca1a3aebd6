"""Keeps an engine's network away from this machine's own addresses.

slirp4netns speaks for the engine from the machine's own network, as the engine's user. Its option
against loopback covers 127.0.0.1 only; a service that listens at every address could still be
called by the machine's public one. All of that passes the loopback interface, so one rule for the
user refuses it, and another what a cloud tells of its machines.
"""

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from sessions.engines.local.users import User

TABLES = ("iptables", "ip6tables")
CLOUD = "169.254.0.0/16"
SECONDS = 20


def raise_for(user: User) -> str:
    """Set the rules, once; what could not be set, as a sentence, else nothing."""
    for table in TABLES:
        for rule in _rules(table, user):
            if not shutil.which(table):
                return _sentence(f"{table} is missing")
            if _run(table, "-C", rule).returncode == 0:
                continue
            made = _run(table, "-A", rule)
            if made.returncode:
                if table == "ip6tables" and not Path("/proc/net/if_inet6").exists():
                    continue
                return _sentence(" ".join(made.stderr.split()) or "no reason given")
    return ""


def lower_for(user: User) -> None:
    """Take the rules away again."""
    for table in TABLES:
        if shutil.which(table):
            for rule in _rules(table, user):
                with suppress(subprocess.TimeoutExpired):
                    _run(table, "-D", rule)


def _rules(table: str, user: User) -> list[list[str]]:
    mine = ["OUTPUT", "-m", "owner", "--uid-owner", str(user.uid)]
    refused = ["-j", "REJECT"]
    rules = []
    if table == "iptables":
        rules += [
            [*mine, "-o", "lo", "-p", protocol, "--dport", "53", "-d", server, "-j", "ACCEPT"]
            for server in _own_name_servers()
            for protocol in ("udp", "tcp")
        ]
        rules.append([*mine, "-d", CLOUD, *refused])
    return [*rules, [*mine, "-o", "lo", *refused]]


def _own_name_servers() -> list[str]:
    """Name servers on this machine itself, which the engine's own name server asks."""
    with suppress(OSError):
        lines = Path("/etc/resolv.conf").read_text().splitlines()
        found = [line.split()[1] for line in lines if line.startswith("nameserver ")]
        return [server for server in found if server.startswith("127.")]
    return []


def _run(table: str, action: str, rule: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [table, "--wait", action, *rule],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip


def _sentence(why: str) -> str:
    return f"This machine's own addresses could not be fenced off from the engine: {why}."
