"""Grants, the pool and the queue (product.md rules 4 and 5)."""

from datetime import datetime, timedelta

import pytest
from django.core import mail
from django.db import IntegrityError, transaction

from offload_portal.common.actors import Actor
from offload_portal.common.refusals import Refusal
from orgs import selectors, services
from orgs.enums import Event, LicenseState, Role
from orgs.models import (
    AccessLoss,
    AuditEntry,
    AuditText,
    License,
    LicenseGrant,
    Organization,
    Person,
    Team,
    TeamMember,
)
from tests.factories import actor
from tests.orgs.conftest import html_of

SECOND = timedelta(seconds=1)


def grant(place: Organization, owner: Person, person: Person, at: datetime) -> services.Settled:
    return services.grant_to_person(actor=actor(owner), at=at, organization=place, person=person)


def state(place: Organization, person: Person, at: datetime) -> tuple[str, int | None]:
    found = selectors.standing(place, person, at)
    return found.license_state, found.queue_place


def test_without_a_license_a_granted_member_waits_in_order_of_grant(place, owner, join, at):
    first, second = join(place, "First"), join(place, "Second")
    grant(place, owner, second, at)
    grant(place, owner, first, at + SECOND)
    assert state(place, second, at) == ("queued", 1)
    assert state(place, first, at) == ("queued", 2)


def test_grants_of_one_second_keep_the_order_of_recording(place, owner, join, at):
    people = [join(place, f"P{number}") for number in range(4)]
    for person in reversed(people):
        grant(place, owner, person, at)
    places = [state(place, person, at)[1] for person in people]
    assert places == [4, 3, 2, 1]


def test_the_last_license_goes_to_the_next_and_the_one_after_waits(place, owner, join, pool, at):
    pool(place, 2)
    people = [join(place, f"P{number}") for number in range(3)]
    for number, person in enumerate(people):
        grant(place, owner, person, at + number * SECOND)
    assert [state(place, person, at)[0] for person in people] == ["held", "held", "queued"]
    place.refresh_from_db()
    assert (place.licenses, place.licenses_held) == (2, 2)
    assert selectors.pool_of(place) == selectors.Pool(licenses=2, held=2, queued=1)


def test_more_licenses_move_up_those_who_wait_and_tell_them(place, owner, join, pool, at):
    ada, bob, eve = (join(place, name) for name in ("Ada", "Bob", "Eve"))
    for person in (ada, bob, eve):
        grant(place, owner, person, at)
    mail.outbox.clear()
    done = pool(place, 2, at + SECOND)
    assert done.given == [ada.pk, bob.pk]
    assert state(place, eve, at) == ("queued", 1)
    assert [message.to for message in mail.outbox] == [[ada.email], [bob.email]]
    assert License.objects.get(person=ada).held_since == at + SECOND


def test_a_license_that_comes_free_moves_the_next_up_in_the_same_step(place, owner, join, pool, at):
    pool(place, 1)
    ada, bob = join(place, "Ada"), join(place, "Bob")
    grant(place, owner, ada, at)
    grant(place, owner, bob, at + SECOND)
    done = services.revoke_person(
        actor=actor(owner), at=at + 2 * SECOND, organization=place, person=ada
    )
    assert (done.lost, done.given) == ([ada.pk], [bob.pk])
    assert state(place, ada, at) == ("none", None)
    assert state(place, bob, at) == ("held", None)


def test_losing_a_license_is_a_fact_with_its_instant(place, owner, join, pool, at):
    pool(place, 1)
    ada = join(place, "Ada")
    grant(place, owner, ada, at)
    later = at + 5 * SECOND
    services.revoke_person(actor=actor(owner), at=later, organization=place, person=ada)
    assert selectors.first_loss(place.pk, ada.pk, at) == later
    assert selectors.first_loss(place.pk, ada.pk, later) == later
    assert selectors.first_loss(place.pk, ada.pk, later + SECOND) is None
    assert [loss.cause for loss in selectors.losses(place.pk, at)] == ["grant_revoked"]


def test_who_only_waited_loses_no_access(place, owner, join, at):
    ada = join(place, "Ada")
    grant(place, owner, ada, at)
    done = services.revoke_person(actor=actor(owner), at=at, organization=place, person=ada)
    assert (done.lost, done.left_queue) == ([], [ada.pk])
    assert not AccessLoss.objects.exists()


def test_a_smaller_pool_sends_the_last_granted_to_the_queue(place, owner, join, pool, at):
    pool(place, 3)
    people = [join(place, f"P{number}") for number in range(3)]
    for number, person in enumerate(people):
        grant(place, owner, person, at + number * SECOND)
    mail.outbox.clear()
    done = pool(place, 1, at + 60 * SECOND)
    assert done.back_to_queue == [people[2].pk, people[1].pk]
    assert state(place, people[1], at) == ("queued", 1)
    assert state(place, people[2], at) == ("queued", 2)
    losses = AccessLoss.objects.order_by("id").values_list("person", "cause", "at")
    assert set(losses) == {
        (people[1].pk, "pool_shrunk", at + 60 * SECOND),
        (people[2].pk, "pool_shrunk", at + 60 * SECOND),
    }
    assert {message.to[0] for message in mail.outbox} == {
        people[1].email,
        people[2].email,
        owner.email,
    }


def test_a_pool_of_nothing_takes_every_license(place, owner, join, pool, at):
    pool(place, 1)
    grant(place, owner, owner, at)
    pool(place, 0, at + SECOND)
    assert state(place, owner, at) == ("queued", 1)
    place.refresh_from_db()
    assert (place.licenses, place.licenses_held) == (0, 0)


def test_all_members_covers_those_who_join_later(place, owner, join, pool, at):
    pool(place, 2)
    services.grant_to_all(actor=actor(owner), at=at, organization=place)
    assert state(place, owner, at) == ("held", None)
    token = _invited(place, owner, "new@example.com", at)
    ada = _person("new@example.com")
    services.accept_invitation(actor=actor(ada), at=at + SECOND, token=token, person=ada)
    assert state(place, ada, at + SECOND) == ("held", None)
    assert selectors.standing(place, ada, at + SECOND).grants == ("all",)


def test_a_member_holds_one_license_shown_with_every_grant(place, owner, join, pool, at):
    pool(place, 5)
    ada = join(place, "Ada")
    team = Team.objects.create(organization=place, name="Core", created_at=at)
    TeamMember.objects.create(organization=place, team=team, person=ada, joined_at=at)
    grant(place, owner, ada, at)
    services.grant_to_team(actor=actor(owner), at=at, organization=place, team=team)
    services.grant_to_all(actor=actor(owner), at=at, organization=place)
    assert sorted(selectors.standing(place, ada, at).grants) == ["all", "person", "team:Core"]
    assert License.objects.filter(person=ada).count() == 1


def test_the_preview_says_who_loses_who_keeps_and_who_moves_up(place, owner, join, pool, at):
    pool(place, 2)
    ada, bob, eve = (join(place, name) for name in ("Ada", "Bob", "Eve"))
    team = Team.objects.create(organization=place, name="Core", created_at=at)
    TeamMember.objects.create(organization=place, team=team, person=bob, joined_at=at)
    services.grant_to_team(actor=actor(owner), at=at, organization=place, team=team)
    for number, person in enumerate((ada, bob, eve), start=1):
        grant(place, owner, person, at + number * SECOND)
    preview = selectors.who_loses(place, at=at + 9 * SECOND, person_ids=[ada.pk, bob.pk])
    assert [person.id for person in preview.loses] == [ada.pk]
    assert [(kept.person.id, kept.grants) for kept in preview.keeps] == [(bob.pk, ("team:Core",))]
    assert [person.id for person in preview.promoted] == [eve.pk]
    done = services.revoke_persons(
        actor=actor(owner), at=at + 9 * SECOND, organization=place, person_ids=[ada.pk, bob.pk]
    )
    assert (done.lost, done.given) == ([ada.pk], [eve.pk])


def test_switching_to_selected_members_keeps_those_who_are_selected(place, owner, join, pool, at):
    pool(place, 3)
    ada, bob = join(place, "Ada"), join(place, "Bob")
    services.grant_to_all(actor=actor(owner), at=at, organization=place)
    done = services.revoke_all(
        actor=actor(owner), at=at + SECOND, organization=place, keep=[ada.pk, owner.pk]
    )
    assert done.lost == [bob.pk]
    assert state(place, ada, at) == ("held", None)
    assert selectors.standing(place, ada, at + SECOND).grants == ("person",)
    assert License.objects.get(person=ada).held_since == at, "nobody who keeps it loses a second"


def test_leaving_takes_the_license_along_and_moves_the_next_up(place, owner, join, pool, at):
    pool(place, 1)
    ada, bob = join(place, "Ada"), join(place, "Bob")
    grant(place, owner, ada, at)
    grant(place, owner, bob, at)
    services.leave(actor=actor(ada), at=at + SECOND, organization=place, person=ada)
    assert not LicenseGrant.objects.filter(person=ada).exists()
    assert AccessLoss.objects.get().cause == "left"
    assert state(place, bob, at) == ("held", None)


def test_granting_twice_changes_nothing(place, owner, join, pool, at):
    pool(place, 1)
    ada = join(place, "Ada")
    grant(place, owner, ada, at)
    entries = AuditEntry.objects.count()
    assert grant(place, owner, ada, at + SECOND) == services.Settled()
    assert AuditEntry.objects.count() == entries


def test_a_grant_that_ended_no_longer_entitles(place, owner, join, at):
    ada = join(place, "Ada")
    grant(place, owner, ada, at)
    until = at + timedelta(hours=1)
    LicenseGrant.objects.filter(person=ada).update(until=until)
    assert selectors.grants_by_person(place, until - SECOND)
    assert not selectors.grants_by_person(place, until)


def test_only_owners_grant_and_the_refusal_names_them(place, owner, join, at):
    editor = join(place, "Edda", Role.EDITOR)
    with pytest.raises(Refusal) as refused:
        grant(place, editor, editor, at)
    assert (refused.value.code, refused.value.status) == ("not_an_owner", 403)
    assert owner.name in refused.value.sentence
    assert refused.value.extra["contacts"] == [{"name": owner.name, "email": owner.email}]


def test_a_stranger_finds_nothing_to_grant(place, stranger, at):
    with pytest.raises(Refusal) as refused:
        grant(place, stranger, stranger, at)
    assert refused.value.status == 404


def test_nobody_outside_can_be_selected(place, owner, stranger, at):
    with pytest.raises(Refusal) as refused:
        grant(place, owner, stranger, at)
    assert refused.value.status == 404
    assert not LicenseGrant.objects.exists()


def test_who_waits_and_the_owners_are_told(place, owner, join, at):
    ada = join(place, "Ada")
    grant(place, owner, ada, at)
    assert [(message.to[0], message.subject) for message in mail.outbox] == [
        (ada.email, "You wait for a license in Northwind"),
        (owner.email, "1 member waits for a license in Northwind"),
    ]
    assert all("<html" in html_of(message) for message in mail.outbox)


def test_every_change_of_access_leaves_an_entry(place, owner, join, pool, at):
    pool(place, 1)
    ada = join(place, "Ada")
    grant(place, owner, ada, at)
    services.revoke_person(
        actor=Actor(owner.pk, "203.0.113.9"), at=at + SECOND, organization=place, person=ada
    )
    entries = AuditEntry.objects.filter(subject_id=ada.pk).order_by("id")
    assert [(entry.event, entry.actor_id, entry.at) for entry in entries] == [
        (Event.ACCESS_GRANTED, owner.pk, at),
        (Event.LICENSE_GIVEN, owner.pk, at),
        (Event.ACCESS_REVOKED, owner.pk, at + SECOND),
        (Event.LICENSE_LOST, owner.pk, at + SECOND),
    ]
    assert entries[3].after == {"state": "none", "cause": "grant_revoked"}
    assert AuditText.objects.get(digest=entries[3].origin).text == "203.0.113.9"


@pytest.mark.django_db
def test_the_database_refuses_more_held_than_there_are(place, pool):
    pool(place, 1)
    with pytest.raises(IntegrityError), transaction.atomic():
        Organization.objects.filter(pk=place.pk).update(licenses_held=2)


def test_the_database_refuses_a_second_license(place, owner, pool, at):
    pool(place, 2)
    grant(place, owner, owner, at)
    with pytest.raises(IntegrityError), transaction.atomic():
        License.objects.create(
            organization=place, person=owner, state=LicenseState.QUEUED, granted_at=at
        )


@pytest.mark.usefixtures("mail_waits")
def test_a_change_costs_the_same_statements_for_one_and_for_twenty(
    place, owner, join, pool, at, django_assert_max_num_queries
):
    pool(place, 50)
    for number in range(20):
        join(place, f"P{number}")
    with django_assert_max_num_queries(30):
        services.grant_to_all(actor=actor(owner), at=at, organization=place)
    assert License.objects.held().count() == 21


def _person(email: str) -> Person:
    from tests import factories

    return factories.person("New Person", email)


def _invited(place: Organization, owner: Person, email: str, at: datetime) -> str:
    done = services.invite(actor=actor(owner), at=at, organization=place, emails=[email])
    return done.sent[0].token
