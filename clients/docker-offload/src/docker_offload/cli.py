"""From the words that docker hands over to a command and its exit code."""

import importlib
import os
import sys
from collections.abc import Sequence

from docker_offload import helping, install, interrupts
from docker_offload.app import App
from docker_offload.catalog import find
from docker_offload.completing import complete
from docker_offload.failures import INTERRUPTED, Failure, Misuse, Refused
from docker_offload.options import Command, Runner, parse

NAME = "offload"
COMPLETE = ("__complete", "__completeNoDesc")
# Docker's own flags, which it hands on when they stand before the plugin's name.
DOCKER_FLAGS = (
    *("-c", "--context", "--config", "-H", "--host", "-l", "--log-level"),
    *("--tlscacert", "--tlscert", "--tlskey"),
)
DOCKER_SWITCHES = ("-D", "--debug", "--tls", "--tlsverify")
PROGRAM_ONLY = ("install", "uninstall")


def run(words: Sequence[str], app: App | None = None) -> int:
    """The process's exit code."""
    own = app is None
    try:
        if own:
            interrupts.listen()
        return _run(list(words), app)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return 0 if not own else _quiet_end()


def _quiet_end() -> int:
    """Who read the output has gone; Python must not complain about that at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _run(words: list[str], app: App | None) -> int:
    rest, config = _without_docker_flags(words)
    app = app or App(_environment(config))
    if rest[:1] and rest[0] in COMPLETE:
        complete(app, _after_name(rest[1:]), described=rest[0] == COMPLETE[0])
        return 0
    if rest[:1] and rest[0] in PROGRAM_ONLY:
        return install.run(app, rest)
    if rest[:1] == ["help"]:
        rest = [*_after_name(rest[1:]), "--help"]
    return _command(app, _after_name(rest))


def _environment(config: str) -> dict[str, str]:
    return {**os.environ, **({"DOCKER_CONFIG": config} if config else {})}


def _without_docker_flags(words: list[str]) -> tuple[list[str], str]:
    """The words from the plugin's name on, and the value of docker's --config."""
    rest, config = list(words), ""
    while rest and rest[0].startswith("-") and rest[0] not in ("-h", "--help"):
        name, equals, value = rest[0].partition("=")
        if name in DOCKER_SWITCHES:
            rest.pop(0)
            continue
        if name not in DOCKER_FLAGS:
            break
        rest.pop(0)
        if not equals:
            value = rest.pop(0) if rest else ""
        config = value if name == "--config" else config
    return rest, config


def _after_name(words: list[str]) -> list[str]:
    return words[1:] if words[:1] == [NAME] else words


def _command(app: App, words: list[str]) -> int:
    terminal = app.terminal
    if not words:
        terminal.note(helping.overview())
        return 0
    if words[0] in ("-h", "--help"):
        terminal.say(helping.overview())
        return 0
    command = find(words[0])
    if command is None:
        return _unknown(app, words[0])
    try:
        given = parse(command, words[1:])
    except Failure as failure:
        terminal.note(failure.sentence)
        terminal.note(helping.after_mistake(command))
        return failure.exit_code
    if given["help"]:
        terminal.say(helping.of_command(command))
        return 0
    try:
        return _runner(command)(app, given)
    except Failure as failure:
        return _told(app, failure)


def _unknown(app: App, word: str) -> int:
    if word.startswith("-"):
        app.terminal.note(f"unknown flag: {word}")
        code = Misuse.exit_code
    else:
        app.terminal.note(f"docker: unknown command: docker offload {word}")
        code = Failure.exit_code
    app.terminal.note(helping.after_mistake(None))
    return code


def _runner(command: Command) -> Runner:
    module, _, name = command.run.partition(":")
    found: Runner = getattr(importlib.import_module(module), name)
    return found


def _told(app: App, failure: Failure) -> int:
    """The sentence, the portal's code where it has one, and what to do or whom to ask."""
    text = str(failure) if isinstance(failure, Refused) else failure.sentence
    app.terminal.note(text)
    if failure.hint:
        app.terminal.note(failure.hint)
    return failure.exit_code
