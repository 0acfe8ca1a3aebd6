"""A refused member asks, owners answer: once of each kind, until an instant (rule 26)."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from offload_portal.common.refusals import Refusal
from orgs import services
from orgs.enums import Event, OffloadSwitch, RequestState, Role
from orgs.models import AuditEntry, LicenseGrant, MemberRequest, PolicyOverride
from orgs.selectors import standing
from orgs.selectors.policies import policy_of
from orgs.selectors.requests import find_request, open_requests
from orgs.services.requests import Answer, answer_request, make_request, withdraw_request
from tests.factories import actor
from tests.orgs.test_policy import update

pytestmark = pytest.mark.django_db
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
HOUR = 3_600


@pytest.fixture
def ada(place, join, pool):
    pool(place, 5)
    return join(place, "Ada")


@pytest.fixture
def ask(place, at):
    def asked(person, kind="access", when=at, **more):
        return make_request(
            actor=actor(person), at=when, organization=place, person=person, kind=kind, **more
        )

    return asked


@pytest.fixture
def answer(place, owner, at):
    def answered(request, approve=True, when=at + SECOND, by=owner, **more):
        if approve:
            more.setdefault("until", at + 7 * DAY)
        return answer_request(
            actor=actor(by),
            at=when,
            organization=place,
            request_id=request.pk,
            answer=Answer(approve, **more),
        )

    return answered


def code_of(call, *arguments, **more):
    with pytest.raises(Refusal) as no:
        call(*arguments, **more)
    return no.value.code


class TestAsking:
    def test_owners_are_told_with_a_link_that_leads_to_the_page(
        self, place, owner, ada, ask, outbox
    ):
        made = ask(ada, note="A release is due.")
        (message,) = outbox
        assert message.to == [owner.email]
        assert message.subject == "Ada asks for access to Docker Offload in Northwind"
        assert f"/organizations/{place.slug}/requests/{made.pk}/" in message.body
        assert "A release is due." in message.body
        assert open_requests(place) == 1
        assert AuditEntry.objects.get(event=Event.REQUEST_MADE).subject_id == made.pk

    def test_one_of_each_kind_at_a_time(self, ada, ask, answer):
        first = ask(ada)
        assert code_of(ask, ada) == "request_open"
        assert ask(ada, "hours", wanted_seconds=10 * HOUR)
        answer(first, approve=False)
        assert ask(ada)

    def test_the_database_refuses_a_second_open_one(self, place, ada, ask, at):
        ask(ada)
        with pytest.raises(IntegrityError), transaction.atomic():
            MemberRequest.objects.create(
                organization=place, person=ada, kind="access", created_at=at
            )

    def test_who_has_access_does_not_ask_for_it(self, place, owner, ada, ask, at):
        services.grant_to_person(actor=actor(owner), at=at, organization=place, person=ada)
        assert code_of(ask, ada) == "request_needless"
        update(place, owner, at, offload=OffloadSwitch.ALWAYS_DISABLED)
        assert ask(ada), "switched off is no access"

    @pytest.mark.parametrize(
        ("wanted", "refused"),
        [(None, True), (HOUR - 1, True), (HOUR, True), (HOUR + 1, False), (59, True)],
    )
    def test_a_longer_session_is_longer(self, place, owner, ada, ask, at, wanted, refused):
        assert code_of(ask, ada, "session_length", wanted_seconds=2 * HOUR) == "request_needless"
        update(place, owner, at, longest_session_seconds=HOUR)
        if refused:
            assert code_of(ask, ada, "session_length", wanted_seconds=wanted) == "invalid"
        else:
            assert ask(ada, "session_length", wanted_seconds=wanted)

    def test_strangers_find_nothing_and_kinds_are_closed(self, ada, stranger, ask):
        assert code_of(ask, stranger) == "not_found"
        assert code_of(ask, ada, "money") == "invalid"
        assert code_of(ask, ada, note="x" * 501) == "invalid"


class TestAnswering:
    def test_access_is_granted_until_the_instant(self, place, ada, ask, answer, at, outbox):
        made = ask(ada)
        outbox.clear()
        answer(made, text="Until the release.")
        grant = LicenseGrant.objects.get()
        assert (grant.person, grant.until) == (ada, at + 7 * DAY)
        assert standing(place, ada, at + DAY).license_state == "held"
        told = {message.subject: message.body for message in outbox}
        said = told["Your request for access to Docker Offload in Northwind is approved"]
        assert "18 March 2026, 12:00 UTC" in said
        assert "Until the release." in said

    def test_a_grant_without_an_end_is_not_shortened(
        self, place, owner, ada, ask, answer, at, pool
    ):
        pool(place, 0)
        services.grant_to_person(actor=actor(owner), at=at, organization=place, person=ada)
        answer(ask(ada))
        assert LicenseGrant.objects.get().until is None

    def test_who_is_switched_off_is_switched_on_until_then(
        self, place, owner, ada, ask, answer, at
    ):
        update(place, owner, at, offload=OffloadSwitch.ALWAYS_DISABLED)
        answer(ask(ada))
        assert policy_of(place, ada, at + DAY).terms.offload == "enabled"
        assert policy_of(place, ada, at + 7 * DAY).terms.offload == "always_disabled"

    @pytest.mark.parametrize(("seconds", "held"), [(None, 8 * HOUR), (4 * HOUR, 4 * HOUR)])
    def test_a_longer_session_is_a_policy_for_the_person(
        self, place, owner, ada, ask, answer, at, seconds, held
    ):
        update(place, owner, at, longest_session_seconds=HOUR)
        answer(ask(ada, "session_length", wanted_seconds=8 * HOUR), seconds=seconds)
        holds = policy_of(place, ada, at + DAY).terms
        assert holds.longest_session_seconds == held
        assert policy_of(place, ada, at + 7 * DAY).terms.longest_session_seconds == HOUR

    def test_hours_are_recorded_and_change_nothing_else(self, ada, ask, answer):
        done = answer(ask(ada, "hours", wanted_seconds=10 * HOUR), until=None)
        assert (done.state, done.until) == (RequestState.APPROVED, None)
        assert not LicenseGrant.objects.exists()
        assert not PolicyOverride.objects.exists()

    @pytest.mark.parametrize("late", [-SECOND, timedelta(0)])
    def test_what_is_approved_ends_later(self, ada, ask, answer, at, late):
        made = ask(ada)
        assert code_of(answer, made, until=at + SECOND + late) == "invalid"
        assert code_of(answer, made, until=None) == "invalid"
        assert answer(made, until=at + 2 * SECOND)

    def test_it_is_answered_once(self, ada, ask, answer):
        made = ask(ada)
        answer(made, approve=False)
        assert code_of(answer, made) == "request_answered"
        assert not LicenseGrant.objects.exists()

    def test_who_left_gets_nothing(self, place, owner, ada, ask, answer, at):
        made = ask(ada)
        services.remove_member(actor=actor(owner), at=at, organization=place, person=ada)
        assert code_of(answer, made) == "request_answered"
        assert find_request(place, made.pk).state == RequestState.WITHDRAWN
        assert not LicenseGrant.objects.exists()

    @pytest.mark.parametrize("role", [Role.EDITOR, Role.MEMBER])
    def test_only_owners_answer(self, place, join, ada, ask, answer, role):
        made = ask(ada)
        assert code_of(answer, made, by=join(place, "Other", role)) == "not_an_owner"
        assert code_of(answer, made, by=ada) == "not_an_owner"

    def test_withdrawing_is_for_who_asked(self, place, owner, ada, join, ask, at):
        made = ask(ada)
        order = {"at": at, "organization": place, "request_id": made.pk}
        other = join(place, "Other")
        assert code_of(withdraw_request, actor=actor(other), person=other, **order) == "not_found"
        withdraw_request(actor=actor(ada), person=ada, **order)
        assert open_requests(place) == 0


@pytest.mark.usefixtures("clock")
class TestPages:
    def test_opening_the_link_of_the_mail_changes_nothing(self, place, owner, ada, ask, client_of):
        made = ask(ada)
        url = f"/organizations/{place.slug}/requests/{made.pk}/"
        assert "Approve" in client_of(owner).get(url).content.decode()
        assert client_of(owner).get(f"{url}answer/").status_code == 405
        assert find_request(place, made.pk).is_open

    def test_an_owner_approves_until_the_end_of_a_day(self, place, owner, ada, ask, client_of, at):
        made = ask(ada)
        url = f"/organizations/{place.slug}/requests/{made.pk}/answer/"
        client_of(owner).post(url, {"step": "approve", "until": "2026-03-20", "answer": ""})
        # The day is over at midnight in Berlin.
        assert LicenseGrant.objects.get().until == datetime(2026, 3, 20, 23, tzinfo=UTC)

    def test_approving_hours_leads_to_the_top_up(self, place, owner, ada, ask, client_of):
        made = ask(ada, "hours")
        url = f"/organizations/{place.slug}/requests/{made.pk}/answer/"
        answered = client_of(owner).post(url, {"step": "approve", "answer": ""})
        assert answered.headers["Location"] == f"/organizations/{place.slug}/billing/top-up/"

    def test_a_missing_day_is_said_beside_its_field(self, place, owner, ada, ask, client_of):
        made = ask(ada)
        url = f"/organizations/{place.slug}/requests/{made.pk}/answer/"
        page = client_of(owner).post(url, {"step": "approve", "until": "", "answer": "yes"})
        assert page.status_code == 400
        assert "Say until when it holds." in page.content.decode()
        assert "yes" in page.content.decode()

    def test_a_member_asks_and_sees_only_their_own(self, place, ada, join, ask, client_of):
        other = ask(join(place, "Other"))
        here = f"/organizations/{place.slug}/requests/"
        browser = client_of(ada)
        asked = browser.post(f"{here}new/?kind=hours", {"kind": "hours", "hours": "10", "note": ""})
        assert asked.headers["Location"] == here
        assert MemberRequest.objects.get(person=ada).wanted_seconds == 10 * HOUR
        page = browser.get(here).content.decode()
        assert "More compute time" in page
        assert "Other" not in page
        assert browser.get(f"{here}{other.pk}/").status_code == 404
        again = browser.post(f"{here}new/", {"kind": "hours", "hours": "10", "note": ""})
        assert "You have asked for this" in again.content.decode()

    def test_the_list_costs_the_same_for_one_and_for_twenty(
        self, place, owner, ada, join, ask, client_of, django_assert_max_num_queries
    ):
        ask(ada)
        browser, url = client_of(owner), f"/organizations/{place.slug}/requests/"
        browser.get(url)
        with django_assert_max_num_queries(15) as few:
            browser.get(url)
        for number in range(20):
            ask(join(place, f"P{number}"))
        with django_assert_max_num_queries(len(few)):
            browser.get(url)
