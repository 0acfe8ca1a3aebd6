"""Several workers send at once, on real connections: each mail goes out once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core import mail
from django.db import connection, connections, transaction

from orgs.enums import MailState, NewsKind
from orgs.models import OutgoingMail
from orgs.services import outbox
from orgs.services.mails import Words, sealed_words

pytestmark = [
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
    pytest.mark.postgresql,
    pytest.mark.usefixtures("mail_waits"),
]


def test_four_workers_send_each_mail_once(at, mailoutbox):
    if connection.vendor != "postgresql":
        pytest.fail("run by the PostgreSQL pass only")
    addresses = {f"p{number}@example.com" for number in range(60)}
    sealed = sealed_words(Words("Subject", "Text", "<p>Text</p>"))
    with transaction.atomic():
        outbox.post([outbox.Letter(NewsKind.ACCOUNT, to, sealed) for to in addresses], at)
    together = threading.Barrier(4)

    def work(_number):
        try:
            together.wait(timeout=30)
            return outbox.deliver(at=at, most=60).sent
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(work, range(4)))
    assert sum(done) == 60
    assert sorted(message.to[0] for message in mail.outbox) == sorted(addresses)
    assert set(OutgoingMail.objects.order_by("id").values_list("state", flat=True)) == {
        MailState.SENT
    }
