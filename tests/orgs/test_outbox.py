"""Mail goes out once: with its change, by whoever claims it, again while the server is away."""

import smtplib
from datetime import timedelta

import pytest
from celery import current_app
from django.core import mail
from django.db import IntegrityError, transaction
from django.urls import reverse
from kombu.exceptions import OperationalError

from offload_portal.common.refusals import Refusal
from orgs.enums import Event, MailState, NewsKind, Role
from orgs.models import AuditEntry, OutgoingMail
from orgs.selectors import AuditFilter, audit_export
from orgs.selectors.news import troubled_mail
from orgs.services import outbox
from orgs.services.mails import sealed_letter
from tests import factories
from tests.factories import actor

pytestmark = pytest.mark.django_db
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
FACTS = {"organization": "Northwind", "person": "Ada", "link": "http://localhost/go?token=geheim"}


def write(at, *addresses, organization=None):
    with transaction.atomic():
        outbox.post(
            [
                outbox.Letter(
                    NewsKind.LICENSE_GIVEN,
                    to,
                    sealed_letter(NewsKind.LICENSE_GIVEN, "", FACTS),
                    organization.pk if organization else None,
                )
                for to in addresses
            ],
            at,
        )


@pytest.fixture(autouse=True)
def _waits(mail_waits):
    pass


@pytest.fixture
def server(monkeypatch):
    """A mail server that answers as told: `server.append(error)`; without a word it takes all."""
    answers: list[Exception] = []
    backend = mail.get_connection().__class__
    take = backend.send_messages

    def send(self, messages):
        if answers:
            raise answers.pop(0)
        return take(self, messages)

    monkeypatch.setattr(backend, "send_messages", send)
    return answers


def only():
    return OutgoingMail.objects.get()


def test_what_is_rolled_back_is_not_sent(at):
    def change():
        with transaction.atomic():
            write(at, "ada@example.com")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change()
    assert outbox.deliver(at=at).sent == 0
    assert not mail.outbox


def test_a_mail_is_sent_once_and_emptied(at):
    write(at, "ada@example.com")
    assert "geheim" not in only().sealed
    assert outbox.deliver(at=at).sent == 1
    assert outbox.deliver(at=at + DAY).sent == 0
    (message,) = mail.outbox
    assert message.to == ["ada@example.com"]
    assert "token=geheim" in message.body
    sent = only()
    assert (sent.state, sent.sent_at, sent.sealed) == (MailState.SENT, at, "")


def test_many_go_in_runs_of_a_few(at):
    write(at, *(f"p{number}@example.com" for number in range(5)))
    assert outbox.deliver(at=at, most=2) == outbox.Delivered(2, 0, more=True)
    assert outbox.deliver(at=at, most=3) == outbox.Delivered(3, 0, more=False)


def test_a_broker_that_is_away_stops_nothing(at, monkeypatch):
    monkeypatch.undo()

    def away(*_arguments, **_options):
        raise OperationalError

    monkeypatch.setattr(current_app, "send_task", away)
    write(at, "ada@example.com")
    assert outbox.deliver(at=at).sent == 1


def test_a_server_that_is_away_is_asked_again_after_longer_and_longer(at, server):
    write(at, "ada@example.com")
    now = at
    for minutes in (1, 2, 4, 8, 16, 32, 60, 60):
        server.append(ConnectionRefusedError("nobody there"))
        assert outbox.deliver(at=now).failed == 1
        assert outbox.deliver(at=now + minutes * MINUTE - SECOND).failed == 0
        now += minutes * MINUTE
        assert only().next_attempt_at == now
    assert only().last_error == "nobody there"
    assert outbox.deliver(at=now).sent == 1


def test_while_the_server_is_away_one_message_tries_for_all(at, server):
    write(at, "a@example.com", "b@example.com", "c@example.com")
    server.append(ConnectionRefusedError("nobody there"))
    assert outbox.deliver(at=at) == outbox.Delivered(0, 1, more=False)
    assert sorted(OutgoingMail.objects.order_by("id").values_list("attempts", flat=True)) == [
        0, 0, 1,
    ]  # fmt: skip
    assert outbox.deliver(at=at + MINUTE).sent == 3


@pytest.mark.parametrize(
    ("late", "state"), [(DAY - SECOND, "waiting"), (DAY, "failed"), (DAY + SECOND, "failed")]
)
def test_it_is_given_up_a_day_after_it_was_written(at, server, late, state):
    write(at, "a@example.com", "b@example.com")
    server.append(ConnectionRefusedError("nobody there"))
    outbox.deliver(at=at + late)
    assert {row.state for row in OutgoingMail.objects.order_by("id")} == {state}


def refused(code):
    return smtplib.SMTPRecipientsRefused({"ada@example.com": (code, b"no such user")})


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (refused(550), "failed"),
        (refused(450), "waiting"),
        (smtplib.SMTPDataError(554, b"spam"), "failed"),
        (smtplib.SMTPDataError(451, b"later"), "waiting"),
        (smtplib.SMTPSenderRefused(550, b"who", "portal@localhost"), "failed"),
        (smtplib.SMTPServerDisconnected("gone"), "waiting"),
        (TimeoutError("slow"), "waiting"),
    ],
)
def test_what_the_server_will_never_take_is_given_up_at_once(at, server, error, state):
    write(at, "ada@example.com")
    server.append(error)
    outbox.deliver(at=at)
    assert only().state == state
    assert only().last_error


def test_one_address_that_is_refused_does_not_stop_the_others(at, server):
    write(at, "a@example.com", "b@example.com")
    server.append(refused(550))
    assert outbox.deliver(at=at) == outbox.Delivered(1, 1, more=False)


def test_a_letter_sealed_with_another_key_is_given_up(at, settings):
    write(at, "ada@example.com")
    settings.SECRET_KEY = "another"
    outbox.deliver(at=at)
    assert only().state == MailState.FAILED


@pytest.mark.parametrize(("late", "sent"), [(-SECOND, 0), (0 * SECOND, 1), (SECOND, 1)])
def test_the_claim_of_a_worker_that_died_ends_after_a_quarter_of_an_hour(at, late, sent):
    write(at, "ada@example.com")
    OutgoingMail.objects.update(state=MailState.SENDING, claimed_at=at, attempts=1)
    assert outbox.deliver(at=at + outbox.LEASE + late).sent == sent


def test_owners_see_what_was_not_sent_and_send_it_again(place, owner, at, server):
    write(at, "ada@example.com", organization=place)
    assert troubled_mail(place) == ()
    server.append(refused(550))
    outbox.deliver(at=at)
    (row,) = troubled_mail(place)
    assert (row.to, row.next_attempt_at) == ("ada@example.com", None)
    assert "no such user" in row.last_error
    outbox.send_again(actor=actor(owner), at=at + DAY, organization=place, mail_ids=[row.id])
    assert outbox.deliver(at=at + DAY).sent == 1
    assert troubled_mail(place) == ()
    assert AuditEntry.objects.get(event=Event.MAIL_RESENT).subject_id == row.id


def test_only_owners_send_again_and_only_their_own(place, owner, join, at, server):
    write(at, "ada@example.com")
    server.append(refused(550))
    outbox.deliver(at=at)
    for person, code in ((join(place, "E", Role.EDITOR), "not_an_owner"), (owner, "not_found")):
        with pytest.raises(Refusal) as no:
            outbox.send_again(actor=actor(person), at=at, organization=place, mail_ids=[only().pk])
        assert no.value.code == code


def test_an_operator_sends_any_again_and_says_why(place, at, server, client_of):
    write(at, "ada@example.com", organization=place)
    server.append(refused(550))
    outbox.deliver(at=at)
    asked = {"action": "send_again", "_selected_action": [str(only().pk)], "reason": ""}
    browser, address = (
        client_of(factories.operator()),
        reverse("admin:orgs_outgoingmail_changelist"),
    )
    assert b"Say why" in browser.post(address, asked, follow=True).content
    assert only().state == MailState.FAILED
    browser.post(address, {**asked, "reason": "Their server is back"})
    assert only().state == MailState.WAITING
    (entry,) = AuditEntry.objects.filter(event=Event.OPERATOR_ACTED)
    assert (entry.organization_id, entry.after["act"]) == (place.pk, "mail_resent")
    (told,) = audit_export(place, AuditFilter(event=Event.OPERATOR_ACTED))
    assert told.after["reason"] == "Their server is back"


@pytest.mark.parametrize(("late", "left"), [(-SECOND, 1), (0 * SECOND, 1), (SECOND, 0)])
def test_mail_is_kept_for_thirty_days(at, late, left):
    write(at, "ada@example.com")
    outbox.forget(at=at + timedelta(days=30) + late)
    assert OutgoingMail.objects.count() == left


def test_the_database_refuses_a_sent_mail_that_says_something(at):
    write(at, "ada@example.com")
    with pytest.raises(IntegrityError), transaction.atomic():
        OutgoingMail.objects.update(state=MailState.SENT, sent_at=at)


def test_the_page_shows_it_and_sends_it_again(place, owner, client_of, clock, server, at):
    write(at, "ada@example.com", organization=place)
    server.append(refused(550))
    outbox.deliver(at=at)
    browser, url = client_of(owner), f"/organizations/{place.slug}/mail/"
    assert "no such user" in browser.get(url).content.decode()
    assert "Select mails first" in browser.post(url, follow=True).content.decode()
    page = browser.post(url, {"mail": str(only().pk)}, follow=True).content.decode()
    assert "1 mail is on its way again." in page
    assert "All mail was sent" in page or only().state == MailState.WAITING
    outbox.deliver(at=at)
    assert "All mail was sent" in browser.get(url).content.decode()
