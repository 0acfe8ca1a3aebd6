"""News: in the portal always, by e-mail where the reader wants it."""

import re

import pytest
from django.core import mail
from django.db import transaction
from django.test import Client
from django.utils import translation

from orgs.enums import ALWAYS_BY_MAIL, NewsKind
from orgs.models import DeclinedMail, Notification
from orgs.selectors.news import mail_kinds, news_page, unread_count
from orgs.services.mails import headline
from orgs.services.news import choose_mail, notify, read_all
from tests.factories import actor

pytestmark = pytest.mark.django_db


def tell(at, place, *people, kind=NewsKind.LICENSE_GIVEN, **facts):
    context = {
        "organization": place.name if place else "",
        "link": "http://localhost:8000/organizations/",
        **facts,
    }
    with transaction.atomic():
        notify(
            kind=kind,
            at=at,
            organization=place,
            people=people,
            context=lambda person: {**context, "person": person.shown_name},
        )


def test_news_stands_in_the_portal_and_comes_by_mail(place, owner, at, outbox, settings):
    settings.PORTAL_URL = "http://localhost:8000"
    tell(at, place, owner)
    assert unread_count(owner) == 1
    row = Notification.objects.get()
    assert (row.link, row.organization, row.at) == ("/organizations/", place, at)
    (message,) = outbox
    assert message.subject == "You can use Docker Offload in Northwind"


def test_who_declined_a_kind_reads_it_in_the_portal_only(place, owner, at, outbox):
    kinds = set(NewsKind) - {NewsKind.LICENSE_GIVEN}
    choose_mail(actor=actor(owner), at=at, person=owner, by_mail=kinds)
    tell(at, place, owner)
    assert (len(outbox), unread_count(owner)) == (0, 1)
    tell(at, place, owner, kind=NewsKind.LICENSE_QUEUED)
    assert len(outbox) == 1


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_portal_s_words_lead_to_nothing_that_only_the_mail_has(place, owner, at, language):
    tell(at, place, owner)
    row = Notification.objects.get()
    with translation.override(language):
        title, text = headline(NewsKind.LICENSE_GIVEN, row.facts)
    assert title
    assert text == "Hello Olga Owner, you have a license in Northwind."


def test_what_is_for_safety_can_not_be_declined(owner, at):
    choose_mail(actor=actor(owner), at=at, person=owner, by_mail=[])
    fixed = {each.kind for each in mail_kinds(owner) if each.by_mail}
    assert fixed == ALWAYS_BY_MAIL


def test_who_can_not_sign_in_is_told_nothing(place, owner, at, outbox):
    owner.is_active = False
    owner.save()
    tell(at, place, owner)
    assert not outbox
    assert not Notification.objects.exists()


def test_a_thousand_are_told_in_a_few_statements(
    place, join, at, mail_waits, django_assert_max_num_queries
):
    people = [join(place, f"P{number}") for number in range(20)]
    with django_assert_max_num_queries(8):
        tell(at, place, *people)


def test_the_list_is_paged_and_one_s_own(place, owner, stranger, at):
    for _number in range(31):
        tell(at, place, owner)
    tell(at, place, stranger)
    first = news_page(owner)
    assert len(first.rows) == 30
    second = news_page(owner, first.older)
    assert (len(second.rows), second.older) == (1, None)
    assert not {row.id for row in first.rows} & {row.id for row in second.rows}


@pytest.mark.usefixtures("clock")
class TestPages:
    def test_opening_one_marks_it_and_leads_on(self, place, owner, at, client_of):
        tell(at, place, owner)
        browser = client_of(owner)
        page = browser.get("/notifications/").content.decode()
        assert "You can use Docker Offload in Northwind" in page
        assert "1<span class" in page, "the count beside the bell"
        url = re.findall(r'/notifications/[^/"]+/open/', page)[0]
        assert browser.get(url).status_code == 405
        assert browser.post(url).headers["Location"] == "/organizations/"
        assert unread_count(owner) == 0

    def test_somebody_else_s_news_is_not_found(self, place, owner, stranger, at, client_of):
        tell(at, place, owner)
        url = f"/notifications/{Notification.objects.get().pk}/open/"
        assert client_of(stranger).post(url).status_code == 404
        assert unread_count(owner) == 1

    def test_all_are_marked_at_once(self, place, owner, at, client_of):
        tell(at, place, owner)
        tell(at, place, owner)
        client_of(owner).post("/notifications/read/")
        assert unread_count(owner) == 0
        assert read_all(actor=actor(owner), at=at, person=owner) == 0

    def test_the_choice_is_kept(self, place, owner, client_of):
        browser = client_of(owner)
        browser.post("/account/notifications/", {"kind": ["license_lost"]})
        declined = set(DeclinedMail.objects.order_by("id").values_list("kind", flat=True))
        assert NewsKind.LICENSE_LOST not in declined
        assert NewsKind.LICENSE_GIVEN in declined
        page = browser.get("/account/notifications/").content.decode()
        assert 'value="license_lost" id="kind-license_lost" checked' in page

    def test_a_member_s_choice_leaves_what_is_for_owners(self, place, join, client_of):
        member = join(place, "Max")
        client_of(member).post("/account/notifications/", {"kind": []})
        assert not DeclinedMail.objects.filter(kind=NewsKind.LICENSES_WANTED).exists()

    def test_signed_out_leads_to_sign_in(self):
        for path in ("/notifications/", "/account/notifications/"):
            assert Client().get(path).headers["Location"].startswith("/account/login/")

    def test_a_page_of_news_costs_the_same_for_one_and_for_thirty(
        self, place, owner, at, client_of, django_assert_max_num_queries
    ):
        tell(at, place, owner)
        browser = client_of(owner)
        browser.get("/notifications/")
        with django_assert_max_num_queries(8) as few:
            browser.get("/notifications/")
        for _number in range(29):
            tell(at, place, owner)
        with django_assert_max_num_queries(len(few)):
            browser.get("/notifications/")


class TestUnsubscribing:
    def link(self, place, owner, at):
        tell(at, place, owner)
        header = mail.outbox[-1].extra_headers["List-Unsubscribe"]
        return re.findall(r"/unsubscribe/[^>]+", header)[0]

    def test_opening_the_link_changes_nothing_and_posting_declines(self, place, owner, at):
        link = self.link(place, owner, at)
        browser = Client(enforce_csrf_checks=True)
        assert "Stop these e-mails" in browser.get(link).content.decode()
        assert not DeclinedMail.objects.exists()
        for _twice in range(2):
            answer = browser.post(link, {"List-Unsubscribe": "One-Click"})
            assert answer.status_code == 200
        assert DeclinedMail.objects.get().kind == NewsKind.LICENSE_GIVEN

    def test_a_changed_link_is_not_found(self, place, owner, stranger, at):
        link = self.link(place, owner, at)
        for wrong in (link[:-3] + "x/", link.replace(owner.pk.hex, stranger.pk.hex)):
            assert Client().post(wrong).status_code == 404
        assert not DeclinedMail.objects.exists()
