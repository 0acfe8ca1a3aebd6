"""Organizations, their policy, members, licenses and invitations."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api.idempotency import idempotent
from offload_portal.api.pagination import PageQuery, keyset_page, page_body, page_of, read_cursor
from orgs import services
from orgs.api.access import OrganizationView
from orgs.api.shapes import (
    InvitationShape,
    InvitedShape,
    LicenseShape,
    MemberQuery,
    MemberShape,
    MembershipShape,
    NewInvitations,
    NewOrganization,
    PolicyShape,
)
from orgs.enums import Role, Scope
from orgs.models import Invitation
from orgs.selectors import MemberFilter, member_rows, members_matching, policy_of, policy_terms
from orgs.selectors.licenses import license_rows, licenses_in

READ = (Scope.ORG_READ,)


class OrganizationsView(OrganizationView):
    tag = "organizations"
    operation_ids = {"POST": "create_organization"}
    scopes = {"POST": (Scope.ORG_WRITE,)}

    @extend_schema(
        summary="Create an organization",
        description="Its creator is its first owner.",
        request=NewOrganization,
        responses={201: MembershipShape},
        examples=[OpenApiExample("With a name", {"name": "Acme"}, request_only=True)],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        body = self.body(NewOrganization)
        made = services.create_organization(
            actor=self.actor, at=self.at, person=self.person, **body
        )
        value = {"slug": made.slug, "name": made.name, "role": Role.OWNER}
        location = request.build_absolute_uri(f"{request.path}/{made.slug}")
        return Response(MembershipShape(value).data, status=201, headers={"Location": location})


class PolicyView(OrganizationView):
    tag = "organizations"
    operation_ids = {"GET": "get_policy"}
    scopes = {"GET": (Scope.ORG_READ, Scope.SESSIONS)}
    organization_tokens = ("GET",)

    @extend_schema(
        summary="The policy that holds for the caller",
        description=(
            "Clients fetch it at each start and after `refresh_after_seconds`. `version` rises "
            "whenever what holds for the caller changes. A token of an organization gets the "
            "policy of everyone."
        ),
        responses=PolicyShape,
    )
    def get(self, request: Request, slug: str) -> Response:
        organization = self.place(slug).organization
        if self.caller.organization is not None:
            return self.tagged(PolicyShape(policy_terms(organization)).data)
        terms = policy_of(organization, self.person, self.at).terms
        return self.tagged(PolicyShape(terms).data)


MEMBER_ORDER = ("sort_name", "id")


class MembersView(OrganizationView):
    tag = "organizations"
    operation_ids = {"GET": "list_members"}
    scopes = {"GET": READ}
    organization_tokens = ("GET",)
    queries = {"GET": MemberQuery}

    @extend_schema(summary="Members, by name", responses=page_of(MemberShape))
    def get(self, request: Request, slug: str) -> Response:
        organization = self.seen_by_editors(slug)
        wanted = MemberFilter(
            search=self.query.get("search", ""),
            role=self.query.get("role", ""),
            access=self.query.get("license", ""),
        )
        purpose = f"members.{organization.pk}"
        page = keyset_page(
            members_matching(organization, wanted),
            order=MEMBER_ORDER,
            cursor=read_cursor(self.query.get("cursor"), purpose, len(MEMBER_ORDER)),
            size=self.page_size,
        )
        rows = member_rows(organization, page.rows, self.at)
        return Response(page_body(request, page, purpose, MemberShape(rows, many=True).data))


class LicensesView(OrganizationView):
    tag = "organizations"
    operation_ids = {"GET": "list_licenses"}
    scopes = {"GET": READ}
    organization_tokens = ("GET",)
    queries = {"GET": PageQuery}

    @extend_schema(summary="Licenses, in order of grant", responses=page_of(LicenseShape))
    def get(self, request: Request, slug: str) -> Response:
        organization = self.seen_by_editors(slug)
        purpose = f"licenses.{organization.pk}"
        page = keyset_page(
            licenses_in(organization),
            order=("granted_at", "id"),
            cursor=read_cursor(self.query.get("cursor"), purpose, 2),
            size=self.page_size,
        )
        rows = license_rows(organization, page.rows, self.at)
        return Response(page_body(request, page, purpose, LicenseShape(rows, many=True).data))


class InvitationsView(OrganizationView):
    tag = "organizations"
    operation_ids = {"GET": "list_invitations", "POST": "invite"}
    scopes = {"GET": READ, "POST": (Scope.ORG_WRITE,)}
    organization_tokens = ("GET",)
    queries = {"GET": PageQuery}

    @extend_schema(summary="Open invitations, newest first", responses=page_of(InvitationShape))
    def get(self, request: Request, slug: str) -> Response:
        organization = self.seen_by_editors(slug)
        purpose = f"invitations.{organization.pk}"
        page = keyset_page(
            Invitation.objects.open().filter(organization=organization),
            order=("-created_at", "id"),
            cursor=read_cursor(self.query.get("cursor"), purpose, 2),
            size=self.page_size,
        )
        results = [self._json(row) for row in page.rows]
        return Response(page_body(request, page, purpose, results))

    @extend_schema(
        summary="Invite people",
        description="Up to 1,000 addresses; those that can't be invited come back as `skipped`.",
        request=NewInvitations,
        responses={201: InvitedShape},
        examples=[OpenApiExample("One", {"emails": ["ada@example.com"]}, request_only=True)],
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        organization = self.owned(slug)
        body = self.body(NewInvitations)
        invited = services.invite(
            actor=self.actor,
            at=self.at,
            organization=organization,
            emails=body["emails"],
            role=body.get("role", Role.MEMBER),
        )
        value = {
            "sent": [self._json(sent.invitation) for sent in invited.sent],
            "skipped": [{"email": row.email, "reason": str(row.mark)} for row in invited.skipped],
        }
        return Response(value, status=201)

    def _json(self, row: Invitation) -> dict[str, Any]:
        row.expired = row.is_expired(self.at)  # type: ignore[attr-defined]  # shown beside it
        return dict(InvitationShape(row).data)
