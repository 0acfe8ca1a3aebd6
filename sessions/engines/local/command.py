"""The command lines that bring an engine up. Nothing here runs anything."""

from pathlib import Path

from sessions.engines.local import machine, users
from sessions.engines.local.users import User

WALL = Path(__file__).with_name("wall.sh")
# Links that rootlesskit made of the outer /run.
CHILD = 'rm -f /run/docker /run/containerd /run/xtables.lock; exec "$@"'
PLAIN = (
    'read -r line </proc/self/stat; echo "$line" >"$0/process"; mount -t tmpfs engine "$1"; '
    'mount -t proc proc /proc; shift; exec "$@"'
)
JOIN = 'for file in $JOINS; do echo $$ >"$file"; done; unset JOINS; exec "$@"'


def environment(joins: tuple[Path, ...]) -> dict[str, str]:
    """Nothing of the agent's own: it knows the database's password."""
    return {
        "PATH": machine.PATH,
        "HOME": "/engine/home",
        "XDG_RUNTIME_DIR": "/engine/run",
        "XDG_DATA_HOME": "/engine/data",
        "JOINS": " ".join(map(str, joins)),
    }


def walled(folder: Path, user: User) -> list[str]:
    """A rootless dockerd inside the wall (wall.sh), in its control groups."""
    ids = (user.uid, user.gid, user.first_subuid, user.first_subgid)
    return [
        "/bin/sh", "-c", JOIN, "join",
        "unshare", "--mount", "--pid", "--ipc", "--uts", "--cgroup", "--fork", "--",
        "/bin/sh", str(WALL), str(folder), user.name, *map(str, ids),
        "rootlesskit", "--state-dir=/engine/run/kit",
        "--net=slirp4netns", "--mtu=65520", "--disable-host-loopback", "--port-driver=none",
        "--slirp4netns-binary=/opt/slirp4netns", "--slirp4netns-sandbox=auto",
        "--slirp4netns-seccomp=auto",
        "--pidns", "--ipcns", "--utsns", "--copy-up=/etc", "--copy-up=/run",
        "/bin/sh", "-c", CHILD, "child", *_dockerd(Path("/engine"), Path("/engine/run")),
        # Ports that a container publishes stay in the engine's own network.
        "--userland-proxy-path=/usr/sbin/docker-proxy",
    ]  # fmt: skip


def trusted(folder: Path) -> list[str]:
    """A plain dockerd as root, without a network of its own and without a wall.

    Its own sockets lie in a short place that only it sees, and go with it.
    """
    return [
        "/bin/sh", "-c", JOIN, "join", "unshare", "--mount", "--pid", "--fork", "--",
        "/bin/sh", "-c", PLAIN, str(folder), str(users.LOCKS),
        *_dockerd(folder / "engine", users.LOCKS),
        "--iptables=false", "--ip6tables=false", "--bridge=none",
    ]  # fmt: skip


def _dockerd(engine: Path, running: Path) -> list[str]:
    return [
        "dockerd", "--log-level=warn", "--shutdown-timeout=2",
        f"--host=unix://{engine}/run/docker.sock", f"--data-root={engine}/data",
        f"--exec-root={running}/exec", f"--pidfile={running}/docker.pid",
    ]  # fmt: skip
