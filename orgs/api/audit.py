"""`/organizations/{slug}/audit`: who did what, on what, when, from where (rule 7)."""

import uuid
from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api.pagination import keyset_page, page_body, page_of, read_cursor
from orgs.api.access import OrganizationView
from orgs.api.shapes import AuditQuery, AuditShape
from orgs.enums import Scope
from orgs.models import AuditEntry, Organization, Person


class AuditView(OrganizationView):
    tag = "organizations"
    operation_ids = {"GET": "list_audit"}
    scopes = {"GET": (Scope.ORG_READ,)}
    organization_tokens = ("GET",)
    queries = {"GET": AuditQuery}

    @extend_schema(summary="The audit log, newest first", responses=page_of(AuditShape))
    def get(self, request: Request, slug: str) -> Response:
        organization = self.seen_by_editors(slug)
        purpose = f"audit.{organization.pk}"
        page = keyset_page(
            self._entries(organization),
            order=("-at", "-id"),
            cursor=read_cursor(self.query.get("cursor"), purpose, 2),
            size=self.page_size,
        )
        people = _people(row.actor_id for row in page.rows)
        results = [_json(row, people) for row in page.rows]
        return Response(page_body(request, page, purpose, results))

    def _entries(self, organization: Organization) -> QuerySet[AuditEntry]:
        rows = AuditEntry.objects.filter(organization_id=organization.pk)
        names = {"actor": "actor_id", "action": "event", "since": "at__gte", "until": "at__lt"}
        chosen = {names[name]: value for name, value in self.query.items() if name in names}
        return rows.filter(**chosen)


def _people(ids: Iterable[uuid.UUID | None]) -> dict[uuid.UUID, Person]:
    return {row.pk: row for row in Person.objects.filter(pk__in={key for key in ids if key})}


def _json(entry: AuditEntry, people: dict[uuid.UUID, Person]) -> dict[str, Any]:
    person = people.get(entry.actor_id) if entry.actor_id else None
    actor = None
    if person is not None:
        actor = {"id": person.pk, "name": person.shown_name, "email": person.email}
    elif entry.actor_id is not None:
        actor = {"id": entry.actor_id, "name": "", "email": ""}
    value = {
        "id": entry.pk,
        "at": entry.at,
        "actor": actor,
        "action": entry.event,
        "subject_kind": entry.subject_kind,
        "subject_id": entry.subject_id,
        "before": entry.before,
        "after": entry.after,
        "origin": entry.origin,
    }
    return dict(AuditShape(value).data)
