"""An organization's numbers for Prometheus, by a token with the scope `usage:read`."""

from collections.abc import Iterator

from django.http import HttpResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from offload_portal.api.renderers import JSONRenderer
from offload_portal.common.periods import to_seconds
from orgs.api.access import OrganizationView
from orgs.enums import Scope
from sessions.selectors.counts import sessions_by_state
from usage.enums import EntrySource
from usage.selectors import AllowanceView, allowance_of


class ExpositionRenderer(BaseRenderer):
    """Lets what Prometheus accepts through; the view writes the text itself."""

    media_type = "text/plain"
    format = "txt"
    charset = "utf-8"

    def render(self, data: object, *args: object, **kwargs: object) -> bytes:
        return str(data).encode()


class OrganizationMetricsView(OrganizationView):
    """Times are compute-seconds, money micro-dollars, instants POSIX seconds.

    What is without a bound, or not in sight, has no sample: it is not 0.
    """

    schema = None  # it is no part of the API's document
    http_method_names = ["get", "head"]
    scopes = {"GET": (Scope.USAGE_READ,)}
    organization_tokens = ("GET",)
    renderer_classes = [ExpositionRenderer, JSONRenderer]

    def get(self, request: Request, slug: str) -> HttpResponse:
        organization = self.seen_by_payers(slug)
        view = allowance_of(organization, self.at)
        found = _Found(view, sessions_by_state(organization, view.period_start, self.at))
        registry = CollectorRegistry(auto_describe=False)
        registry.register(found)
        response = HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)
        response.headers["Cache-Control"] = "no-store"
        return response


class _Found(Collector):
    def __init__(self, view: AllowanceView, sessions: dict[str, int]) -> None:
        self.view, self.sessions = view, sessions

    def collect(self) -> Iterator[Metric]:
        yield from _by_source(self.view)
        yield from _of_all(self.view)
        states = GaugeMetricFamily(
            "offload_sessions",
            "Sessions by state; ended and failed ones are those of this period.",
            labels=["state"],
        )
        for state, count in self.sessions.items():
            states.add_metric([state], count)
        yield states


def _by_source(view: AllowanceView) -> Iterator[Metric]:
    total = GaugeMetricFamily(
        "offload_allowance_compute_seconds", "What this period may use.", labels=["source"]
    )
    used = GaugeMetricFamily(
        "offload_used_compute_seconds", "What this period has used.", labels=["source"]
    )
    sources = {
        EntrySource.COMMITTED: view.committed,
        EntrySource.TOP_UP: view.top_up,
        EntrySource.ON_DEMAND: view.on_demand,
    }
    for source, state in sources.items():
        used.add_metric([source.value], state.used_compute_seconds)
        if state.total_compute_seconds is not None:
            total.add_metric([source.value], state.total_compute_seconds)
    used.add_metric([EntrySource.OVER_LIMIT.value], view.over_limit_compute_seconds)
    yield total
    yield used


def _of_all(view: AllowanceView) -> Iterator[Metric]:
    instants = {
        "forecast": view.forecast_at,
        "period_start": view.period_start,
        "period_end": view.period_end,
        "metered_until": view.as_of,
        "reconciled_until": view.reconciled.until,
    }
    numbers = {
        "left_compute_seconds": ("What may still be used.", view.left_compute_seconds),
        "reserved_compute_seconds": ("What running sessions hold.", view.reserved_compute_seconds),
        "burn_compute_seconds_per_hour": (
            "Use per hour, this hour and the last.",
            view.burn_compute_seconds_per_hour,
        ),
        "on_demand_used_microusd": ("What on-demand has cost.", view.on_demand.used_microusd),
        "under_review": (
            "1 while ledger, rollups and sessions differ.",
            int(view.reconciled.is_under_review),
        ),
        **{
            f"{name}_timestamp_seconds": (
                f"The instant {name}.",
                None if at is None else to_seconds(at),
            )
            for name, at in instants.items()
        },
    }
    for name, (text, number) in numbers.items():
        if number is not None:
            yield GaugeMetricFamily(f"offload_{name}", text, value=number)
