"""Charts of the book say what the ledger says; operators change nothing that was priced."""

import json
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse

from tests import factories
from tests.usage import worlds
from tests.usage.worlds import HOUR
from usage import charts
from usage.models import Plan, Rate
from usage.selectors import allowance_of, use_by_day

UTC_ZONE = ZoneInfo("UTC")
pytestmark = pytest.mark.django_db


def drawn(acme, now):
    view = allowance_of(acme, now)
    assert view.period_start
    days = use_by_day(acme.pk, view.period_start, now, UTC_ZONE)
    return charts.burn_down(view, days, UTC_ZONE, now), charts.usage_by_day(days)


def test_what_is_left_goes_down_to_what_the_allowance_says(organization, owner, at):
    worlds.use(organization, owner, at, 30 * HOUR)
    now = at + timedelta(hours=30)
    left, by_day = drawn(organization, now)
    past, forecast = left.figure["data"]
    assert past["y"] == [100, 88, 70]
    assert past["x"][-1] == forecast["x"][0] == "2026-03-12 18:00:00"
    assert forecast["y"] == [70, 0, 0]  # used up before the period ends
    assert left.figure["layout"]["xaxis"]["range"] == ["2026-03-11 00:00:00", "2026-04-11 00:00:00"]
    (committed,) = by_day.figure["data"]
    assert committed["y"] == [12, 18]


def test_without_a_bound_it_shows_what_is_used(organization, owner, at):
    worlds.on_demand(organization, owner, at, "unlimited")
    worlds.use(organization, owner, at, 12 * HOUR)
    left, _ = drawn(organization, at + timedelta(hours=12))
    past, forecast = left.figure["data"]
    assert past["y"] == [0, 12]
    assert forecast["y"][-1] > 12


def test_nothing_used_is_a_level_line_and_no_forecast(organization, at):
    left, by_day = drawn(organization, at + timedelta(hours=1))
    (past,) = left.figure["data"]
    assert set(past["y"]) == {100}
    assert by_day.figure is None
    assert by_day.empty


def test_figures_travel_as_json(organization, owner, at):
    worlds.use(organization, owner, at, HOUR)
    for chart in drawn(organization, at + timedelta(hours=1)):
        assert json.loads(json.dumps(chart.figure)) == chart.figure
        assert chart.rows


@pytest.fixture
def operator(client_of):
    person = factories.person("Otto Operator")
    person.is_staff = person.is_superuser = True
    person.save()
    return client_of(factories.second_factor(person))


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(("day", "saved"), [(-1, False), (0, False), (1, True)])
def test_an_operator_adds_a_rate_from_a_day_to_come_only(operator, organization, at, day, saved):
    valid_from = at.date() + timedelta(days=day)
    data = {
        "organization": str(organization.pk),
        "valid_from": valid_from.isoformat(),
        "microusd_per_compute_second": "70",
    }
    operator.post(reverse("admin:usage_rate_add"), data)
    rates = Rate.objects.filter(organization=organization, microusd_per_compute_second=70)
    assert list(rates.values_list("valid_from", flat=True)) == ([valid_from] if saved else [])


def test_a_plan_is_withdrawn_and_never_deleted(operator):
    plan = Plan.objects.get(slug="team")
    answer = operator.post(reverse("admin:usage_plan_delete", args=[plan.pk]), {"post": "yes"})
    assert answer.status_code == 403
    assert Plan.objects.filter(pk=plan.pk).exists()


def test_only_operators_see_the_rates(client_of, owner):
    answer = client_of(owner).get(reverse("admin:usage_rate_changelist"))
    assert answer.status_code in (302, 403)


def test_the_periods_day_is_the_first_rates_day(organization, at):
    rate = Rate.objects.get(organization=organization)
    assert rate.valid_from == date(2026, 3, 11)
