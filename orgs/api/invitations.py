"""`/organizations/{slug}/invitations` (rule 3)."""

import uuid
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api.idempotency import idempotent
from offload_portal.api.pagination import keyset_page, page_body, page_of, read_cursor
from orgs import services
from orgs.api.access import OrganizationView
from orgs.api.people_shapes import (
    InvitationQuery,
    InvitationShape,
    InvitedShape,
    NewInvitations,
)
from orgs.enums import Role, Scope
from orgs.models import Invitation
from orgs.selectors.invitations import INVITATION_ORDER, invitations_matching


class InvitationAccess(OrganizationView):
    tag = "organizations"

    def json(self, invitation: Invitation) -> dict[str, Any]:
        value = {
            "id": invitation.pk,
            "email": invitation.email,
            "role": invitation.role,
            "team": invitation.team.name if invitation.team else "",
            "with_license": invitation.with_license,
            "created_at": invitation.created_at,
            "sent_at": invitation.sent_at,
            "expires_at": invitation.expires_at,
            "expired": invitation.is_expired(self.at),
        }
        return dict(InvitationShape(value).data)


class InvitationsView(InvitationAccess):
    operation_ids = {"GET": "list_invitations", "POST": "invite"}
    scopes = {"GET": (Scope.ORG_READ,), "POST": (Scope.ORG_WRITE,)}
    organization_tokens = ("GET",)
    queries = {"GET": InvitationQuery}

    @extend_schema(summary="Open invitations, newest first", responses=page_of(InvitationShape))
    def get(self, request: Request, slug: str) -> Response:
        organization = self.seen_by_editors(slug)
        purpose = f"invitations.{organization.pk}"
        rows = invitations_matching(
            organization,
            self.at,
            search=self.query.get("search", ""),
            expired=self.query.get("expired"),
        )
        page = keyset_page(
            rows,
            order=INVITATION_ORDER,
            cursor=read_cursor(self.query.get("cursor"), purpose, len(INVITATION_ORDER)),
            size=self.page_size,
        )
        return Response(page_body(request, page, purpose, [self.json(row) for row in page.rows]))

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
            team_id=body.get("team"),
            with_license=body.get("license", False),
        )
        value = {
            "sent": [self.json(sent.invitation) for sent in invited.sent],
            "skipped": [{"email": row.email, "reason": str(row.mark)} for row in invited.skipped],
        }
        return Response(value, status=201)


class InvitationView(InvitationAccess):
    operation_ids = {"DELETE": "revoke_invitation"}
    scopes = {"DELETE": (Scope.ORG_WRITE,)}
    refusals = {"DELETE": (409,)}

    @extend_schema(
        summary="Take an invitation back",
        description="Its link stops working. 409 for one that was accepted or taken back.",
        responses={200: InvitationShape},
    )
    def delete(self, request: Request, slug: str, invitation_id: uuid.UUID) -> Response:
        organization = self.owned(slug)
        taken = services.revoke_invitation(
            actor=self.actor,
            at=self.at,
            organization=organization,
            invitation_id=invitation_id,
        )
        return Response(self.json(taken))


class ResendView(InvitationAccess):
    operation_ids = {"POST": "resend_invitation"}
    scopes = {"POST": (Scope.ORG_WRITE,)}
    refusals = {"POST": (409,)}

    @extend_schema(
        summary="Send a new link",
        description="It works for 14 days; the link before it no longer works.",
        request=None,
        responses=InvitationShape,
    )
    @idempotent
    def post(self, request: Request, slug: str, invitation_id: uuid.UUID) -> Response:
        organization = self.owned(slug)
        sent = services.resend_invitation(
            actor=self.actor,
            at=self.at,
            organization=organization,
            invitation_id=invitation_id,
        )
        return Response(self.json(sent.invitation))
