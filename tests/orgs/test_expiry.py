"""Grants until a date: they end at their instant, whoever looks when (rules 4 and 5)."""

from datetime import timedelta

import pytest

from offload_portal.common.refusals import Refusal
from orgs import selectors, services
from orgs.enums import Event
from orgs.models import AccessLoss, AuditEntry, License, LicenseGrant
from tests.factories import actor

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def grant(place, owner, at):
    def given(person, until=None, when=at):
        return services.grant_to_person(
            actor=actor(owner), at=when, organization=place, person=person, until=until
        )

    return given


def state(place, person, when):
    return selectors.standing(place, person, when).license_state


def test_access_until_an_instant_holds_the_second_before_and_not_on_it(
    place, join, pool, grant, at
):
    pool(place, 1)
    ada, until = join(place, "Ada"), at + DAY
    grant(ada, until)
    assert state(place, ada, until - SECOND) == "held"
    assert state(place, ada, until) == "none"
    assert state(place, ada, until + SECOND) == "none"
    assert selectors.standing(place, ada, at).ends_at == until


@pytest.mark.parametrize("late", [0, 1, 86_400])
def test_a_late_sweep_writes_the_loss_down_at_its_own_instant(
    place, join, pool, grant, at, late, mailoutbox
):
    pool(place, 1)
    ada, bob, until = join(place, "Ada"), join(place, "Bob"), at + DAY
    grant(ada, until)
    grant(bob, when=at + SECOND)
    mailoutbox.clear()
    services.expire_grants(at=until - SECOND)
    assert not AccessLoss.objects.exists()
    for _again in range(2):
        services.expire_grants(at=until + timedelta(seconds=late))
    loss = AccessLoss.objects.get()
    assert (loss.person_id, loss.at, loss.cause) == (ada.pk, until, "grant_expired")
    assert License.objects.get().person_id == bob.pk, "the next moves up"
    assert License.objects.get().held_since == until
    assert not LicenseGrant.objects.filter(person=ada).exists()
    assert AuditEntry.objects.get(event=Event.ACCESS_EXPIRED).at == until
    assert sorted(message.to[0] for message in mailoutbox) == sorted([ada.email, bob.email])


def test_who_has_another_grant_keeps_access(place, owner, join, pool, grant, at):
    pool(place, 1)
    ada, until = join(place, "Ada"), at + DAY
    grant(ada, until)
    services.grant_to_all(actor=actor(owner), at=at, organization=place)
    assert License.objects.get(person=ada).ends_at is None
    services.expire_grants(at=until)
    assert state(place, ada, until) == "held"
    assert not AccessLoss.objects.exists()


def test_the_last_of_several_ends_counts(place, owner, join, pool, grant, at):
    pool(place, 1)
    ada = join(place, "Ada")
    team = services.create_team(
        actor=actor(owner), at=at, organization=place, name="Web", person_ids=[ada.pk]
    )
    grant(ada, at + DAY)
    services.grant_to_team(
        actor=actor(owner), at=at, organization=place, team=team, until=at + 2 * DAY
    )
    assert License.objects.get(person=ada).ends_at == at + 2 * DAY
    services.expire_grants(at=at + 3 * DAY)
    assert AccessLoss.objects.get(person=ada).at == at + 2 * DAY


def test_granting_again_gives_the_new_end(place, join, pool, grant, at):
    pool(place, 1)
    ada = join(place, "Ada")
    grant(ada, at + DAY)
    grant(ada, at + 2 * DAY, at + SECOND)
    assert License.objects.get().ends_at == at + 2 * DAY
    grant(ada, None, at + 2 * SECOND)
    assert License.objects.get().ends_at is None
    assert LicenseGrant.objects.count() == 1


def test_granting_again_after_the_end_does_not_undo_the_loss(place, join, pool, grant, at):
    pool(place, 1)
    ada, until = join(place, "Ada"), at + DAY
    grant(ada, until)
    grant(ada, None, until + SECOND)
    assert AccessLoss.objects.get().at == until
    assert License.objects.get().held_since == until + SECOND


@pytest.mark.parametrize("seconds", [0, -1])
def test_an_end_that_is_not_to_come_is_refused(place, join, grant, at, seconds):
    ada = join(place, "Ada")
    with pytest.raises(Refusal) as refused:
        grant(ada, at + timedelta(seconds=seconds))
    assert refused.value.errors["until"]
    assert not LicenseGrant.objects.exists()
