"""A session's story: builds, what its user was asked and told, the switch to on-demand."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orgs import services as orgs_services
from orgs.models import Organization, Person, Policy
from orgs.selectors.policy_changes import policy_changes
from orgs.services import PolicyChange
from orgs.services.overrides import OverrideChange, add_override
from sessions import charts, clock
from sessions.charts.timeline import legend_of
from sessions.clock import Facts, PromptKind, Terms
from sessions.models import BuildRun, Session
from sessions.selectors import Insights, find_session, insights
from sessions.services import BuildSeen, forgetting
from tests.factories import actor
from tests.sessions import worlds
from tests.sessions.test_charts import accepted

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SECOND = timedelta(seconds=1)
UTC_ZONE = ZoneInfo("UTC")
NOON = 20_500 * 86_400 + 43_200
DAY = 86_400


def running(start: int, until: int, created: int = NOON, **more: object) -> Facts:
    """Active without a pause, a call at its start alone: nothing answers a prompt."""
    terms = Terms(idle_timeout=3_600, prompt_answer=3_000)
    facts = Facts(created_at=created, terms=terms, ready_at=created, **more)  # type: ignore[arg-type]  # facts by name
    facts = clock.report(facts, start, calls=True, running=True).facts
    for at in range(start + 1_800, until + 1, 1_800):
        facts = clock.report(facts, at, calls=True, running=True).facts
    return facts


def asked(facts: Facts, at: int) -> list[tuple[str, int]]:
    return [(str(prompt.kind), prompt.due_at - NOON) for prompt in clock.prompts(facts, at)]


class TestPrompts:
    @pytest.mark.parametrize(("age", "count"), [(10_799, 0), (10_800, 1), (21_599, 1), (21_600, 2)])
    def test_a_session_is_asked_each_three_hours_also_when_that_has_passed(
        self, age: int, count: int
    ) -> None:
        facts = running(NOON, NOON + 23_000)
        found = [due for kind, due in asked(facts, NOON + age) if kind == PromptKind.SESSION]
        assert found == [10_800, 21_600][:count]

    def test_a_long_day_is_asked_at_eight_hours_and_each_hour_after(self) -> None:
        facts = running(NOON, NOON + 36_600)
        found = [due for kind, due in asked(facts, NOON + 36_600) if kind == PromptKind.DAILY]
        assert found == [28_800, 32_400, 36_000]

    def test_what_earlier_sessions_had_counts_and_midnight_begins_anew(self) -> None:
        evening = 20_500 * DAY + 82_800
        facts = running(evening, evening + 36_000, evening, active_before=27_000)
        found = [
            prompt.due_at - evening
            for prompt in clock.prompts(facts, evening + 36_000)
            if prompt.kind is PromptKind.DAILY
        ]
        assert found == [1_800, 3_600 + 28_800, 36_000], (
            "of the first day at 23:30; then of the next"
        )

    def test_of_the_latest_stretch_the_question_of_inactivity_is_known(self) -> None:
        facts = running(NOON, NOON)
        assert ("inactivity", 180) in asked(facts, NOON + 180)
        assert ("inactivity", 180) not in asked(facts, NOON + 179)

    def test_it_agrees_with_what_is_due_now(self) -> None:
        """Whenever a prompt is due, the list has it."""
        facts = running(NOON, NOON + 30_000)
        for at in range(NOON, NOON + 33_000, 97):
            due = clock.state_at(facts, at).prompt
            if due is not None and at >= facts.open.last_activity_at:  # type: ignore[union-attr]  # it runs
                assert due in clock.prompts(facts, at)

    def test_nothing_is_asked_after_the_end(self) -> None:
        facts = running(NOON, NOON + 9_000)
        assert asked(facts, NOON + 90_000) == asked(facts, clock.end_of(facts).at)
        assert [kind for kind, _due in asked(facts, NOON + 90_000)] == ["inactivity", "session"]


def seen(session: Session, at: datetime) -> Insights:
    found, _membership = find_session(session.person, session.pk)
    return insights(found, at)


@pytest.mark.django_db
class TestTimeline:
    def test_builds_have_lanes_above_the_containers(
        self, organization: Organization, member: Person, at: datetime
    ) -> None:
        made = worlds.start(organization, member, at)
        builds = [
            BuildSeen("b1", "acme/web:main", at, at + 40 * SECOND, succeeded=True),
            BuildSeen("b2", "acme/web:main", at + 50 * SECOND, at + MINUTE, succeeded=False),
            BuildSeen("b3", "", at, None),
        ]
        runs = [worlds.container("acme/web:main", at + MINUTE, 30)]
        worlds.report(made, at + 2 * MINUTE, 1, containers=runs, builds=builds)
        found = seen(made, at + 3 * MINUTE)

        figure = accepted(charts.timeline_chart(found, UTC_ZONE))
        names = [note.text for note in figure.layout.annotations]
        assert names[2:] == ["Build of acme/web:main", "Build", "acme/web:main"]
        lane = next(trace for trace in figure.data if trace.text and "failed" in trace.text)
        assert lane.x == (40_000, 10_000)
        assert "Build failed" in lane.customdata[1]
        assert ("chart-4", "Build") in legend_of(found)
        assert [event.kind for event in found.events].count("build_failed") == 1
        assert [build.ended_at for build in found.builds if not build.image] == [at + 3 * MINUTE]

    def test_builds_lie_within_the_session_whatever_the_client_s_clock(
        self, organization: Organization, member: Person, at: datetime
    ) -> None:
        made = worlds.start(organization, member, at)
        wrong = BuildSeen("b1", "x", at - HOUR, at + 9 * HOUR, succeeded=True)
        worlds.report(made, at + MINUTE, 1, builds=[wrong])
        (build,) = seen(made, at + 2 * MINUTE).builds
        assert (build.started_at, build.ended_at) == (at, at + 2 * MINUTE)

    def test_billed_time_changes_colour_where_on_demand_takes_over(
        self, organization: Organization, member: Person, at: datetime
    ) -> None:
        made = worlds.session(organization, member, at, 600)
        Session.objects.filter(pk=made.pk).update(on_demand_at=at + 4 * MINUTE)
        found = seen(made, at + 10 * MINUTE)
        bands = {
            trace.name: trace for trace in accepted(charts.timeline_chart(found, UTC_ZONE)).data
        }
        assert bands["Billed"].x == (240_000,)
        assert bands["Billed on demand"].x == (360_000,)
        assert bands["Billed on demand"].base == ("2026-03-11 12:04:00",)
        assert ("chart-2", "Billed on demand") in legend_of(found)
        assert "on_demand" in [event.kind for event in found.events]

    @pytest.mark.parametrize(("since", "bands"), [(-1, ["later"]), (600, ["ahead"])])
    def test_a_switch_at_either_end_leaves_one_band(
        self,
        organization: Organization,
        member: Person,
        at: datetime,
        since: int,
        bands: list[str],
    ) -> None:
        made = worlds.session(organization, member, at, 600)
        Session.objects.filter(pk=made.pk).update(on_demand_at=at + since * SECOND)
        figure = accepted(charts.timeline_chart(seen(made, at + HOUR), UTC_ZONE))
        names = [trace.name for trace in figure.data if trace.name.startswith("Billed")]
        assert names == [{"ahead": "Billed", "later": "Billed on demand"}[each] for each in bands]

    def test_what_was_asked_and_told_stands_above(
        self, organization: Organization, owner: Person, member: Person, at: datetime
    ) -> None:
        made = worlds.start(organization, member, at)
        worlds.report(made, at, 1)
        _change_policy(organization, owner, at + MINUTE)
        Session.objects.filter(pk=made.pk).update(low_at=at + 2 * MINUTE)
        found = seen(made, at + 250 * SECOND)
        figure = accepted(charts.timeline_chart(found, UTC_ZONE))
        marks = next(trace for trace in figure.data if trace.name == "Asked and told")
        assert marks.x == (
            "2026-03-11 12:01:00",
            "2026-03-11 12:02:00",
            "2026-03-11 12:03:00",
        )
        assert marks.marker.symbol == ("square", "triangle-down", "diamond")
        assert ("notice", "What its user was asked or told") in legend_of(found)

    def test_builds_go_with_the_other_stories(
        self, organization: Organization, member: Person, at: datetime
    ) -> None:
        made = worlds.start(organization, member, at)
        worlds.report(made, at, 1, builds=[BuildSeen("b1", "x", at)])
        worlds.stop(made, at + MINUTE)
        forgetting.tidy(at=at + timedelta(days=370))
        assert BuildRun.objects.count() == 1
        forgetting.tidy(at=at + timedelta(days=430))
        assert not BuildRun.objects.exists()


def _change_policy(organization: Organization, owner: Person, at: datetime) -> None:
    policy = Policy.objects.get(organization=organization)
    change = PolicyChange(
        **{
            name: getattr(policy, name)
            for name in PolicyChange.__dataclass_fields__
            if hasattr(policy, name)
        }
        | {"sessions_per_person": 2}
    )
    orgs_services.update_policy(actor=actor(owner), at=at, organization=organization, change=change)


@pytest.mark.django_db
def test_changes_of_the_policy_are_those_that_concern_the_person(
    organization: Organization, owner: Person, member: Person, at: datetime
) -> None:
    order: dict[str, Any] = {"actor": actor(owner), "organization": organization}
    _change_policy(organization, owner, at + MINUTE)
    for number, person in enumerate((owner, member), 2):
        change = OverrideChange("Long", {"longest_session_seconds": 3_600}, (), [person.pk])
        add_override(at=at + number * MINUTE, change=change, **order)
    found = policy_changes(organization.pk, member.pk, at, at + HOUR)
    assert found == (at + MINUTE, at + 3 * MINUTE)
    assert policy_changes(organization.pk, member.pk, at + MINUTE, at + 3 * MINUTE) == (
        at + 3 * MINUTE,
    )
    assert policy_changes(organization.pk, member.pk, at, at + MINUTE - SECOND) == ()
