"""`/organizations/{slug}/teams`: named groups of members (rule 4)."""

import uuid

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api.idempotency import idempotent
from offload_portal.api.pagination import keyset_page, page_body, page_of, read_cursor
from orgs import services
from orgs.api.access import OrganizationView
from orgs.api.people_shapes import (
    LicensesChangedShape,
    NewTeam,
    TeamChange,
    TeamQuery,
    TeamShape,
    TryQuery,
    licenses_json,
)
from orgs.enums import Scope
from orgs.models import Organization
from orgs.selectors import TeamRow, find_team, team_rows, teams_in

ORDER = ("sort_name", "id")


def team_json(row: TeamRow) -> dict[str, object]:
    value = {
        "id": row.id,
        "name": row.name,
        "member_count": row.members,
        "created_at": row.created_at,
        "granted_at": row.granted_at,
        "until": row.until,
    }
    return dict(TeamShape(value).data)


class TeamsView(OrganizationView):
    tag = "people"
    operation_ids = {"GET": "list_teams", "POST": "create_team"}
    scopes = {"GET": (Scope.ORG_READ,), "POST": (Scope.ORG_WRITE,)}
    organization_tokens = ("GET",)
    queries = {"GET": TeamQuery}

    @extend_schema(summary="Teams, by name", responses=page_of(TeamShape))
    def get(self, request: Request, slug: str) -> Response:
        organization = self.seen_by_editors(slug)
        purpose = f"teams.{organization.pk}"
        page = keyset_page(
            teams_in(organization, self.query.get("search", "")),
            order=ORDER,
            cursor=read_cursor(self.query.get("cursor"), purpose, len(ORDER)),
            size=self.page_size,
        )
        results = [team_json(row) for row in team_rows(page.rows, self.at)]
        return Response(page_body(request, page, purpose, results))

    @extend_schema(
        summary="Create a team",
        description="404 where a person is no member.",
        request=NewTeam,
        responses={201: TeamShape},
        examples=[OpenApiExample("Empty", {"name": "Web"}, request_only=True)],
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        organization = self.owned(slug)
        body = self.body(NewTeam)
        made = services.create_team(
            actor=self.actor,
            at=self.at,
            organization=organization,
            name=body["name"],
            person_ids=body.get("persons", ()),
        )
        return Response(_found(organization, made.pk, self), status=201)


def _found(
    organization: Organization, team_id: uuid.UUID, view: OrganizationView
) -> dict[str, object]:
    return team_json(find_team(organization, team_id, view.at))


class TeamView(OrganizationView):
    tag = "people"
    operation_ids = {"GET": "get_team", "PATCH": "rename_team", "DELETE": "delete_team"}
    scopes = {
        "GET": (Scope.ORG_READ,),
        "PATCH": (Scope.ORG_WRITE,),
        "DELETE": (Scope.ORG_WRITE,),
    }
    organization_tokens = ("GET",)
    queries = {"DELETE": TryQuery}

    @extend_schema(
        summary="A team", description="Its members: `members?team=`.", responses=TeamShape
    )
    def get(self, request: Request, slug: str, team_id: uuid.UUID) -> Response:
        return self.tagged(_found(self.seen_by_editors(slug), team_id, self))

    @extend_schema(
        summary="Rename a team",
        request=TeamChange,
        responses=TeamShape,
        examples=[OpenApiExample("A name", {"name": "Platform"}, request_only=True)],
    )
    @idempotent
    def patch(self, request: Request, slug: str, team_id: uuid.UUID) -> Response:
        organization = self.owned(slug)
        services.rename_team(
            actor=self.actor,
            at=self.at,
            organization=organization,
            team_id=team_id,
            **self.body(TeamChange),
        )
        return Response(_found(organization, team_id, self))

    @extend_schema(
        summary="Delete a team",
        description="Its members stay; who has access by it alone loses it.",
        responses={200: LicensesChangedShape},
    )
    def delete(self, request: Request, slug: str, team_id: uuid.UUID) -> Response:
        organization = self.owned(slug)
        done = self.tried(
            lambda: services.delete_team(
                actor=self.actor, at=self.at, organization=organization, team_id=team_id
            )
        )
        return Response(LicensesChangedShape(licenses_json(done)).data)
