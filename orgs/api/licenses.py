"""`/organizations/{slug}/licenses`: the pool, who holds or waits, and the grants (rules 4, 5)."""

import uuid
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api.idempotency import idempotent
from offload_portal.api.pagination import (
    PageQuery,
    keyset_page,
    page_body,
    page_of,
    read_cursor,
)
from orgs import services
from orgs.api.access import OrganizationView
from orgs.api.people_shapes import (
    GrantShape,
    LicenseQuery,
    LicensesChangedShape,
    LicenseShape,
    NewGrant,
    PoolShape,
    TryQuery,
    licenses_json,
)
from orgs.enums import Scope
from orgs.models import LicenseGrant, Organization
from orgs.selectors import pool_of
from orgs.selectors.licenses import grants_of, license_rows, licenses_in
from orgs.services.teams import team_of

READ = (Scope.ORG_READ,)
IN_ORDER = ("granted_at", "id")


class LicensesView(OrganizationView):
    tag = "organizations"
    operation_ids = {"GET": "list_licenses"}
    scopes = {"GET": READ}
    organization_tokens = ("GET",)
    queries = {"GET": LicenseQuery}

    @extend_schema(summary="Licenses, in order of grant", responses=page_of(LicenseShape))
    def get(self, request: Request, slug: str) -> Response:
        organization = self.seen_by_editors(slug)
        purpose = f"licenses.{organization.pk}"
        page = keyset_page(
            licenses_in(organization, self.query.get("state", "")),
            order=IN_ORDER,
            cursor=read_cursor(self.query.get("cursor"), purpose, 2),
            size=self.page_size,
        )
        rows = license_rows(organization, page.rows, self.at)
        return Response(page_body(request, page, purpose, LicenseShape(rows, many=True).data))


class PoolView(OrganizationView):
    tag = "organizations"
    operation_ids = {"GET": "get_license_pool"}
    scopes = {"GET": READ}
    organization_tokens = ("GET",)

    @extend_schema(summary="The pool of licenses", responses=PoolShape)
    def get(self, request: Request, slug: str) -> Response:
        return self.tagged(PoolShape(pool_of(self.seen_by_editors(slug))).data)


class GrantsView(OrganizationView):
    tag = "organizations"
    operation_ids = {"GET": "list_grants", "POST": "grant_access"}
    scopes = {"GET": READ, "POST": (Scope.ORG_WRITE,)}
    organization_tokens = ("GET",)
    queries = {"GET": PageQuery, "POST": TryQuery}

    @extend_schema(summary="Grants that hold, newest first", responses=page_of(GrantShape))
    def get(self, request: Request, slug: str) -> Response:
        organization = self.seen_by_editors(slug)
        purpose = f"grants.{organization.pk}"
        page = keyset_page(
            grants_of(organization, self.at),
            order=("-granted_at", "-id"),
            cursor=read_cursor(self.query.get("cursor"), purpose, 2),
            size=self.page_size,
        )
        return Response(page_body(request, page, purpose, [grant_json(row) for row in page.rows]))

    @extend_schema(
        summary="Grant access",
        description=(
            "Who finds no license free waits in order of grant. Granting again gives the grant "
            "its new end."
        ),
        request=NewGrant,
        responses={
            201: LicensesChangedShape,
            200: OpenApiResponse(LicensesChangedShape, "What it would do (`dry_run`)."),
        },
        examples=[OpenApiExample("To everyone", {"to": "all"}, request_only=True)],
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        organization = self.owned(slug)
        body = self.body(NewGrant)
        done = self.tried(lambda: self._granted(organization, body))
        value = LicensesChangedShape(licenses_json(done)).data
        return Response(value, status=200 if self.query.get("dry_run") else 201)

    def _granted(self, organization: Organization, body: dict[str, Any]) -> services.Settled:
        order: dict[str, Any] = {
            "actor": self.actor,
            "at": self.at,
            "organization": organization,
            "until": body.get("until"),
        }
        if body["to"] == "all":
            return services.grant_to_all(**order)
        if body["to"] == "team":
            return services.grant_to_team(team=team_of(organization, body["team"]), **order)
        return services.grant_to_persons(person_ids=body["persons"], **order)


class GrantView(OrganizationView):
    tag = "organizations"
    operation_ids = {"DELETE": "take_access"}
    scopes = {"DELETE": (Scope.ORG_WRITE,)}
    queries = {"DELETE": TryQuery}

    @extend_schema(
        summary="Take a grant back",
        description="Who has access by it alone loses it; a running session ends at once.",
        responses={200: LicensesChangedShape},
    )
    def delete(self, request: Request, slug: str, grant_id: uuid.UUID) -> Response:
        organization = self.owned(slug)
        done = self.tried(
            lambda: services.revoke_grant(
                actor=self.actor, at=self.at, organization=organization, grant_id=grant_id
            )
        )
        return Response(LicensesChangedShape(licenses_json(done)).data)


def grant_json(grant: LicenseGrant) -> dict[str, Any]:
    person = grant.person
    value = {
        "id": grant.pk,
        "kind": grant.kind,
        "team": {"id": grant.team.pk, "name": grant.team.name} if grant.team else None,
        "person": {"id": person.pk, "name": person.shown_name, "email": person.email}
        if person
        else None,
        "granted_at": grant.granted_at,
        "until": grant.until,
    }
    return dict(GrantShape(value).data)
