"""Each picture holds the right numbers, and Plotly accepts it."""

import json
import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import plotly.graph_objects as go
import pytest

from offload_portal.common.allowance_bar import AllowanceFigures
from offload_portal.common.chart_theme import Chart
from orgs.models import Organization, Person
from sessions import charts
from sessions.charts.timeline import MOST_LANES, legend_of
from sessions.models import Session
from sessions.selectors import Insights, find_session, insights
from sessions.selectors.activity import PersonUse
from sessions.selectors.image_use import ImageUse
from sessions.services import SampleSeen
from tests.sessions import worlds
from usage.selectors import DayOfUse, SourceUse

HOUR = 3_600
MINUTE = timedelta(minutes=1)
UTC_ZONE = ZoneInfo("UTC")


def accepted(chart: Chart) -> go.Figure:
    """Plotly's own check; it knows no design tokens, so a colour stands for each."""
    assert isinstance(chart.figure, dict)
    assert chart.rows
    assert all(len(row) == len(chart.headers) for row in chart.rows)
    written = re.sub(r'"var:--[^"]*"', '"#5b3fd1"', json.dumps(chart.figure))
    return go.Figure(json.loads(written))


def use(seconds: int, cost: int = 0) -> SourceUse:
    return SourceUse(seconds, seconds, cost)


DAYS = (
    DayOfUse(date(2026, 3, 9), {"committed": use(2 * HOUR)}),
    DayOfUse(date(2026, 3, 10), {}),
    DayOfUse(date(2026, 3, 11), {"committed": use(HOUR), "on_demand": use(1_800, 90_000)}),
)


def test_the_trend_stacks_compute_hours_by_source() -> None:
    chart = charts.usage_trend_chart(DAYS)
    figure = accepted(chart)

    assert figure.layout.barmode == "stack"
    assert [trace.name for trace in figure.data] == ["Committed", "On-demand"]
    assert figure.data[0].x == ("2026-03-09", "2026-03-10", "2026-03-11")
    assert figure.data[0].y == (2.0, 0.0, 1.0)
    assert figure.data[1].y == (0.0, 0.0, 0.5)


def test_the_trend_s_table_says_the_same_and_leaves_empty_days_out() -> None:
    chart = charts.usage_trend_chart(DAYS)

    assert list(chart.headers) == ["Day", "Committed", "On-demand", "All", "Cost"]
    assert list(chart.rows) == [
        ["11 Mar 2026", "1 h", "0.50 h", "1.50 h", "$0.09"],
        ["9 Mar 2026", "2 h", "0 h", "2 h", "$0.00"],
    ]
    assert chart.summary == "3.50 h in all, most on 9 Mar 2026 (2 h)."


def test_without_use_there_is_no_picture_but_a_sentence() -> None:
    for chart in (
        charts.usage_trend_chart(()),
        charts.popular_images_chart((), 0),
        charts.top_users_chart((), 0),
        charts.course_chart((), AllowanceFigures(), date(2026, 3, 11)),
    ):
        assert chart.figure is None
        assert chart.empty


def test_popular_images_show_four_and_list_the_rest() -> None:
    images = [ImageUse(f"image:{n}", 9 - n, 20 - n, 1) for n in range(6)]

    chart = charts.popular_images_chart(images, 30)
    figure = accepted(chart)

    assert figure.data[0].x == (9, 8, 7, 6)
    assert len(chart.rows) == 6
    assert chart.rows[0] == ["image:0", "9", "20", "1"]
    assert chart.note == "26 more, 2 of them in the numbers"


def test_top_users_are_bars_of_seconds() -> None:
    people = [
        PersonUse(Organization().pk, "王小明", "w@example.com", 3, 7_260),
        PersonUse(Organization().pk, "N" * 80, "n@example.com", 1, 60),
    ]

    chart = charts.top_users_chart(people, 2)
    figure = accepted(chart)

    assert figure.data[0].x == (7_260, 60)
    assert chart.note == ""
    assert chart.rows[0] == ["王小明", "2 h 1 m", "3"]
    assert chart.rows[1][0] == "N" * 80
    assert figure.layout.annotations[1].text == "N" * 25 + "…"


def test_names_are_text_and_no_markup() -> None:
    images = [ImageUse("<b>x</b>&amp;", 1, 1, 1)]

    figure = accepted(charts.popular_images_chart(images, 1))

    assert figure.data[0].customdata[0][0] == "&lt;b&gt;x&lt;/b&gt;&amp;amp;"
    assert figure.layout.annotations[0].text == "&lt;b&gt;x&lt;/b&gt;&amp;amp;"


def test_the_course_adds_up_and_ends_at_the_forecast() -> None:
    figures = AllowanceFigures(committed=4 * HOUR, committed_used=3 * HOUR, forecast=6 * HOUR)

    chart = charts.course_chart(DAYS, figures, date(2026, 3, 20))
    figure = accepted(chart)

    assert figure.data[0].y == (2.0, 2.0, 3.5)
    assert figure.data[1].x == ("2026-03-11", "2026-03-20")
    assert figure.data[1].y == (3.5, 6.0)
    assert [shape.y0 for shape in figure.layout.shapes] == [4.0]
    assert chart.rows[0] == ["11 Mar 2026", "1.50 h", "3.50 h", "$0.09"]


def test_bounds_far_above_the_use_are_left_out() -> None:
    figures = AllowanceFigures(
        committed=100 * HOUR, on_demand="limited", on_demand_limit=100 * HOUR, forecast=4 * HOUR
    )

    figure = accepted(charts.course_chart(DAYS, figures, date(2026, 3, 20)))

    assert figure.layout.shapes == ()


def _seen(session: Session, at: datetime) -> Insights:
    found, _membership = find_session(session.person, session.pk)
    return insights(found, at)


@pytest.fixture
def gap(organization: Organization, member: Person, at: datetime) -> Session:
    """Active for 5 minutes, idle for 2, active for 3 more; two runs of which one failed."""
    made = worlds.start(organization, member, at)
    runs = [worlds.container("node:22", at, 60), worlds.container("redis:7", at, 30, code=3)]
    sample = SampleSeen(at, 150_000, 512 * 1024**2)
    worlds.report(made, at, 1, containers=runs, samples=[sample])
    worlds.report(made, at + 7 * MINUTE, 2)
    worlds.stop(made, at + 10 * MINUTE)
    return made


@pytest.mark.django_db
def test_the_timeline_has_bands_of_the_right_length(gap: Session, at: datetime) -> None:
    chart = charts.timeline_chart(_seen(gap, at + 10 * MINUTE), UTC_ZONE)
    figure = accepted(chart)

    bands = {trace.name: trace for trace in figure.data}
    assert bands["Active"].base == ("2026-03-11 12:00:00", "2026-03-11 12:07:00")
    assert bands["Active"].x == (300_000, 180_000)
    assert bands["Idle"].x == (120_000,)
    assert bands["Billed"].base == ("2026-03-11 12:00:00",)
    assert bands["Billed"].x == (600_000,)


@pytest.mark.django_db
def test_the_timeline_draws_each_run_with_its_exit(gap: Session, at: datetime) -> None:
    seen = _seen(gap, at + 10 * MINUTE)
    figure = accepted(charts.timeline_chart(seen, UTC_ZONE))

    bands = {trace.name: trace for trace in figure.data}
    assert bands["node:22"].x == (60_000,)
    assert bands["node:22"].text == ("",)
    assert bands["redis:7"].x == (30_000,)
    assert bands["redis:7"].text == ("exit 3",)
    assert "Exit code 3" in bands["redis:7"].customdata[0]
    assert ("failed", "Container that failed") in legend_of(seen)


@pytest.mark.django_db
def test_the_timeline_s_table_has_every_segment(gap: Session, at: datetime) -> None:
    chart = charts.timeline_chart(_seen(gap, at + 10 * MINUTE), ZoneInfo("Asia/Shanghai"))

    lengths = [(row[2], row[3], row[4]) for row in chart.rows]
    assert lengths == [("Active", "Yes", "5 m"), ("Idle", "Yes", "2 m"), ("Active", "Yes", "3 m")]
    assert chart.rows[0][0] == "2026-03-11 20:00:00"
    assert chart.note == "Times in UTC+08:00"


@pytest.mark.django_db
def test_runs_at_one_time_get_lines_of_their_own_up_to_a_number(
    organization: Organization, member: Person, at: datetime
) -> None:
    made = worlds.start(organization, member, at)
    runs = [worlds.container(f"image:{n}", at, 60) for n in range(MOST_LANES + 2)]
    worlds.report(made, at, 1, containers=runs)

    chart = charts.timeline_chart(_seen(made, at + 2 * MINUTE), UTC_ZONE)
    figure = accepted(chart)

    lanes = [trace for trace in figure.data if str(trace.name).startswith("image")]
    assert len(lanes) == MOST_LANES
    assert "2 more lines of containers" in chart.note


@pytest.mark.django_db
def test_a_session_of_one_second_can_be_drawn(
    organization: Organization, member: Person, at: datetime
) -> None:
    made = worlds.session(organization, member, at, 1)

    figure = accepted(charts.timeline_chart(_seen(made, at + MINUTE), UTC_ZONE))

    assert figure.data[0].x == (1_000,)


@pytest.mark.django_db
def test_a_session_that_has_just_started_is_no_error(
    organization: Organization, member: Person, at: datetime
) -> None:
    made = worlds.start(organization, member, at)

    chart = charts.timeline_chart(_seen(made, at), UTC_ZONE)

    assert chart.title == "Timeline"
    assert charts.resources_chart(_seen(made, at), UTC_ZONE).figure is None


@pytest.mark.django_db
def test_resources_lie_on_the_timeline_s_axis(gap: Session, at: datetime) -> None:
    seen = _seen(gap, at + 10 * MINUTE)

    resources = accepted(charts.resources_chart(seen, UTC_ZONE))
    timeline = accepted(charts.timeline_chart(seen, UTC_ZONE))

    assert resources.layout.xaxis.range == timeline.layout.xaxis.range
    assert resources.data[0].y == (150.0,)
    assert resources.data[1].y == (512.0,)
    assert resources.data[1].customdata == ("512 MiB",)


@pytest.mark.django_db
def test_no_line_is_drawn_over_a_time_without_samples(
    organization: Organization, member: Person, at: datetime
) -> None:
    made = worlds.start(organization, member, at)
    instants = [at + n * MINUTE for n in (0, 1, 2, 9, 10)]
    samples = [SampleSeen(instant, 1_000, 1024**2) for instant in instants]
    for number, sample in enumerate(samples, 1):
        worlds.report(made, sample.at, number, samples=[sample])

    figure = accepted(charts.resources_chart(_seen(made, at + 11 * MINUTE), UTC_ZONE))

    cpu = [trace for trace in figure.data if trace.name == "Processor"]
    assert [len(trace.x) for trace in cpu] == [3, 2]
    assert len(figure.data) == 4 * len(cpu), "memory and both ways of the network are cut alike"
