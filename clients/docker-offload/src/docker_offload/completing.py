"""Completion as cobra's scripts ask for it: `__complete offload WORD… PREFIX`."""

from collections.abc import Iterable, Sequence

from docker_offload.app import App
from docker_offload.catalog import COMMANDS, find
from docker_offload.failures import Failure
from docker_offload.options import HELP, Command, Flag

# Directives of cobra: files may complete; they may not; they may not, and no space follows.
FILES, NO_FILES, NO_FILES_NO_SPACE = 0, 4, 6
PORTAL_PATIENCE = 0.0  # one try: who presses Tab doesn't wait
Candidates = list[tuple[str, str]]


def complete(app: App, words: Sequence[str], *, described: bool = True) -> None:
    """Print the candidates, then the directive."""
    try:
        candidates, directive = _complete(app, words)
    except Failure:
        candidates, directive = [], NO_FILES
    for value, description in candidates:
        app.terminal.say(f"{value}\t{description}" if described and description else value)
    app.terminal.say(f":{directive}")


def _complete(app: App, words: Sequence[str]) -> tuple[Candidates, int]:
    *before, prefix = words or [""]
    if not before:
        names = [(command.name, command.summary) for command in COMMANDS]
        return _beginning(names, prefix), NO_FILES
    command = find(before[0])
    if command is None:
        return [], NO_FILES
    awaited = _awaits_value(command, before[1:])
    if awaited is not None:
        return _values(app, awaited, prefix)
    if prefix.startswith("--") and "=" in prefix:
        name, _, text = prefix[2:].partition("=")
        flag = command.flag(name)
        return _values(app, flag, text) if flag and flag.takes_value else ([], NO_FILES)
    if prefix.startswith("-"):
        return _beginning(_flags(command), prefix), NO_FILES
    if len(before) == 1:
        return _beginning([(word, "") for word in command.words], prefix), NO_FILES
    if before == ["config", "account"]:
        return _beginning(_accounts(app), prefix), NO_FILES
    return [], FILES if before == ["config", "cacert"] else NO_FILES


def _awaits_value(command: Command, before: Sequence[str]) -> Flag | None:
    """The flag whose value is being typed."""
    if not before or "=" in before[-1] or not before[-1].startswith("-"):
        return None
    word = before[-1]
    flag = command.flag(word[2:]) if word.startswith("--") else command.short_flag(word[-1])
    return flag if flag is not None and flag.takes_value else None


def _flags(command: Command) -> Candidates:
    return [(f"--{flag.name}", flag.help) for flag in (*command.flags, HELP)]


def _values(app: App, flag: Flag, prefix: str) -> tuple[Candidates, int]:
    if flag.complete == "choices":
        return _beginning([(choice, "") for choice in flag.choices], prefix), NO_FILES
    if flag.complete == "accounts":
        return _beginning(_accounts(app), prefix), NO_FILES
    if flag.complete == "sizes":
        return _beginning(_sizes(app), prefix), NO_FILES
    if flag.complete == "labels":
        return [], NO_FILES_NO_SPACE
    return [], FILES if flag.complete == "files" else NO_FILES


def _accounts(app: App) -> Candidates:
    rows = app.portal().accounts(patience=PORTAL_PATIENCE)
    return [(row["slug"], row["name"]) for row in rows]


def _sizes(app: App) -> Candidates:
    rows = app.portal().accounts(patience=PORTAL_PATIENCE)
    names = dict.fromkeys(size for row in rows for size in row["policy"]["engine_sizes"])
    return [(name, "") for name in names]


def _beginning(candidates: Iterable[tuple[str, str]], prefix: str) -> Candidates:
    return [row for row in candidates if row[0].startswith(prefix)]
