"""What two people do at once, on real connections."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, connections

from offload_portal.common.actors import PORTAL
from offload_portal.common.refusals import Refusal
from orgs import services
from orgs.enums import LicenseState, NewsKind, Role
from orgs.models import (
    Invitation,
    License,
    MemberRequest,
    Membership,
    Notification,
    Organization,
)
from orgs.services.requests import Answer, answer_request, make_request
from tests import factories
from tests.factories import actor

pytestmark = [
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
    pytest.mark.postgresql,
]


@pytest.fixture(autouse=True)
def _on_postgresql():
    if connection.vendor != "postgresql":
        pytest.fail("run by the PostgreSQL pass only")


def in_threads(calls):
    def run(call):
        try:
            return call()
        except Refusal as refused:
            return refused.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_two_owners_who_demote_each_other_leave_one(owner, place, join, at):
    other = join(place, "Other", Role.OWNER)

    def demote(by, whom):
        return services.change_role(
            actor=actor(by), at=at, organization=place, person=whom, role=Role.MEMBER
        )

    for _ in range(5):
        Membership.objects.update(role=Role.OWNER)
        in_threads([lambda: demote(owner, other), lambda: demote(other, owner)])
        assert Membership.objects.owners().count() == 1


def test_two_owners_who_leave_at_once_leave_one(owner, place, join, at):
    other = join(place, "Other", Role.OWNER)
    results = in_threads(
        [
            lambda person=person: services.leave(
                actor=actor(person), at=at, organization=place, person=person
            )
            for person in (owner, other)
        ]
    )
    assert "last_owner" in results
    assert Membership.objects.owners().count() == 1


def test_the_last_license_goes_to_one(owner, place, join, at):
    services.set_license_pool(actor=PORTAL, at=at, organization=place, licenses=1)
    people = [join(place, f"P{number}") for number in range(8)]
    in_threads(
        [
            lambda person=person: services.grant_to_person(
                actor=actor(owner), at=at, organization=place, person=person
            )
            for person in people
        ]
    )
    assert License.objects.held().count() == 1
    assert License.objects.filter(state=LicenseState.QUEUED).count() == 7
    assert Organization.objects.get(pk=place.pk).licenses_held == 1


def test_licenses_that_come_free_at_once_go_to_the_first_in_the_queue(owner, place, join, at):
    services.set_license_pool(actor=PORTAL, at=at, organization=place, licenses=4)
    people = [join(place, f"P{number}") for number in range(9)]
    order = {"actor": actor(owner), "organization": place}
    for number, person in enumerate(people):
        services.grant_to_person(at=at + timedelta(seconds=number), person=person, **order)
    later = at + timedelta(minutes=1)
    in_threads(
        [
            lambda person=person: services.remove_member(at=later, person=person, **order)
            for person in people[:4]
        ]
    )
    held = License.objects.held().order_by("granted_at", "id").values_list("person_id", flat=True)
    assert list(held) == [person.pk for person in people[4:8]]
    assert License.objects.get(state=LicenseState.QUEUED).person_id == people[8].pk
    told = Notification.objects.filter(kind=NewsKind.LICENSE_GIVEN, at=later)
    assert sorted(told.values_list("person_id", flat=True)) == sorted(held)


def test_a_link_that_is_followed_twice_at_once_is_accepted_once(owner, place, at):
    ada = factories.person("Ada", "ada@example.com")
    done = services.invite(actor=actor(owner), at=at, organization=place, emails=[ada.email])
    token = done.sent[0].token
    results = in_threads(
        [
            lambda: services.accept_invitation(actor=actor(ada), at=at, token=token, person=ada)
            for _ in range(4)
        ]
    )
    assert results.count("invitation_used") == 3


def test_of_many_who_want_one_address_each_gets_another(owner, at):
    people = [factories.person(f"P{number}") for number in range(6)]
    made = in_threads(
        [
            lambda person=person: services.create_organization(
                actor=actor(person), at=at, person=person, name="Acme"
            )
            for person in people
        ]
    )
    assert len({each.slug for each in made}) == 6


def test_a_thousand_pasted_twice_at_once_make_each_once(owner, place, at):
    emails = [f"p{number}@example.com" for number in range(1_000)]
    results = in_threads(
        [
            lambda: services.invite(actor=actor(owner), at=at, organization=place, emails=emails)
            for _again in range(2)
        ]
    )
    assert sorted(len(done.sent) for done in results) == [0, 1_000]
    assert Invitation.objects.open().count() == 1_000


def test_two_teams_of_one_name_at_once_are_one(owner, place, at):
    results = in_threads(
        [
            lambda name=name: services.create_team(
                actor=actor(owner), at=at, organization=place, name=name
            )
            for name in ("Web", "WEB", "web")
        ]
    )
    assert results.count("invalid") == 2


def test_undoing_twice_at_once_undoes_once(owner, place, join, at):
    person = join(place, "Ada")
    order = {"actor": actor(owner), "at": at, "organization": place}
    done = services.change_roles(person_ids=[person.pk], role=Role.EDITOR, **order)
    undo_id = done.undo_id
    assert undo_id is not None
    results = in_threads([lambda: services.undo(change_id=undo_id, **order)] * 2)
    assert sorted(map(str, results)) == ["1", "not_undoable"]


def test_all_owners_demoted_in_bulk_at_once_leave_one(owner, place, join, at):
    other = join(place, "Other", Role.OWNER)
    in_threads(
        [
            lambda by=by, whom=whom: services.change_roles(
                actor=actor(by), at=at, organization=place, person_ids=[whom.pk], role=Role.MEMBER
            )
            for by, whom in ((owner, other), (other, owner))
        ]
    )
    assert Membership.objects.owners().count() == 1


def test_a_request_that_is_sent_twice_at_once_is_one(place, join, at):
    ada = join(place, "Ada")

    def ask():
        return make_request(actor=actor(ada), at=at, organization=place, person=ada, kind="access")

    results = in_threads([ask] * 4)
    assert results.count("request_open") == 3
    assert MemberRequest.objects.count() == 1


def test_two_owners_who_answer_at_once_give_one_answer(owner, place, join, at):
    services.set_license_pool(actor=PORTAL, at=at, organization=place, licenses=3)
    other, ada = join(place, "Other", Role.OWNER), join(place, "Ada")
    asked = make_request(actor=actor(ada), at=at, organization=place, person=ada, kind="access")

    def answer(by, *, approve):
        given = Answer(approve, until=at + timedelta(days=1) if approve else None)
        return answer_request(
            actor=actor(by), at=at, organization=place, request_id=asked.pk, answer=given
        )

    results = in_threads(
        [lambda: answer(owner, approve=True), lambda: answer(other, approve=False)]
    )
    assert results.count("request_answered") == 1
    approved = MemberRequest.objects.get().state == "approved"
    assert License.objects.exists() == approved
