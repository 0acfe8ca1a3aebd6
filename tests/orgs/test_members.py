"""Organizations, roles, leaving (product.md rules 1 and 2)."""

from datetime import timedelta

import pytest
from django.core import mail
from django.db import IntegrityError, transaction

from offload_portal.common.refusals import Refusal
from orgs import selectors, services
from orgs.enums import Event, Role
from orgs.models import AuditEntry, Membership, Organization, Policy
from orgs.policies import (
    Departure,
    can_change_access,
    can_change_people,
    can_change_policy,
    can_change_settings,
    keeps_an_owner,
)
from orgs.selectors import Viewer
from orgs.services.checking import RESERVED_SLUGS
from tests.factories import actor

SECOND = timedelta(seconds=1)


def create(person, at, **values):
    return services.create_organization(actor=actor(person), at=at, person=person, **values)


def refusal_of(call, *arguments, **values):
    with pytest.raises(Refusal) as refused:
        call(*arguments, **values)
    return refused.value


def change_role(place, by, person, role, at):
    return services.change_role(
        actor=actor(by), at=at, organization=place, person=person, role=role
    )


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Acme", "acme"),
        ("  Ärzte & Söhne, GmbH_1 ", "arzte-sohne-gmbh-1"),
        ("北京云计算", "organization"),
        ("شركة", "organization"),
        ("A", "a"),
        ("New", "new-2"),
        ("x" * 80, "x" * 48),
    ],
)
def test_the_address_comes_from_the_name(owner, at, name, slug):
    place = create(owner, at, name=name)
    assert (place.slug, place.name) == (slug, name.strip())


def test_an_address_that_is_taken_gets_a_number(owner, at):
    slugs = [create(owner, at, name="Acme").slug for _ in range(30)]
    assert slugs[:3] == ["acme", "acme-2", "acme-3"]
    assert len(set(slugs)) == 30


def test_the_creator_is_the_owner_and_there_is_a_policy(owner, at):
    place = create(owner, at, name="Acme", zone="Asia/Shanghai")
    assert selectors.find_organization(owner, "acme").membership.is_owner
    assert selectors.policy_terms(place).idle_timeout_seconds == 300
    assert Policy.objects.count() == 1
    assert AuditEntry.objects.get().after["zone"] == "Asia/Shanghai"


@pytest.mark.parametrize(
    "slug", [*sorted(RESERVED_SLUGS)[:5], "new", "-a", "a-", "a b", "ä", "a" * 49, "../x", "a_b"]
)
def test_some_addresses_are_refused(owner, at, slug):
    refused = refusal_of(create, owner, at, name="Acme", slug=slug)
    assert (refused.status, list(refused.errors)) == (400, ["slug"])
    assert not Organization.objects.exists()


def test_an_address_can_be_chosen_once(owner, at):
    create(owner, at, name="Acme", slug="Chosen")
    assert refusal_of(create, owner, at, name="Other", slug="chosen").errors["slug"]


@pytest.mark.parametrize("name", ["", "   ", "\u200b", "x" * 81, "a\nb", "a\x07b", "a\u2028b"])
def test_a_name_shows_something_and_fits(owner, at, name):
    assert list(refusal_of(create, owner, at, name=name).errors) == ["name"]


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "utc", "localtime"])
def test_a_zone_is_one_of_the_list(owner, at, zone):
    assert list(refusal_of(create, owner, at, name="Acme", zone=zone).errors) == ["zone"]


@pytest.mark.parametrize("slug", ["northwind", "", "x" * 500, "NORTHWIND", "a%00"])
def test_someone_outside_finds_nothing(place, stranger, slug):
    assert refusal_of(selectors.find_organization, stranger, slug).status == 404


def test_settings_change_with_an_entry_of_what_was(place, owner, at):
    services.update_organization(
        actor=actor(owner), at=at, organization=place, name="北风", zone="Asia/Shanghai"
    )
    entry = AuditEntry.objects.get(event=Event.ORGANIZATION_CHANGED)
    assert (entry.before["name"], entry.after["name"]) == ("Northwind", "北风")
    services.update_organization(actor=actor(owner), at=at, organization=place, name="北风")
    assert AuditEntry.objects.filter(event=Event.ORGANIZATION_CHANGED).count() == 1


def test_roles_change_and_leave_an_entry(place, owner, join, at):
    ada = join(place, "Ada")
    assert change_role(place, owner, ada, Role.EDITOR, at).role == Role.EDITOR
    entry = AuditEntry.objects.get(event=Event.MEMBER_ROLE_CHANGED)
    assert (entry.subject_id, entry.before, entry.after) == (
        ada.pk,
        {"role": "member"},
        {"role": "editor"},
    )


@pytest.mark.parametrize("role", ["", "admin", "OWNER", "x" * 100])
def test_an_unknown_role_is_refused(place, owner, at, role):
    assert refusal_of(change_role, place, owner, owner, role, at).status == 400


def test_the_last_owner_stays(place, owner, at):
    values = {"actor": actor(owner), "at": at, "organization": place, "person": owner}
    assert refusal_of(change_role, place, owner, owner, Role.MEMBER, at).code == "last_owner"
    assert refusal_of(services.leave, **values).code == "last_owner"
    assert refusal_of(services.remove_member, **values).code == "last_owner"
    assert Membership.objects.owners().count() == 1


def test_of_two_owners_who_demote_each_other_one_stays(place, owner, join, at):
    other = join(place, "Other", Role.OWNER)
    change_role(place, owner, other, Role.MEMBER, at)
    assert refusal_of(change_role, place, other, owner, Role.MEMBER, at).code == "not_an_owner"
    assert refusal_of(change_role, place, owner, owner, Role.MEMBER, at).code == "last_owner"


def test_an_owner_may_go_when_another_is_there(place, owner, join, at):
    join(place, "Other", Role.OWNER)
    services.leave(actor=actor(owner), at=at, organization=place, person=owner)
    assert refusal_of(selectors.find_organization, owner, place.slug).status == 404


@pytest.mark.parametrize("role", [Role.EDITOR, Role.MEMBER])
def test_only_owners_change_people(place, owner, join, at, role):
    other, victim = join(place, "Other", role), join(place, "Victim")
    arguments = {"actor": actor(other), "at": at, "organization": place}
    assert refusal_of(services.remove_member, **arguments, person=victim).code == "not_an_owner"
    assert refusal_of(change_role, place, other, other, Role.OWNER, at).code == "not_an_owner"
    assert refusal_of(services.update_organization, **arguments, name="X").code == "not_an_owner"


def test_removing_someone_outside_is_not_found(place, owner, stranger, at):
    refused = refusal_of(
        services.remove_member, actor=actor(owner), at=at, organization=place, person=stranger
    )
    assert refused.status == 404


def test_a_removed_member_forgets_the_organization_as_their_default(place, owner, join, at):
    ada = join(place, "Ada")
    ada.default_organization = place
    ada.save()
    services.remove_member(actor=actor(owner), at=at, organization=place, person=ada)
    ada.refresh_from_db()
    assert ada.default_organization is None
    assert not mail.outbox, "who had no license lost nothing"


def test_the_database_refuses_an_unknown_role(place, owner):
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.filter(person=owner).update(role="king")


def test_policies_answer_templates_with_the_same_rule():
    owner, editor, outsider = (Viewer(None, role) for role in (Role.OWNER, Role.EDITOR, None))
    portal = Viewer(None, None, is_portal=True)
    for can in (can_change_people, can_change_access, can_change_policy, can_change_settings):
        assert can(owner)
        assert can(portal)
        assert not can(editor)
        assert not can(outsider)
    assert not keeps_an_owner(Departure(Role.OWNER, 1))
    assert keeps_an_owner(Departure(Role.OWNER, 2))
    assert keeps_an_owner(Departure(Role.MEMBER, 1))


def test_first_steps_follow_what_was_done(place, owner, join, at):
    steps = selectors.first_steps(place)
    assert (steps.members_invited, steps.access_granted, steps.member_count) == (False, False, 1)
    services.invite(actor=actor(owner), at=at, organization=place, emails=["a@example.com"])
    services.grant_to_all(actor=actor(owner), at=at, organization=place)
    steps = selectors.first_steps(place)
    assert (steps.members_invited, steps.access_granted, steps.open_invitations) == (True, True, 1)


def test_the_member_list_costs_the_same_for_one_and_for_twenty(
    place, join, at, django_assert_num_queries
):
    for _ in range(2):
        with django_assert_num_queries(4):
            page = selectors.members_matching(place)[:50]
            selectors.member_rows(place, list(page), at)
        for number in range(20):
            join(place, f"P{number}")
