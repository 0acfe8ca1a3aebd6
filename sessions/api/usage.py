"""`/usage`: what was used, by time and group, as JSON and as CSV."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api.problems import invalid
from offload_portal.api.renderers import CSVRenderer, JSONRenderer
from offload_portal.api.serializers import zulu
from offload_portal.common.csv_cells import csv_response
from orgs.api.access import OrganizationView
from orgs.enums import Scope
from orgs.services.looks import note_look
from orgs.zones import zone_or_utc
from sessions.selectors.use_groups import grouping_of_word
from usage.api.rendering import sums_json
from usage.api.shapes import LONGEST_BY_HOUR, LONGEST_RANGE, UsageQuery, UsageShape
from usage.selectors import Grain, GroupBy, UsageReport, usage_by

USUAL_RANGE = timedelta(days=30)
CSV_COLUMNS = (
    "Start",
    "End",
    "Group",
    "Name",
    "Wall seconds",
    "Compute-seconds",
    "Sessions",
    "Micro-dollars",
)


class UsageAccess(OrganizationView):
    """A member gets only their own use (rule 2)."""

    tag = "usage"
    scopes = {"GET": (Scope.USAGE_READ,)}
    organization_tokens = ("GET",)
    queries = {"GET": UsageQuery}

    def report(self, slug: str) -> tuple[UsageReport, ZoneInfo]:
        found = self.place(slug)
        query = self.query
        grain = Grain(query.get("grain", Grain.DAY))
        end = query.get("to", self.at)
        start = query.get("from", end - USUAL_RANGE)
        _check_range(start, end, grain)
        grouping = grouping_of_word(query.get("group_by", GroupBy.NONE))
        if grouping == GroupBy.MEMBER and found.membership.sees_usage:
            note_look(actor=self.actor, at=self.at, organization=found.organization, what="usage")
        zone = zone_or_utc(query.get("zone") or found.organization.zone)
        report = usage_by(
            found.organization,
            start,
            end,
            grain=grain,
            group_by=grouping,
            zone=zone,
            person_ids=None if found.membership.sees_usage else [self.person.pk],
            viewer_id=self.request.user.pk,
        )
        return report, zone


def _check_range(start: datetime, end: datetime, grain: Grain) -> None:
    if start >= end:
        raise invalid({"from": [_("The range ends before it begins.")]})
    longest = LONGEST_BY_HOUR if grain is Grain.HOUR else LONGEST_RANGE
    if end - start > longest:
        sentence = _("At most %(days)s days with this grain.") % {"days": longest.days}
        raise invalid({"from": [sentence]})


class UsageView(UsageAccess):
    operation_ids = {"GET": "get_usage"}

    @extend_schema(
        summary="Usage by time and group",
        description=(
            "Straight from the ledger, corrections included, as of its last metering. Rows add up "
            "to the totals: a session counts whole for the image whose containers ran longest in "
            "it, and who is in several teams counts once, in `several`."
        ),
        responses=UsageShape,
    )
    def get(self, request: Request, slug: str) -> Response:
        report, zone = self.report(slug)
        return Response(_json(report, zone))


def _json(report: UsageReport, zone: ZoneInfo) -> dict[str, Any]:
    rows = [
        {
            "start": zulu(row.start),
            "end": zulu(row.end),
            "group": row.group,
            "label": row.label,
            **sums_json(row.sums),
        }
        for row in report.rows
    ]
    return {
        "from": zulu(report.start),
        "to": zulu(report.end),
        "grain": str(report.grain),
        "group_by": None if report.group_by == GroupBy.NONE else report.group_by,
        "zone": str(zone),
        "results": rows,
        "totals": sums_json(report.totals),
        "as_of": None if report.as_of is None else zulu(report.as_of),
    }


class UsageCSVView(UsageAccess):
    operation_ids = {"GET": "download_usage"}
    renderer_classes = [CSVRenderer, JSONRenderer]

    @extend_schema(summary="Usage as CSV", responses={(200, "text/csv"): str})
    def get(self, request: Request, slug: str) -> HttpResponseBase:
        report, _zone = self.report(slug)
        rows: list[tuple[object, ...]] = [CSV_COLUMNS]
        for row in report.rows:
            sums = row.sums
            numbers = (sums.seconds, sums.compute_seconds, sums.sessions, sums.cost_microusd)
            rows.append((zulu(row.start), zulu(row.end), row.group, row.label, *numbers))
        return csv_response(rows, f"{slug}-usage.csv")
