"""The charts of times, cost and outcomes hold the right numbers, and Plotly accepts them."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from offload_portal.common.chart_theme import Chart, Link
from sessions.charts import costs, outcomes, times, usage_trend_chart
from sessions.selectors.costs import CostRow, MonthOfUse
from sessions.selectors.engine_time import DayOfEngines, EngineTime
from sessions.selectors.outcomes import DayOfRuns, EndCount, FailingImage, Outcomes
from sessions.selectors.times import STARTS, Level, spread
from tests.sessions.test_charts import accepted
from usage.selectors import DayOfUse, SourceUse, UsageSums
from usage.selectors.week import HourOfWeek

HOUR = 3_600
AT = datetime(2026, 3, 11, 12, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")


def sums(hours: int, cost: int = 0) -> UsageSums:
    return UsageSums(hours * HOUR, hours * HOUR, cost, 1, 1)


def paid(hours: int, cost: int = 0) -> SourceUse:
    return SourceUse(hours * HOUR, hours * HOUR, cost)


class TestHeatMap:
    def test_each_cell_has_its_hours_and_a_shade_of_the_most(self) -> None:
        week = [HourOfWeek(1, 9, 1, 6 * HOUR), HourOfWeek(7, 23, 1, HOUR), HourOfWeek(3, 0, 1, 1)]
        found = times.heat_map(week)
        cells = {
            (row.name, hour): (cell.shade, cell.text)
            for row in found.rows
            for hour, cell in enumerate(row.cells)
            if cell.shade
        }
        assert cells == {
            ("Monday", 9): (6, "6"),
            ("Sunday", 23): (1, "1"),
            ("Wednesday", 0): (1, "·"),
        }
        assert found.rows[0].cells[9].title == "Monday, 09:00 to 10:00: 6 h"
        assert found.rows[6].cells[23].title.startswith("Sunday, 23:00 to 00:00")
        assert [row.total for row in found.rows][::6] == ["6 h", "1 h"]
        assert found.summary == "Most on Monday from 09:00: 6 h of compute time."
        assert (len(found.rows), {len(row.cells) for row in found.rows}) == (7, {24})

    def test_without_use_it_says_so(self) -> None:
        assert not times.heat_map([]).has_use

    def test_hours_of_fewer_than_five_people_are_left_out_in_aggregate(self) -> None:
        week = [HourOfWeek(1, 9, 1, HOUR, 4), HourOfWeek(2, 9, 1, HOUR, 5)]
        found = times.heat_map(week, least_people=5)
        assert [row.name for row in found.rows if row.total != "0 h"] == ["Tuesday"]
        assert found.hidden == 1


def levels(*counts: int, step: timedelta = timedelta(minutes=15)) -> list[Level]:
    return [Level(AT + number * step, count) for number, count in enumerate(counts)]


def test_sessions_at_once_are_drawn_by_quarter_with_their_peak() -> None:
    chart = times.concurrency_chart(levels(0, 2, 3, 3, 0), UTC_ZONE)
    figure = accepted(chart)
    assert figure.data[0].y == (0, 2, 3, 3, 0)
    assert figure.data[0].x[1] == "2026-03-11 12:15"
    assert chart.summary == "At most 3 sessions at once, first on 11 Mar 2026 about 12:30."
    assert chart.rows == [["11 Mar 2026", "3", "12:30"]]


@pytest.mark.parametrize(("days", "places"), [(3, 289), (4, 97), (32, 769), (33, 34)])
def test_long_periods_are_drawn_by_hour_and_by_day(days: int, places: int) -> None:
    """Each keeps the highest of its quarters."""
    counts = [number % 96 == 50 for number in range(days * 96 + 1)]
    chart = times.concurrency_chart(levels(*map(int, counts)), UTC_ZONE)
    figure = accepted(chart)
    assert len(figure.data[0].x) == places
    assert sum(figure.data[0].y) == days
    assert len(chart.rows) == days


def test_lengths_stand_in_bins_with_their_share() -> None:
    chart = times.start_times_chart(spread([(0, 1), (3, 2), (61, 1)], STARTS), never_ready=2)
    figure = accepted(chart)
    assert dict(zip(figure.data[0].x, figure.data[0].y, strict=True)) == {
        "under 1 s": 1, "1 s – 2 s": 0, "2 s – 5 s": 2, "5 s – 10 s": 0, "10 s – 20 s": 0,
        "20 s – 30 s": 0, "30 s – 1 m": 0, "1 m or more": 1,
    }  # fmt: skip
    assert chart.rows[2] == ["2 s – 5 s", "2", "50 %"]
    assert chart.note == "2 never answered"
    assert chart.summary == "Half within 3 s, nine in ten within 1 m 1 s, the longest 1 m 1 s."


def test_the_trend_has_the_period_before_beside_it() -> None:
    day = date(2026, 3, 11)
    now = [
        DayOfUse(day + timedelta(n), {"committed": SourceUse(HOUR, 2 * HOUR, 0)}) for n in (0, 1)
    ]
    before = [
        DayOfUse(day - timedelta(2 - n), {"on_demand": SourceUse(1, n * HOUR, 0)}) for n in (0, 1)
    ]
    figure = accepted(usage_trend_chart(now, before))
    bars, line = figure.data
    assert (bars.y, line.y) == ((2.0, 2.0), (0.0, 1.0))
    assert bars.x == line.x, "the first day lies beside the first"
    assert line.customdata == ("0 h · 9 Mar", "1 h · 10 Mar")
    assert len(accepted(usage_trend_chart(now, [DayOfUse(day, {})])).data) == 1


def test_what_engines_did_adds_up_and_leaves_out_what_never_was() -> None:
    time = EngineTime(in_use=3 * HOUR, waiting=HOUR, free_idle=HOUR)
    days = [DayOfEngines(date(2026, 3, 11), time), DayOfEngines(date(2026, 3, 12), EngineTime())]
    chart = costs.engine_time_chart(days)
    figure = accepted(chart)
    assert [(trace.name, trace.y) for trace in figure.data] == [
        ("In use", (3.0, 0.0)),
        ("Waiting for the idle timeout", (1.0, 0.0)),
        ("Idle, not billed", (1.0, 0.0)),
    ]
    assert chart.rows[0] == ["All days", "3 h", "1 h", "1 h", "4 h", "5 h"]
    assert [row[0] for row in chart.rows] == ["All days", "11 Mar 2026"]
    assert chart.summary.startswith("Of 5 h that engines ran, 4 h were billed; nothing ran in 25 %")


def test_sources_have_their_share_and_their_colour() -> None:
    chart = costs.sources_chart(
        {"committed": paid(3), "on_demand": paid(1, 2_500_000)}, {"committed": paid(6)}
    )
    figure = accepted(chart)
    assert figure.data[0].x == (3 * HOUR, HOUR)
    assert chart.summary == "25 % of 4 h was on demand, for $2.50."
    assert chart.rows[0] == ["Committed", "3 h", "75 %", "6 h", "−50 %", "$0.00"]
    assert chart.rows[1] == ["On-demand", "1 h", "25 %", "0 h", "new", "$2.50"]


def test_months_lead_to_themselves() -> None:
    months = [
        MonthOfUse(date(2026, 2, 1), date(2026, 2, 28), {"committed": paid(5)}),
        MonthOfUse(date(2026, 3, 1), date(2026, 3, 31), {"on_demand": paid(2, 9_000_000)}),
    ]
    chart = costs.months_chart(months, lambda month: f"?since={month.first}&until={month.last}")
    figure = accepted(chart)
    assert {trace.name: trace.y for trace in figure.data} == {
        "Committed": (5.0, 0.0),
        "On-demand": (0.0, 2.0),
    }
    assert chart.rows[0][0] == Link("March 2026", "?since=2026-03-01&until=2026-03-31")
    assert chart.summary == "The dearest was March 2026: $9.00 on demand, 2 h in all."


def test_who_used_it_stands_beside_the_period_before() -> None:
    rows = [
        CostRow("a", "Ana <b>", sums(4, 1_000_000), sums(5)),
        CostRow("b", "Bo", sums(3), sums(1)),
        CostRow("c", "Cy", UsageSums(), sums(9)),
    ]
    chart = costs.cost_chart("Member", rows)
    figure = accepted(chart)
    assert figure.data[0].x == (4 * HOUR, 3 * HOUR), "who used nothing has no bar"
    assert figure.layout.annotations[0].text == "Ana &lt;b&gt;"
    assert chart.rows[0] == ["Ana <b>", "1", "4 h", "57 %", "5 h", "−20 %", "$1.00", "$0.00"]
    assert chart.summary == "Ana <b> used most, 4 h. Bo grew most, by 2 h."
    assert chart.note == "1 more in the numbers"


def test_ends_that_nobody_wished_for_stand_out() -> None:
    ends = [EndCount("idle", 6, 3), EndCount("engine_lost", 1, 1)]
    chart = outcomes.ends_chart(ends, running=2)
    figure = accepted(chart)
    assert figure.data[0].x == (6, 1)
    assert isinstance(chart.figure, dict)
    colours = chart.figure["data"][0]["marker"]["color"]
    assert colours == ["var:--chart-1", "var:--danger"]
    assert chart.rows == [["Idle too long", "6", "86 %", "3"], ["Engine lost", "1", "14 %", "1"]]
    assert (chart.summary, chart.note) == (
        "1 of 7 ended against their user's will.",
        "2 still running",
    )


def test_images_that_fail_lead_to_their_sessions_with_their_codes() -> None:
    image = FailingImage("api:1", 10, 7, 3, 2, ((137, 4), (1, 1), (2, 1), (3, 1)))
    found = Outcomes((), 0, (image,), 1, (), 12, 8)
    chart = outcomes.failing_images_chart(found, lambda each: f"?image={each.image}")
    figure = accepted(chart)
    assert figure.data[0].x == (7,)
    assert chart.rows == [
        [Link("api:1", "?image=api:1"), "10", "7", "70 %", "137 (×4), 1 (×1), 2 (×1), …", "3", "2"]
    ]
    assert chart.summary == "8 of 12 containers failed, most of api:1."


def test_containers_by_day() -> None:
    chart = outcomes.runs_chart([DayOfRuns(date(2026, 3, 11), 3, 1, 1)])
    figure = accepted(chart)
    assert [(trace.name, trace.y) for trace in figure.data] == [
        ("Exited well", (3,)),
        ("Failed", (1,)),
    ]
    assert chart.rows == [["11 Mar 2026", "3", "1", "25 %"]]


@pytest.mark.parametrize(
    "chart",
    [
        times.concurrency_chart([], UTC_ZONE),
        times.durations_chart(spread([], (0,))),
        costs.engine_time_chart([]),
        costs.sources_chart({}, {}),
        costs.months_chart([], lambda _month: ""),
        costs.cost_chart("Member", []),
        outcomes.ends_chart([], 0),
        outcomes.failing_images_chart(Outcomes((), 0, (), 0, (), 0, 0), lambda _image: ""),
        outcomes.runs_chart([]),
    ],
    ids=lambda chart: chart.id,
)
def test_without_anything_to_draw_it_says_what_will_stand_here(chart: Chart) -> None:
    assert chart.figure is None
    assert chart.empty
    assert chart.summary == ""
