"""E-mails about people and access: written in the reader's language, sent after the commit.

A mail that can't be sent is logged, without its text, and does not undo the change.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail: template `emails/NAME.txt` and `.html`; its first line of text is the subject."""

    name: str
    to: str
    language: str
    context: Mapping[str, Any]


def portal_link(route: str, *args: object) -> str:
    return settings.PORTAL_URL.rstrip("/") + reverse(route, args=args)


def send_after_commit(letters: Callable[[], Iterable[Letter]]) -> None:
    """Ask `letters` and send them once the transaction has committed, over one connection."""
    transaction.on_commit(lambda: _send(list(letters())), robust=True)


def _send(letters: Sequence[Letter]) -> None:
    if not letters:
        return
    messages = [_message(letter) for letter in letters]
    try:
        get_connection().send_messages(messages)
    except OSError:
        names = ", ".join(sorted({letter.name for letter in letters}))
        logger.exception("%s mails could not be sent (%s)", len(letters), names)


def _message(letter: Letter) -> EmailMultiAlternatives:
    with translation.override(letter.language or settings.LANGUAGE_CODE):
        context = {**letter.context, "portal_url": settings.PORTAL_URL, "to": letter.to}
        text = render_to_string(f"emails/{letter.name}.txt", context)
        html = render_to_string(f"emails/{letter.name}.html", context)
    subject, _rule, body = text.strip().partition("\n")
    # A name may hold what a header must not.
    message = EmailMultiAlternatives(" ".join(subject.split()), body.strip() + "\n", to=[letter.to])
    message.attach_alternative(html, "text/html")
    return message
