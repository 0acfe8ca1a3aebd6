"""Whether this machine can hold engines of the provider `local`, and how many."""

import os
import shutil
import sys
from pathlib import Path

from usage.rates import DEFAULT_SIZES

# command → the Debian package that brings it
ROOTLESS = {
    "dockerd": "docker.io",
    "docker-proxy": "docker.io",
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "rootlesskit": "rootlesskit",
    "slirp4netns": "slirp4netns",
    "newuidmap": "uidmap",
    "newgidmap": "uidmap",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "mount": "mount",
    "useradd": "passwd",
}
TRUSTED = ("dockerd", "containerd", "runc", "unshare")
# Where Debian keeps what only root runs; an agent's own PATH may lack it.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Beyond that no path of a unix socket may be (sun_path), with a session's name and the socket's.
LONGEST_FOLDER = 107 - len("/" + 32 * "0" + "/docker.sock")
OVERCOMMIT = 2
SWITCHES = {
    "/proc/sys/user/max_user_namespaces": "user.max_user_namespaces=65536",
    "/proc/sys/kernel/unprivileged_userns_clone": "kernel.unprivileged_userns_clone=1",
}


def problem(folder: Path, *, trusted: bool) -> str:
    """Why not, with the cure, in one sentence for operators; empty where engines can run."""
    if sys.platform != "linux":
        return "Engines of the provider local need Linux. Set ENGINE_PROVIDER=external."
    missing = [name for name in (TRUSTED if trusted else ROOTLESS) if not found(name)]
    if missing:
        packages = " ".join(sorted({ROOTLESS[name] for name in missing}))
        return (
            f"{', '.join(missing)} can't be found. Install them: apt-get install "
            f"--no-install-recommends {packages}"
        )
    if os.geteuid() != 0:
        return (
            "Engines of the provider local need root, to keep each under a user of its own. Start "
            "`manage.py engines` as root, or set ENGINE_PROVIDER=external."
        )
    if len(str(folder)) > LONGEST_FOLDER:
        return (
            f"ENGINE_HOST_DIR ({folder}) is longer than {LONGEST_FOLDER} characters, too long for "
            "a unix socket in it. Name a shorter folder."
        )
    return "" if trusted else _closed_switch()


def found(command: str) -> bool:
    return shutil.which(command, path=PATH) is not None


def _closed_switch() -> str:
    for path, cure in SWITCHES.items():
        switch = Path(path)
        if switch.exists() and switch.read_text().strip() == "0":
            return f"User namespaces are switched off on this machine. Run: sysctl -w {cure}"
    return ""


def default_capacity() -> int:
    """Engines of the smallest size, each processor and all memory given out twice; at least 1."""
    smallest = DEFAULT_SIZES[0]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    by_memory = OVERCOMMIT * memory // smallest.memory_bytes
    return max(1, min(by_memory, OVERCOMMIT * (os.cpu_count() or 1)))
