"""What a provider says of an engine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Readiness:
    """It answers, or why it never will; neither means that it is still on its way."""

    answers: bool
    failure: str = ""
