"""What the plugin keeps below docker's own directory: settings, sign-ins, the session's record."""

import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docker_offload.failures import Failure
from docker_offload.files import read_json, write_json

LOCAL_SETTINGS = ("portal", "cacert")


def docker_directory(env: Mapping[str, str]) -> Path:
    """DOCKER_CONFIG, or .docker in the home directory."""
    chosen = env.get("DOCKER_CONFIG")
    return Path(chosen) if chosen else Path(env.get("HOME") or Path.home()) / ".docker"


def normal_address(text: str) -> str:
    """`https://portal.example` from what a person wrote; https where they named no scheme."""
    address = text.strip().rstrip("/")
    if "://" not in address:
        address = f"https://{address}"
    parts = urllib.parse.urlsplit(address)
    bad = parts.query or parts.fragment or parts.username or parts.password
    if parts.scheme not in ("http", "https") or not parts.hostname or bad:
        raise Failure(f"{text!r} is no address of a portal; write https://portal.example.")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path}"


class Store:
    """Paths and the small files in them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.docker = docker_directory(env)
        self.directory = self.docker / "offload"
        self.sign_ins = self.directory / "sign-in.json"
        self.sign_in_lock = self.directory / "sign-in.lock"
        self.record = self.directory / "session.json"
        self.session_lock = self.directory / "session.lock"
        self.keys = self.directory / "keys"

    def settings(self) -> dict[str, str]:
        found = read_json(self.directory / "config.json")
        return {name: str(found[name]) for name in LOCAL_SETTINGS if found.get(name)}

    def set(self, name: str, value: str | None) -> None:
        chosen = self.settings()
        chosen.pop(name, None)
        if value:
            chosen[name] = value
        write_json(self.directory / "config.json", chosen)

    def portal(self) -> str:
        """The portal's address: from the environment, else the one of the last login."""
        address = self.env.get("DOCKER_OFFLOAD_PORTAL") or self.settings().get("portal", "")
        if not address:
            hint = "Sign in with: docker offload login --portal https://portal.example"
            raise Failure("No portal is chosen.", hint)
        return normal_address(address)

    def cacert(self) -> str:
        return self.settings().get("cacert", "")

    def sign_in(self, portal: str) -> dict[str, Any]:
        found = read_json(self.sign_ins).get(portal)
        return found if isinstance(found, dict) else {}

    def keep_sign_in(self, portal: str, value: Mapping[str, Any] | None) -> None:
        """Write or, with None, forget; the caller holds the lock."""
        everything = read_json(self.sign_ins)
        everything.pop(portal, None)
        if value:
            everything[portal] = dict(value)
        write_json(self.sign_ins, everything)


def readable_by_others(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & 0o077)
    except OSError:
        return False
