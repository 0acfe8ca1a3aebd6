"""The exact commands from a bare machine to a first session, and the same for a script.

Their flags are those of clients/docker-offload; a test asks the plugin itself about each.
"""

import shlex
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from offload_portal.pages.plugin import wheel_of_plugin

# A folder of its own: many systems let pip change nothing of theirs.
HOME = "~/.docker/offload-plugin"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to type: what it is for, what happens, and the lines."""

    title: str
    text: str
    command: str


@dataclass(frozen=True, slots=True)
class Start:
    """Where a person starts: `account` is the slug to name, "" where nothing need be named."""

    portal_url: str
    account: str
    slug: str

    @property
    def command(self) -> str:
        """`docker offload start`, with the account where there are several."""
        named = f" --account {shlex.quote(self.account)}" if self.account else ""
        return f"docker offload start{named}"


def install_command(portal_url: str) -> str:
    """From the portal itself; from a checkout where this portal has no copy of the plugin."""
    wheel = wheel_of_plugin()
    package = "./clients/docker-offload"
    if wheel is not None:
        package = portal_url.rstrip("/") + reverse("pages:plugin", args=[wheel.name])
    return (
        f"python3 -m venv {HOME}\n"
        f"{HOME}/bin/pip install {shlex.quote(package)}\n"
        f"{HOME}/bin/docker-offload install"
    )


def machine_steps(start: Start) -> list[Step]:
    """Once for a machine: the plugin and the sign-in."""
    return [
        Step(
            _("Install the plugin"),
            _("It needs Python 3.11 or later and the docker client, on Linux, macOS or WSL."),
            install_command(start.portal_url),
        ),
        Step(
            _("Sign in"),
            _("It shows an address and a code; confirm the code in a browser."),
            f"docker offload login --portal {shlex.quote(start.portal_url)}",
        ),
    ]


def session_steps(start: Start) -> list[Step]:
    """Each time, where the portal brings the engine."""
    return [
        Step(
            _("Start a session"),
            _("Docker uses an engine in the cloud from here on; you go on typing docker."),
            start.command,
        ),
        Step(
            _("Run something"),
            _("It runs on the engine. Time is billed from here until it is idle."),
            "docker run --rm hello-world",
        ),
        Step(
            _("See where you stand"),
            _("State, time until idle and end, what was billed, what is left."),
            "docker offload status",
        ),
        Step(
            _("Stop"),
            _("The engine goes with all on it, and docker is back where it was."),
            "docker offload stop",
        ),
    ]


def metering_steps(start: Start) -> list[Step]:
    """Each time, where the client brings its own engine (`external`): the portal only meters."""
    return [
        Step(
            _("Start a session"),
            _("Docker stays on its engine; the portal counts what is reported to it."),
            start.command,
        ),
        Step(
            _("See where you stand"),
            _("State, time until idle and end, what was billed, what is left."),
            "docker offload status",
        ),
        Step(_("Stop"), _("It is billed up to that second."), "docker offload stop"),
    ]


def script(start: Start) -> str:
    """For a script or a CI job: a token from the environment takes the place of the sign-in."""
    return (
        "set -eu\n"
        f"export DOCKER_OFFLOAD_PORTAL={shlex.quote(start.portal_url)}\n"
        ': "${DOCKER_OFFLOAD_TOKEN:?keep a token in the secrets of your CI}"\n'
        "trap 'docker offload stop' EXIT\n"
        f"docker offload start --account {shlex.quote(start.slug)} --label job=nightly\n"
        "docker build ."
    )


def report_commands(start: Start) -> list[tuple[str, str]]:
    """What a client sends that brings its own engine; a shell and curl are all they need."""
    api = f"{start.portal_url.rstrip('/')}/api/v1"
    head = ' -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json"'
    begin = (
        f"SESSION=$(curl -fsS {api}/sessions \\\n {head} \\\n"
        f'  -d \'{{"organization": "{start.slug}"}}\' \\\n'
        '  | grep -o \'"id": *"[^"]*"\' | head -n 1 | cut -d \'"\' -f 4); echo $SESSION'
    )
    report = (
        f"curl -fsS {api}/sessions/$SESSION/activity \\\n {head} \\\n"
        '  -d \'{"sequence": 1, "running_containers": 1}\''
    )
    stop = f"curl -fsS -X POST {api}/sessions/$SESSION/stop \\\n {head}"
    return [
        (_("Keep your token for the commands that follow"), "read -rs TOKEN && export TOKEN"),
        (_("Start a session and keep its identifier"), begin),
        (_("Report that a container runs: the session is active, and billed"), report),
        (_("Stop it: it is billed up to that second"), stop),
    ]
