"""Acting on many members: what it does, what it refuses, undoing it."""

from datetime import timedelta

import pytest

from offload_portal.common.refusals import Refusal
from orgs import selectors, services
from orgs.enums import Event, MemberAct, Role
from orgs.models import AuditEntry, BulkChange, LicenseGrant, Membership
from orgs.selectors.previews import MemberStep, RolePreview, preview_step
from tests.factories import actor

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def people(place, join):
    return [join(place, name) for name in ("Ada", "Bob", "Eve")]


@pytest.fixture
def ids(people):
    return [person.pk for person in people]


@pytest.fixture
def order(place, owner, at):
    return {"actor": actor(owner), "at": at + SECOND, "organization": place}


def roles(place):
    rows = Membership.objects.filter(organization=place).order_by("joined_at", "id")
    return list(rows.values_list("role", flat=True))


def undo(order, done, after=SECOND):
    when = {**order, "at": order["at"] + after}
    return services.undo(change_id=done.undo_id, **when)


def test_roles_change_and_come_back(place, ids, order, join):
    join(place, "Edda", Role.EDITOR)
    done = services.change_roles(person_ids=ids, role=Role.EDITOR, **order)
    assert done.changed == tuple(ids)
    assert roles(place) == ["owner", "editor", "editor", "editor", "editor"]
    services.change_role(person=Membership.objects.get(person=ids[0]).person, role="owner", **order)
    assert undo(order, done) == 2
    assert roles(place) == ["owner", "owner", "member", "member", "editor"]
    assert AuditEntry.objects.get(event=Event.BULK_UNDONE).after["count"] == 2


def test_who_has_the_role_already_is_passed_over(place, owner, people, ids, order):
    preview = preview_step(
        place, MemberStep(MemberAct.ROLE, [owner.pk, *ids], role="owner"), owner.pk, at=order["at"]
    )
    assert isinstance(preview, RolePreview)
    assert (len(preview.changes), preview.stays) == (3, 1)
    done = services.change_roles(person_ids=[owner.pk, *ids], role="owner", **order)
    assert len(done.changed) == 3


@pytest.mark.parametrize("act", [MemberAct.ROLE, MemberAct.REMOVE])
def test_not_all_owners_go_at_once(place, owner, join, order, act):
    """Neither the look nor the act lets the last owners go (rule 1)."""
    other = join(place, "Other", Role.OWNER)
    both = [owner.pk, other.pk]
    step = MemberStep(act, both, role=Role.MEMBER)
    for call in (
        lambda: preview_step(place, step, None, at=order["at"]),
        lambda: services.act_on_members(step=step, **order),
    ):
        with pytest.raises(Refusal) as refused:
            call()
        assert refused.value.code in ("last_owner", "own_membership")
    assert Membership.objects.owners().count() == 2
    services.change_roles(person_ids=[other.pk], role=Role.MEMBER, **order)
    assert Membership.objects.owners().count() == 1


def test_undoing_keeps_an_owner_too(place, owner, ids, order, join):
    """Ada was made an owner, then the first owner left: undoing would leave nobody."""
    done = services.change_roles(person_ids=ids[:1], role=Role.OWNER, **order)
    services.leave(actor=actor(owner), at=order["at"], organization=place, person=owner)
    ada = Membership.objects.get(person=ids[0]).person
    with pytest.raises(Refusal) as refused:
        undo({**order, "actor": actor(ada)}, done)
    assert refused.value.code == "last_owner"
    assert BulkChange.objects.get().undone_at is None


def test_granting_many_queues_those_beyond_the_pool_and_is_undone(place, ids, pool, order):
    pool(place, 2)
    done = services.grant_many(person_ids=ids, **order)
    assert (done.settled.given, done.settled.queued) == (ids[:2], ids[2:])
    assert undo(order, done) == 3
    assert not LicenseGrant.objects.exists()


def test_undoing_a_grant_leaves_what_was_there_before(place, ids, pool, order):
    pool(place, 5)
    services.grant_many(person_ids=ids[:1], **order)
    done = services.grant_many(person_ids=ids, **order)
    assert done.changed == tuple(ids[1:])
    undo(order, done)
    assert LicenseGrant.objects.get().person_id == ids[0]


def test_taking_access_can_be_undone_only_where_nothing_was_lost(place, ids, pool, order):
    pool(place, 5)
    services.grant_many(person_ids=ids[:1], until=order["at"] + HOUR, **order)
    assert services.take_many(person_ids=ids[:1], **order).undo_id is None
    services.grant_to_all(**order)
    services.grant_many(person_ids=ids, until=order["at"] + 2 * HOUR, **order)
    done = services.take_many(person_ids=ids, **order)
    assert not done.settled.lost
    assert undo(order, done) == 3
    ends = LicenseGrant.objects.filter(kind="person").order_by("id")
    assert set(ends.values_list("until", flat=True)) == {order["at"] + 2 * HOUR}


def test_teams_are_entered_and_left_in_bulk(place, ids, order):
    team = services.create_team(name="Web", person_ids=ids[:1], **order)
    done = services.add_many_to_team(person_ids=ids, team_id=team.pk, **order)
    assert done.changed == tuple(ids[1:])
    assert undo(order, done) == 2
    assert selectors.members_of_team(team.pk) == ids[:1]
    out = services.remove_many_from_team(person_ids=ids, team_id=team.pk, **order)
    assert out.changed == tuple(ids[:1])
    assert undo(order, out) == 1
    assert selectors.members_of_team(team.pk) == ids[:1]


def test_removing_many_can_not_be_undone_and_spares_oneself(place, owner, ids, order):
    with pytest.raises(Refusal) as refused:
        services.remove_members(person_ids=[owner.pk, *ids], **order)
    assert refused.value.code == "own_membership"
    done = services.remove_members(person_ids=ids, **order)
    assert (len(done.changed), done.undo_id) == (3, None)
    assert roles(place) == ["owner"]
    assert AuditEntry.objects.filter(event=Event.MEMBER_REMOVED).count() == 3


@pytest.mark.parametrize(
    ("after", "works"), [(HOUR - SECOND, True), (HOUR, False), (HOUR + SECOND, False)]
)
def test_undoing_works_for_an_hour(place, ids, order, after, works):
    done = services.change_roles(person_ids=ids, role=Role.EDITOR, **order)
    if works:
        assert undo(order, done, after) == 3
    else:
        with pytest.raises(Refusal) as refused:
            undo(order, done, after)
        assert (refused.value.code, refused.value.status) == ("not_undoable", 409)


def test_undoing_works_once(ids, order):
    done = services.change_roles(person_ids=ids, role=Role.EDITOR, **order)
    undo(order, done)
    with pytest.raises(Refusal):
        undo(order, done)


def test_only_owners_act_and_only_on_members(place, ids, order, join, stranger):
    for act in MemberAct:
        step = MemberStep(act, [*ids, stranger.pk], role="editor")
        with pytest.raises(Refusal) as refused:
            services.act_on_members(step=step, **order)
        assert refused.value.status == 404
        other = {**order, "actor": actor(join(place, "Edda", Role.EDITOR))}
        with pytest.raises(Refusal) as refused:
            services.act_on_members(step=MemberStep(act, ids, role="editor"), **other)
        assert refused.value.status in (403, 404)
    assert Membership.objects.filter(person_id__in=ids).count() == 3


def test_what_was_kept_for_undoing_is_gone_after_a_day(ids, order):
    services.change_roles(person_ids=ids, role=Role.EDITOR, **order)
    order["at"] += timedelta(days=1, seconds=1)
    services.change_roles(person_ids=ids, role=Role.MEMBER, **order)
    assert BulkChange.objects.count() == 1
