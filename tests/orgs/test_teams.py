"""Teams and the access that is granted to them (product.md rule 4)."""

import uuid
from datetime import timedelta

import pytest

from offload_portal.common.refusals import Refusal
from orgs import selectors, services
from orgs.enums import Event, Role
from orgs.models import AccessLoss, AuditEntry, License, LicenseGrant, Team, TeamMember
from tests.factories import actor

SECOND = timedelta(seconds=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def people(place, join):
    return [join(place, name) for name in ("Ada", "Bob", "Eve")]


@pytest.fixture
def team(place, owner, people, at):
    return services.create_team(
        actor=actor(owner),
        at=at,
        organization=place,
        name="Web",
        person_ids=[person.pk for person in people[:2]],
    )


@pytest.fixture
def order(place, owner, at):
    """What every change of the owner's begins with."""
    return {"actor": actor(owner), "at": at + SECOND, "organization": place}


def state(place, person, at):
    return selectors.standing(place, person, at).license_state


def test_a_grant_to_a_team_larger_than_the_pool_queues_the_rest(
    place, people, team, pool, order, at
):
    pool(place, 1)
    preview = selectors.who_gains(place, at=at, persons=selectors.members_of_team(team.pk))
    assert (len(preview.given), len(preview.queued), preview.have) == (1, 1, 0)
    done = services.grant_to_team(team=team, **order)
    assert (done.given, done.queued) == ([people[0].pk], [people[1].pk])
    assert [each.id for each in preview.given] == done.given
    assert [each.id for each in preview.queued] == done.queued


def test_who_joins_a_team_later_gets_its_access_and_who_leaves_loses_it(
    place, people, team, pool, order, at
):
    pool(place, 5)
    services.grant_to_team(team=team, **order)
    added, done = services.add_to_team(team_id=team.pk, person_ids=[people[2].pk], **order)
    assert (added, done.given) == ([people[2].pk], [people[2].pk])
    preview = selectors.who_loses(place, at=at, leaving_team=(team.pk, [people[2].pk]))
    assert [each.id for each in preview.loses] == [people[2].pk]
    services.remove_from_team(team_id=team.pk, person_ids=[people[2].pk], **order)
    assert state(place, people[2], at) == "none"
    assert AccessLoss.objects.get().cause == "left_team"


def test_who_leaves_one_of_two_teams_keeps_access_by_the_other(
    place, people, team, pool, order, at
):
    pool(place, 5)
    other = services.create_team(name="Api", person_ids=[people[0].pk], **order)
    services.grant_to_team(team=team, **order)
    services.grant_to_team(team=other, **order)
    preview = selectors.who_loses(place, at=at, leaving_team=(team.pk, [people[0].pk]))
    assert [kept.grants for kept in preview.keeps] == [("team:Api",)]
    assert preview.loses == ()
    services.remove_from_team(team_id=team.pk, person_ids=[people[0].pk], **order)
    assert state(place, people[0], at + SECOND) == "held"
    assert not AccessLoss.objects.exists()


def test_deleting_a_team_takes_its_access_and_leaves_its_members(
    place, people, team, pool, order, at
):
    pool(place, 5)
    services.grant_to_team(team=team, **order)
    preview = selectors.who_loses(place, at=at, team_ids=[team.pk])
    assert {each.id for each in preview.loses} == {person.pk for person in people[:2]}
    services.delete_team(team_id=team.pk, **order)
    assert not Team.objects.exists()
    assert not LicenseGrant.objects.exists()
    assert not License.objects.exists()
    assert AccessLoss.objects.filter(cause="team_deleted").count() == 2
    assert all(person.memberships.exists() for person in people)
    assert AuditEntry.objects.get(event=Event.TEAM_DELETED).before["members"] == 2


def test_adding_twice_adds_once(people, team, order):
    for _again in range(2):
        services.add_to_team(team_id=team.pk, person_ids=[people[0].pk], **order)
    assert TeamMember.objects.filter(team=team, person=people[0]).count() == 1


def test_who_leaves_the_organization_leaves_its_teams(place, people, team, order):
    services.remove_member(person=people[0], **order)
    assert selectors.members_of_team(team.pk) == [people[1].pk]


@pytest.mark.parametrize(
    "name", ["", "   ", "W" * 81, "web", "WEB", " Web ", "a\nb", "\u200b", "x\x00"]
)
def test_names_that_can_not_be_are_refused(team, order, name):
    with pytest.raises(Refusal) as refused:
        services.create_team(name=name, **order)
    assert refused.value.errors["name"]


@pytest.mark.parametrize("name", ["X", "W" * 80, "平台组", "فريق", "🚀", "=SUM(A1)"])
def test_names_of_every_kind_are_kept(team, order, name):
    assert services.create_team(name=name, **order).name == name
    assert services.rename_team(team_id=team.pk, name=f"{name[:78]}2", **order)


def test_a_team_keeps_its_own_name_in_another_case(team, order):
    assert services.rename_team(team_id=team.pk, name="WEB", **order).name == "WEB"


def test_a_team_of_another_organization_is_not_found(place, owner, order, people, at, stranger):
    foreign = services.create_organization(
        actor=actor(stranger), at=at, person=stranger, name="Foreign"
    )
    theirs = services.create_team(actor=actor(stranger), at=at, organization=foreign, name="Theirs")
    for team_id in (theirs.pk, uuid.uuid4()):
        for act in (
            lambda key: services.delete_team(team_id=key, **order),
            lambda key: services.rename_team(team_id=key, name="Mine", **order),
            lambda key: services.add_to_team(team_id=key, person_ids=[people[0].pk], **order),
            lambda key: services.remove_from_team(team_id=key, person_ids=[], **order),
        ):
            with pytest.raises(Refusal) as refused:
                act(team_id)
            assert refused.value.status == 404
    assert Team.objects.get().name == "Theirs"


def test_somebody_who_is_no_member_can_not_be_put_in_a_team(team, order, stranger):
    with pytest.raises(Refusal) as refused:
        services.add_to_team(team_id=team.pk, person_ids=[stranger.pk], **order)
    assert refused.value.status == 404


@pytest.mark.parametrize("role", [Role.EDITOR, Role.MEMBER])
def test_only_owners_change_teams(place, join, team, order, role):
    order["actor"] = actor(join(place, "Other", role))
    with pytest.raises(Refusal) as refused:
        services.delete_team(team_id=team.pk, **order)
    assert (refused.value.code, refused.value.status) == ("not_an_owner", 403)


def test_the_list_says_how_many_and_whether_they_have_access(
    place, owner, team, people, pool, order, at
):
    services.create_team(name="api", **order)
    services.grant_to_team(team=team, until=at + 60 * SECOND, **order)
    rows = selectors.team_rows(list(selectors.teams_in(place)), at)
    assert [(row.name, row.members, row.has_grant) for row in rows] == [
        ("api", 0, False),
        ("Web", 2, True),
    ]
    after = selectors.team_rows(list(selectors.teams_in(place)), at + 60 * SECOND)
    assert not after[1].has_grant
    assert [row.name for row in selectors.teams_in(place, "WE")] == ["Web"]


def test_teams_and_their_members_outlive_nothing_of_the_person(place, team, people, at):
    found = selectors.teams_of(place, [person.pk for person in people])
    assert found == {person.pk: ((team.pk, "Web"),) for person in people[:2]}
