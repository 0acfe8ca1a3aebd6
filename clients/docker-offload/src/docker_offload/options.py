"""Flags as docker's client reads them: `--name value`, `--name=value`, `-n value`, `-nvalue`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from docker_offload.failures import Failure, Misuse
from docker_offload.words import parse_duration

BOOLEANS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


@dataclass(frozen=True)
class Flag:
    """`kind`: bool, string, list or duration. `complete` names what completes its value."""

    name: str
    help: str
    short: str = ""
    kind: str = "string"
    default: Any = None
    choices: tuple[str, ...] = ()
    complete: str = ""
    shown_default: str = ""

    @property
    def takes_value(self) -> bool:
        return self.kind != "bool"

    def read(self, text: str) -> Any:
        """The value of what was typed; Misuse in pflag's words."""
        try:
            return self._read(text)
        except Misuse as error:
            names = f"-{self.short}, --{self.name}" if self.short else f"--{self.name}"
            sentence = f'invalid argument "{text}" for "{names}" flag: {error.sentence}'
            raise Misuse(sentence) from None

    def _read(self, text: str) -> Any:
        if self.kind == "bool":
            if text.lower() not in BOOLEANS:
                raise Misuse("write true or false")
            return BOOLEANS[text.lower()]
        if self.choices and text not in self.choices:
            raise Misuse(f"it is one of {', '.join(self.choices)}")
        return parse_duration(text) if self.kind == "duration" else text


HELP = Flag("help", "Print usage", short="h", kind="bool")


@dataclass(frozen=True)
class Command:
    """`run` is `module:function`, imported when it is called, so that each command starts fast."""

    name: str
    summary: str
    run: str
    flags: tuple[Flag, ...] = ()
    arguments: str = ""
    most: int = 0
    least: int = 0
    words: tuple[str, ...] = ()  # what completes the first argument
    more: str = ""
    examples: tuple[str, ...] = ()

    @property
    def usage(self) -> str:
        options = " [OPTIONS]" if self.flags else ""
        return f"docker offload {self.name}{options}" + (
            f" {self.arguments}" if self.arguments else ""
        )

    def flag(self, name: str) -> Flag | None:
        return next((flag for flag in (*self.flags, HELP) if flag.name == name), None)

    def short_flag(self, letter: str) -> Flag | None:
        return next((flag for flag in (*self.flags, HELP) if flag.short == letter), None)


@dataclass
class Given:
    """What was typed: a value for each flag, and the arguments."""

    values: dict[str, Any] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


def parse(command: Command, words: Sequence[str]) -> Given:
    """Misuse for an unknown flag or a bad value, Failure for arguments too many or too few."""
    given = Given({flag.name: _default(flag) for flag in (*command.flags, HELP)})
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            given.arguments += rest
            break
        if word.startswith("--"):
            _long(command, word, rest, given)
        elif word.startswith("-") and word != "-":
            _short(command, word, rest, given)
        else:
            given.arguments.append(word)
    if not given["help"]:
        _check_count(command, len(given.arguments))
    return given


def _default(flag: Flag) -> Any:
    if flag.kind == "list":
        return []
    return False if flag.kind == "bool" and flag.default is None else flag.default


def _keep(given: Given, flag: Flag, text: str) -> None:
    value = flag.read(text)
    if flag.kind == "list":
        given.values[flag.name].append(value)
    else:
        given.values[flag.name] = value


def _long(command: Command, word: str, rest: list[str], given: Given) -> None:
    name, equals, text = word[2:].partition("=")
    flag = command.flag(name)
    if flag is None:
        raise Misuse(f"unknown flag: --{name}")
    if equals:
        _keep(given, flag, text)
    elif not flag.takes_value:
        given.values[flag.name] = True
    elif rest:
        _keep(given, flag, rest.pop(0))
    else:
        raise Misuse(f"flag needs an argument: --{name}")


def _short(command: Command, word: str, rest: list[str], given: Given) -> None:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        flag = command.short_flag(letter)
        if flag is None:
            raise Misuse(f"unknown shorthand flag: '{letter}' in {word}")
        if flag.takes_value:
            text = letters.removeprefix("=") if letters else (rest.pop(0) if rest else None)
            if text is None:
                raise Misuse(f"flag needs an argument: '{letter}' in {word}")
            _keep(given, flag, text)
            return
        if letters.startswith("="):
            _keep(given, flag, letters[1:])
            return
        given.values[flag.name] = True


def _check_count(command: Command, count: int) -> None:
    if command.least <= count <= command.most:
        return
    wanted = "no arguments"
    if command.most:
        bounds = {command.least, command.most}
        wanted = f"{' to '.join(str(bound) for bound in sorted(bounds))} argument(s)"
    raise Failure(f"docker: 'docker offload {command.name}' accepts {wanted}, received {count}")


Runner = Callable[[Any, Given], int]
