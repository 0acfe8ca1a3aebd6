"""Put the plugin where docker looks for it: `docker-offload install`, or `python -m …install`."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from docker_offload.app import App
from docker_offload.failures import Failure

DIRECTORY, NAME = "cli-plugins", "docker-offload"
MARK = "# docker-offload: starts the installed Python package."
EXECUTABLE = 0o755


def launcher(python: str) -> str:
    """A script, as a path with spaces or of great length is no good first line (`#!`).

    -P: a file json.py in the working directory must not be taken for the library's.
    """
    return f'#!/bin/sh\n{MARK}\nexec {shlex.quote(python)} -P -m docker_offload "$@"\n'


def install(app: App) -> Path:
    """Write the launcher; one of ours is replaced, anything else stays."""
    target = app.store.docker / DIRECTORY / NAME
    if (target.exists() or target.is_symlink()) and not is_ours(target):
        sentence = f"{target} is there and is not this plugin."
        raise Failure(sentence, "Move it away, then install again.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        new = target.with_name(f".{NAME}.new")
        new.write_text(launcher(sys.executable), encoding="utf-8")
        new.chmod(EXECUTABLE)
        new.replace(target)
    except OSError as error:
        raise Failure(f"{target} can't be written: {error.strerror}.") from error
    return target


def is_ours(path: Path) -> bool:
    try:
        return MARK in path.read_text(encoding="utf-8", errors="replace")[:500]
    except OSError:
        return False


def run(app: App, words: Sequence[str]) -> int:
    terminal = app.terminal
    try:
        if list(words) == ["install"]:
            terminal.say(f"Installed {install(app)}. Try: docker offload --help")
            return 0
        if list(words) == ["uninstall"]:
            target = app.store.docker / DIRECTORY / NAME
            if is_ours(target):
                target.unlink()
                terminal.say(f"Removed {target}.")
            else:
                terminal.say("The plugin is not installed.")
            return 0
    except Failure as failure:
        terminal.note(failure.sentence)
        terminal.note(failure.hint)
        return failure.exit_code
    terminal.note("Usage:  docker-offload install | uninstall")
    return Failure.exit_code


if __name__ == "__main__":
    sys.exit(run(App(), sys.argv[1:] or ["install"]))
