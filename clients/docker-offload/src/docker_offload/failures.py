"""What a command may fail with. Each carries the sentence that a person reads."""

from collections.abc import Mapping
from typing import Any

ERROR, MISUSE, INTERRUPTED = 1, 125, 130


class Failure(Exception):
    """The command can't do it; `hint` says what to do about it."""

    exit_code = ERROR

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint


class Misuse(Failure):
    """A flag or a value that the command doesn't know; docker's exit code for it is 125."""

    exit_code = MISUSE


class Unreachable(Failure):
    """The portal did not answer: it is worth another try."""


class Untrusted(Failure):
    """The portal's certificate is not one that this machine trusts."""


class SignedOut(Failure):
    """There is no token, or the portal no longer takes it."""


class Refused(Failure):
    """The portal says no, by an RFC 9457 problem."""

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after: int | None) -> None:
        self.status = status
        self.code = str(problem.get("code") or f"http_{status}")
        self.problem = dict(problem)
        self.retry_after = retry_after
        super().__init__(_sentence(status, problem), _whom_to_ask(problem))

    def __str__(self) -> str:
        return f"{self.sentence} ({self.code})"


def _sentence(status: int, problem: Mapping[str, Any]) -> str:
    detail = problem.get("detail") or problem.get("title") or f"The portal answered {status}."
    errors = problem.get("errors")
    if not isinstance(errors, Mapping) or not errors:
        return str(detail)
    parts = [f"{name}: {_first(sentences)}" for name, sentences in errors.items()]
    return f"{detail} {' '.join(parts)}"


def _first(sentences: Any) -> str:
    while isinstance(sentences, list | tuple) and sentences:
        sentences = sentences[0]
    return str(sentences)


def _whom_to_ask(problem: Mapping[str, Any]) -> str:
    """`Ask Ada Lovelace <ada@example.com> or …`, from the problem's contacts."""
    contacts = problem.get("contacts")
    if not isinstance(contacts, list):
        return ""
    people = [_person(row) for row in contacts if isinstance(row, Mapping)]
    return f"Ask {' or '.join(people[:3])}." if people else ""


def _person(row: Mapping[str, Any]) -> str:
    name, email = row.get("name"), row.get("email")
    if name and email and name != email:
        return f"{name} <{email}>"
    return str(name or email)
