"""Policies for teams and people: what holds for whom, why, and since which version (rule 6)."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from offload_portal.common.refusals import Refusal
from orgs import services
from orgs.enums import Event, OffloadSwitch, Role
from orgs.models import AccessLoss, AuditEntry, PolicyOverride, PolicyTarget, Team, TeamMember
from orgs.selectors.overrides import overrides
from orgs.selectors.policies import policy_of, policy_terms
from orgs.services.overrides import (
    OverrideChange,
    add_override,
    change_override,
    preview_everyones,
    preview_override,
    remove_override,
)
from tests.factories import actor
from tests.orgs.test_policy import USUAL, update

pytestmark = pytest.mark.django_db
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
HOUR = 3_600


@pytest.fixture
def ada(place, join):
    return join(place, "Ada")


@pytest.fixture
def bob(place, join):
    return join(place, "Bob")


@pytest.fixture
def team(place, at):
    """`team("Nightly", ada)`: a team with these people."""

    def made(name, *people):
        new = Team.objects.create(organization=place, name=name, created_at=at)
        for person in people:
            TeamMember.objects.create(organization=place, team=new, person=person, joined_at=at)
        return new

    return made


@pytest.fixture
def add(place, owner, at):
    def added(name="Long", teams=(), people=(), when=at, until=None, by=owner, **terms):
        return add_override(
            actor=actor(by),
            at=when,
            organization=place,
            change=OverrideChange(
                name=name,
                terms=terms or {"longest_session_seconds": HOUR},
                team_ids=[each.pk for each in teams],
                person_ids=[each.pk for each in people],
                until=until,
            ),
        )

    return added


def longest(place, person, at):
    return policy_of(place, person, at).terms.longest_session_seconds


def version(place, person, at):
    return policy_of(place, person, at).terms.version


class TestWhatHolds:
    def test_only_those_it_names_and_only_what_it_sets(self, place, add, ada, bob, at):
        add(people=[ada])
        assert (longest(place, ada, at), longest(place, bob, at)) == (HOUR, None)
        assert policy_of(place, ada, at).terms.idle_timeout_seconds == 300

    def test_person_beats_team_beats_everyone(self, place, owner, add, ada, team, at):
        update(place, owner, at, longest_session_seconds=3 * HOUR)
        assert longest(place, ada, at) == 3 * HOUR
        add(people=[ada], longest_session_seconds=HOUR)
        add(teams=[team("T", ada)], longest_session_seconds=2 * HOUR, when=at + SECOND)
        assert longest(place, ada, at + SECOND) == HOUR
        PolicyTarget.objects.filter(person=ada).delete()
        assert longest(place, ada, at + SECOND) == 2 * HOUR

    def test_of_two_teams_the_policy_made_later_holds(self, place, add, ada, team, at):
        later = add(teams=[team("B", ada)], longest_session_seconds=HOUR, when=at + SECOND)
        add(teams=[team("A", ada)], longest_session_seconds=2 * HOUR)
        holds = policy_of(place, ada, at + SECOND)
        assert holds.terms.longest_session_seconds == HOUR
        (source,) = [each for each in holds.sources if each.group == "longest_session"]
        assert source.layer is not None
        assert (source.layer.policy_id, source.layer.team) == (later.pk, "B")

    def test_each_group_says_where_it_comes_from(self, place, add, ada, at):
        add("Off", people=[ada], offload="disabled")
        told = {each.group: each.layer for each in policy_of(place, ada, at).sources}
        assert told["offload"] is not None
        assert told["offload"].name == "Off"
        assert told["idle_timeout"] is None

    def test_no_limit_may_be_set_over_a_limit(self, place, owner, add, ada, at):
        update(place, owner, at, longest_session_seconds=HOUR)
        add(people=[ada], longest_session_seconds=None)
        assert longest(place, ada, at) is None

    @pytest.mark.parametrize(
        ("late", "held"), [(-SECOND, HOUR), (timedelta(0), None), (SECOND, None)]
    )
    def test_one_with_an_end_holds_until_that_instant(self, place, add, ada, at, late, held):
        add(people=[ada], until=at + DAY)
        assert longest(place, ada, at + DAY + late) == held

    def test_it_is_two_statements(self, place, add, ada, team, at, django_assert_num_queries):
        for number in range(10):
            add(f"P{number}", teams=[team(f"T{number}", ada)], people=[ada])
        with django_assert_num_queries(2):
            policy_of(place, ada, at)


class TestVersions:
    def test_it_rises_for_those_concerned_and_for_nobody_else(self, place, add, ada, bob, at):
        add(people=[ada])
        assert (version(place, ada, at), version(place, bob, at)) == (2, 1)
        assert policy_terms(place).version == 1

    def test_it_rises_with_every_change_of_what_holds(self, place, owner, add, ada, at, team, join):
        seen = [version(place, ada, at)]

        def rose():
            seen.append(version(place, ada, at))
            return seen[-1] > seen[-2]

        made = add(people=[ada])
        assert rose()
        order = {"actor": actor(owner), "at": at, "organization": place, "policy_id": made.pk}
        change = OverrideChange("Long", {"longest_session_seconds": 60}, (), [ada.pk])
        change_override(**order, change=change)
        assert rose()
        remove_override(**order)
        assert rose()
        update(place, owner, at, sessions_per_person=2)
        assert rose()

    def test_what_changes_nothing_for_somebody_leaves_their_version(
        self, place, owner, add, ada, at
    ):
        add(people=[ada], longest_session_seconds=HOUR)
        before = version(place, ada, at)
        made = add("Same", people=[ada], longest_session_seconds=HOUR, when=at + SECOND)
        assert version(place, ada, at + SECOND) == before
        remove_override(actor=actor(owner), at=at + SECOND, organization=place, policy_id=made.pk)
        assert version(place, ada, at + SECOND) == before

    def test_joining_and_leaving_a_team_with_a_policy_is_a_change(
        self, place, owner, add, ada, team, at
    ):
        nightly = team("Nightly")
        add(teams=[nightly])
        order = {"actor": actor(owner), "at": at, "organization": place, "team_id": nightly.pk}
        seen = [version(place, ada, at)]
        for step in (services.add_to_team, services.remove_from_team, services.add_to_team):
            step(**order, person_ids=[ada.pk])
            seen.append(version(place, ada, at))
        services.delete_team(**order)
        seen.append(version(place, ada, at))
        assert seen == sorted(set(seen))

    def test_joining_a_team_that_is_switched_off_is_access_lost(
        self, place, owner, add, ada, team, pool, at
    ):
        pool(place, 5)
        services.grant_to_all(actor=actor(owner), at=at, organization=place)
        blocked = team("Blocked")
        add(teams=[blocked], offload=OffloadSwitch.ALWAYS_DISABLED)
        services.add_to_team(
            actor=actor(owner), at=at, organization=place, team_id=blocked.pk, person_ids=[ada.pk]
        )
        assert AccessLoss.objects.get().person == ada

    def test_it_rises_at_the_end_itself_whenever_a_sweep_comes(self, place, add, ada, at):
        add(people=[ada], until=at + DAY)
        before = version(place, ada, at + DAY - SECOND)
        assert version(place, ada, at + DAY) > before
        services.end_overrides_everywhere(at=at + 2 * DAY)
        after = version(place, ada, at + 2 * DAY)
        assert after > before
        services.end_overrides_everywhere(at=at + 2 * DAY)
        assert version(place, ada, at + 2 * DAY) == after
        assert AuditEntry.objects.filter(event=Event.POLICY_ENDED).count() == 1


class TestSwitchingOff:
    @pytest.fixture(autouse=True)
    def _licensed(self, place, owner, ada, bob, pool, at):
        pool(place, 5)
        services.grant_to_all(actor=actor(owner), at=at, organization=place)

    def off(self, add, at, **whom):
        return add("Off", when=at, offload=OffloadSwitch.ALWAYS_DISABLED, **whom)

    def test_it_is_access_lost_for_those_it_applies_to(self, place, add, ada, at, outbox):
        self.off(add, at + SECOND, people=[ada])
        loss = AccessLoss.objects.get()
        assert (loss.person, loss.at, loss.cause) == (ada, at + SECOND, "policy_off")
        assert [message.to for message in outbox] == [[ada.email]]

    def test_who_is_exempt_keeps_access_when_everyone_is_switched_off(
        self, place, owner, add, ada, bob, at
    ):
        add("On", people=[ada], offload=OffloadSwitch.ENABLED)
        update(place, owner, at + SECOND, offload=OffloadSwitch.ALWAYS_DISABLED)
        assert {loss.person for loss in AccessLoss.objects.order_by("id")} == {owner, bob}

    def test_removing_an_exemption_is_a_loss_and_so_is_its_end(self, place, owner, add, ada, at):
        add("On", people=[ada], offload=OffloadSwitch.ENABLED, until=at + DAY)
        update(place, owner, at + SECOND, offload=OffloadSwitch.ALWAYS_DISABLED)
        assert not AccessLoss.objects.filter(person=ada).exists()
        services.end_overrides_everywhere(at=at + 2 * DAY)
        assert AccessLoss.objects.get(person=ada).at == at + DAY

    def test_the_preview_says_who_loses_and_changes_nothing(self, place, owner, add, ada, bob, at):
        order = {"actor": actor(owner), "at": at, "organization": place}
        change = OverrideChange(
            "Off", {"offload": OffloadSwitch.ALWAYS_DISABLED}, (), [ada.pk, bob.pk]
        )
        seen = preview_override(**order, policy_id=None, change=change)
        assert (seen.changed, seen.losers) == (2, 2)
        assert {person.id for person in seen.loses} == {ada.pk, bob.pk}
        assert not PolicyOverride.objects.exists()
        assert not AccessLoss.objects.exists()

    def test_the_preview_of_everyone_s_leaves_out_the_exempt(self, place, owner, add, ada, at):
        from dataclasses import replace

        add("On", people=[ada], offload=OffloadSwitch.ENABLED)
        seen = preview_everyones(
            actor=actor(owner),
            at=at,
            organization=place,
            change=replace(USUAL, offload=OffloadSwitch.ALWAYS_DISABLED),
        )
        assert (seen.changed, seen.losers) == (2, 2)
        assert policy_terms(place).offload == "enabled"


class TestRefusals:
    @pytest.mark.parametrize(
        ("changed", "field"),
        [
            ({"terms": {}}, "terms"),
            ({"terms": {"nonsense": 1}}, "terms"),
            ({"terms": {"idle_timeout_seconds": 60}}, "idle_timeout_least_seconds"),
            ({"terms": {"engine_sizes": ["large"]}}, "gpu_allowed"),
            ({"terms": {"longest_session_seconds": 59}}, "longest_session_seconds"),
            ({"terms": {"sessions_per_person": 0}}, "sessions_per_person"),
            ({"terms": {"offload": "maybe"}}, "offload"),
            ({"person_ids": ()}, "targets"),
            ({"name": " "}, "name"),
            ({"name": "x" * 81}, "name"),
            ({"description": "x" * 301}, "description"),
        ],
    )
    def test_what_can_not_be_is_refused_at_its_field(self, place, owner, ada, at, changed, field):
        from dataclasses import replace

        usual = OverrideChange("Long", {"longest_session_seconds": 60}, (), [ada.pk])
        with pytest.raises(Refusal) as no:
            add_override(
                actor=actor(owner), at=at, organization=place, change=replace(usual, **changed)
            )
        assert (no.value.status, list(no.value.errors)) == (400, [field])
        assert not PolicyOverride.objects.exists()

    @pytest.mark.parametrize(
        ("late", "refused"), [(-SECOND, True), (timedelta(0), True), (SECOND, False)]
    )
    def test_an_end_lies_ahead(self, add, ada, at, late, refused):
        if not refused:
            assert add(people=[ada], until=at + late)
            return
        with pytest.raises(Refusal, match="in the past"):
            add(people=[ada], until=at + late)

    def test_foreign_people_and_teams_are_not_found(self, add, stranger, at):
        with pytest.raises(Refusal) as no:
            add(people=[stranger])
        assert no.value.status == 404

    @pytest.mark.parametrize("role", [Role.EDITOR, Role.MEMBER])
    def test_only_owners_may(self, place, add, ada, join, role):
        with pytest.raises(Refusal) as no:
            add(people=[ada], by=join(place, "Other", role))
        assert no.value.code == "not_an_owner"

    def test_the_database_refuses_a_target_that_is_nobody(self, place, add, ada):
        made = add(people=[ada])
        with pytest.raises(IntegrityError), transaction.atomic():
            PolicyTarget.objects.create(organization=place, policy=made)


def test_a_member_who_is_removed_is_no_target_any_more(place, owner, add, ada, at):
    add(people=[ada])
    services.remove_member(actor=actor(owner), at=at, organization=place, person=ada)
    assert not PolicyTarget.objects.exists()
    assert overrides(place, at)[0].reach == 0


def test_the_list_costs_the_same_for_one_and_for_twenty(
    place, add, ada, team, at, django_assert_num_queries
):
    add(teams=[team("T", ada)], people=[ada])
    with django_assert_num_queries(3):
        overrides(place, at)
    for number in range(20):
        add(f"P{number}", people=[ada])
    with django_assert_num_queries(3):
        assert len(overrides(place, at)) == 21


def test_before_and_after_stand_in_the_audit_log(place, owner, add, ada, bob, at):
    made = add(people=[ada])
    change_override(
        actor=actor(owner), at=at, organization=place, policy_id=made.pk,
        change=OverrideChange("Long", {"longest_session_seconds": 60}, (), [bob.pk]),
    )  # fmt: skip
    entry = AuditEntry.objects.get(event=Event.POLICY_CHANGED)
    assert entry.before == {"longest_session_seconds": HOUR, "people": [str(ada.pk)]}
    assert entry.after == {"longest_session_seconds": 60, "people": [str(bob.pk)]}
