"""Mail goes out: written with the change it tells of, sent by whoever claims it.

A message is sent by one worker: the claim is a conditional update. Who dies between sending and
writing it down leaves the claim, which is given up after a quarter of an hour; then the message
goes out again, since losing an invitation is worse than sending it twice.
"""

import logging
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from smtplib import (
    SMTPDataError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from celery import current_app
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import F
from django.template import TemplateDoesNotExist
from kombu.exceptions import OperationalError

from offload_portal.common.actors import Actor
from offload_portal.common.refusals import not_found
from offload_portal.common.sealing import SealBrokenError
from orgs.enums import Event, MailState, NewsKind
from orgs.models import Notification, Organization, OutgoingMail
from orgs.policies import check_can_change_people
from orgs.services import audit
from orgs.services.locking import lock, viewer
from orgs.services.mails import message, opened

logger = logging.getLogger(__name__)

# So many go out in one run: the worker of a laptop has a meter to run too.
MOST_AT_ONCE = 50
LEASE = timedelta(minutes=15)
RETRIED_FOR = timedelta(days=1)
KEPT = timedelta(days=30)
NEWS_KEPT = timedelta(days=90)
MOST_MINUTES_BETWEEN = 60
MOST_ERROR_LETTERS = 200


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to be posted; `sealed` comes from `mails.sealed_letter` or `sealed_words`."""

    kind: NewsKind
    to: str
    sealed: str
    organization_id: uuid.UUID | None = None
    person_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one run did; `more` says that others are due still."""

    sent: int
    failed: int
    more: bool


class ServerAwayError(Exception):
    """The mail server can't be reached, or sends us away whatever the message is."""


class UnsendableError(Exception):
    """No later attempt would fare better."""


def post(letters: Sequence[Letter], at: datetime) -> None:
    """Write the messages in the open transaction; they go out once it has committed."""
    if not letters:
        return
    OutgoingMail.objects.bulk_create(
        OutgoingMail(
            organization_id=letter.organization_id,
            person_id=letter.person_id,
            kind=letter.kind,
            to=letter.to,
            sealed=letter.sealed,
            created_at=at,
            next_attempt_at=at,
            asked_at=at,
        )
        for letter in letters
    )
    transaction.on_commit(hint, robust=True)


def hint() -> None:
    """Ask a worker to send what is due. A lost message is found by the sweep."""
    try:
        current_app.send_task("orgs.tasks.deliver_mail", retry=False)
    except OperationalError:
        logger.warning("The broker is away; mail goes out with the next sweep")


def deliver(*, at: datetime, most: int = MOST_AT_ONCE) -> Delivered:
    """Send what is due, over one connection; safe to run from several workers at once."""
    _give_up_claims(at)
    due = list(OutgoingMail.objects.due(at).values_list("pk", flat=True)[: most + 1])
    connection = get_connection()
    sent = failed = 0
    try:
        for key in due[:most]:
            mail = _claimed(key, at)
            if mail is None:
                continue
            if _sent(connection, mail, at):
                sent += 1
            else:
                failed += 1
    except ServerAwayError as away:
        failed += 1 + _too_late(at, str(away))
        return Delivered(sent, failed, more=False)
    finally:
        connection.close()
    return Delivered(sent, failed, more=len(due) > most)


def _give_up_claims(at: datetime) -> None:
    left = OutgoingMail.objects.filter(state=MailState.SENDING, claimed_at__lte=at - LEASE)
    left.update(state=MailState.WAITING, claimed_at=None)


def _claimed(key: uuid.UUID, at: datetime) -> OutgoingMail | None:
    """The message, if nobody else took it."""
    taken = OutgoingMail.objects.filter(pk=key, state=MailState.WAITING, next_attempt_at__lte=at)
    changed = taken.update(state=MailState.SENDING, claimed_at=at, attempts=F("attempts") + 1)
    return OutgoingMail.objects.get(pk=key) if changed else None


def _sent(connection: BaseEmailBackend, mail: OutgoingMail, at: datetime) -> bool:
    try:
        _send(connection, mail)
    except UnsendableError as error:
        _finish(mail, state=MailState.FAILED, last_error=_short(error))
        return False
    except ServerAwayError as error:
        _try_later(mail, at, error)
        raise
    except SMTPException as error:
        _try_later(mail, at, error)
        return False
    _finish(mail, state=MailState.SENT, sent_at=at, sealed="", last_error="")
    return True


def _send(connection: BaseEmailBackend, mail: OutgoingMail) -> None:
    try:
        words = opened(mail.sealed, mail.to)
        letter = message(words, mail.to, NewsKind(mail.kind), mail.person_id)
        letter.message()
    except (SealBrokenError, TemplateDoesNotExist, ValueError, KeyError) as error:
        logger.exception("Mail %s can't be written", mail.pk)
        raise UnsendableError(str(error)) from error
    try:
        connection.open()
    except OSError as error:
        raise ServerAwayError(str(error)) from error
    try:
        connection.send_messages([letter])
    except (SMTPRecipientsRefused, SMTPSenderRefused, SMTPDataError) as error:
        if _is_final(error):
            raise UnsendableError(_answer_of(error)) from error
        raise
    except OSError as error:
        raise ServerAwayError(str(error)) from error


def _is_final(error: SMTPException) -> bool:
    """Whether the server said that it will never take this message (a code of 500 or more)."""
    if isinstance(error, SMTPRecipientsRefused):
        return all(code >= 500 for code, _text in error.recipients.values())
    return isinstance(error, SMTPResponseException) and error.smtp_code >= 500


def _answer_of(error: SMTPException) -> str:
    if isinstance(error, SMTPRecipientsRefused):
        answers = error.recipients.values()
        return "; ".join(f"{code} {_text(said)}" for code, said in answers)
    if isinstance(error, SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    return str(error)


def _text(said: bytes | str) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said


def _short(error: Exception) -> str:
    said = _answer_of(error) if isinstance(error, SMTPException) else str(error)
    return (" ".join(said.split()) or type(error).__name__)[:MOST_ERROR_LETTERS]


def _try_later(mail: OutgoingMail, at: datetime, error: Exception) -> None:
    """Again in 1, 2, 4 … 60 minutes; after a day it is given up, and shown."""
    said = _short(error)
    logger.warning("Mail %s (%s) was not taken: %s", mail.pk, mail.kind, said)
    if at >= mail.asked_at + RETRIED_FOR:
        _finish(mail, state=MailState.FAILED, last_error=said)
        return
    minutes = min(2 ** min(mail.attempts - 1, 10), MOST_MINUTES_BETWEEN)
    _finish(
        mail,
        state=MailState.WAITING,
        next_attempt_at=at + timedelta(minutes=minutes),
        last_error=said,
    )


def _too_late(at: datetime, said: str) -> int:
    """While the server is away one message tries for all; those older than a day are given up."""
    late = OutgoingMail.objects.due(at).filter(asked_at__lte=at - RETRIED_FOR)
    return late.update(state=MailState.FAILED, last_error=said[:MOST_ERROR_LETTERS])


def _finish(mail: OutgoingMail, **changes: object) -> None:
    """Write the outcome down, if the claim is still ours."""
    ours = OutgoingMail.objects.filter(pk=mail.pk, state=MailState.SENDING, attempts=mail.attempts)
    ours.update(claimed_at=None, **changes)


def send_again(
    *, actor: Actor, at: datetime, organization: Organization, mail_ids: Sequence[uuid.UUID]
) -> int:
    """Send messages of the organization that could not be sent once more; how many. Owners only."""
    with transaction.atomic():
        row = lock(organization.pk)
        check_can_change_people(viewer(actor, row))
        again = OutgoingMail.objects.troubled().filter(organization=row, pk__in=mail_ids)
        return _again(actor, at, again)


def _again(actor: Actor, at: datetime, rows: Iterable[OutgoingMail]) -> int:
    found = queue_again(rows, at)
    for mail in found:
        audit.record(
            event=Event.MAIL_RESENT,
            actor=actor,
            at=at,
            organization_id=mail.organization_id,
            subject=("mail", mail.pk),
            after={"kind": mail.kind},
        )
    return len(found)


def queue_again(rows: Iterable[OutgoingMail], at: datetime) -> Sequence[OutgoingMail]:
    """Let the messages wait once more, in the caller's transaction; 404 where there is none."""
    found = list(rows)
    if not found:
        raise not_found()
    keys = [mail.pk for mail in found]
    OutgoingMail.objects.filter(pk__in=keys).exclude(state=MailState.SENDING).update(
        state=MailState.WAITING, next_attempt_at=at, asked_at=at
    )
    transaction.on_commit(hint, robust=True)
    return found


def forget(*, at: datetime) -> int:
    """Mail older than 30 days and news older than 90 go; how many rows."""
    mails, _each = OutgoingMail.objects.filter(created_at__lt=at - KEPT).delete()
    news, _kinds = Notification.objects.filter(at__lt=at - NEWS_KEPT).delete()
    return mails + news
