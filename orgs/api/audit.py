"""`/organizations/{slug}/audit`: who did what, on what, when, from where (rule 7)."""

from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api.pagination import keyset_page, page_body, page_of, read_cursor
from offload_portal.api.renderers import CSVRenderer, JSONRenderer
from offload_portal.common.csv_cells import csv_response
from orgs.api.access import OrganizationView
from orgs.api.shapes import AuditExportQuery, AuditQuery, AuditShape
from orgs.enums import Scope
from orgs.exports import audit_csv_rows
from orgs.selectors import AuditFilter, AuditRow, audit_entries, audit_export, audit_rows

READ = (Scope.ORG_READ,)


def _wanted(query: dict[str, Any]) -> AuditFilter:
    return AuditFilter(
        event=query.get("action", ""),
        actor_id=query.get("actor"),
        subject_id=query.get("subject"),
        subject_kind=query.get("subject_kind", ""),
        text=query.get("search", ""),
        since=query.get("since"),
        until=query.get("until"),
    )


class AuditView(OrganizationView):
    tag = "organizations"
    operation_ids = {"GET": "list_audit"}
    scopes = {"GET": READ}
    organization_tokens = ("GET",)
    queries = {"GET": AuditQuery}

    @extend_schema(summary="The audit log, newest first", responses=page_of(AuditShape))
    def get(self, request: Request, slug: str) -> Response:
        organization = self.seen_by_editors(slug)
        purpose = f"audit.{organization.pk}"
        page = keyset_page(
            audit_entries(organization, _wanted(self.query)),
            order=("-at", "-id"),
            cursor=read_cursor(self.query.get("cursor"), purpose, 2),
            size=self.page_size,
        )
        results = [_json(row) for row in audit_rows(page.rows)]
        return Response(page_body(request, page, purpose, results))


class AuditCSVView(OrganizationView):
    tag = "organizations"
    operation_ids = {"GET": "export_audit"}
    renderer_classes = [CSVRenderer, JSONRenderer]
    scopes = {"GET": READ}
    organization_tokens = ("GET",)
    queries = {"GET": AuditExportQuery}

    @extend_schema(
        summary="The audit log as CSV",
        description="Streamed, newest first; follows the filters of the list.",
        responses={(200, "text/csv"): str},
    )
    def get(self, request: Request, slug: str) -> HttpResponseBase:
        organization = self.seen_by_editors(slug)
        rows = audit_export(organization, _wanted(self.query))
        return csv_response(audit_csv_rows(rows), f"{organization.slug}-audit.csv")


def _json(row: AuditRow) -> dict[str, Any]:
    actor = None
    if row.actor_id is not None:
        actor = {"id": row.actor_id, "name": row.actor, "email": row.actor_email}
    value = {
        "id": row.id,
        "number": row.number,
        "at": row.at,
        "actor": actor,
        "action": row.event,
        "subject_kind": row.subject_kind,
        "subject_id": row.subject_id,
        "subject_name": row.subject,
        "before": row.before,
        "after": row.after,
        "origin": row.origin,
    }
    return dict(AuditShape(value).data)
