"""`/accounts` and `/organizations/{slug}`: what composes several apps."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api.idempotency import idempotent
from offload_portal.api.serializers import zulu
from offload_portal.pages.api.shapes import AccountsShape, OrganizationShape
from orgs import services
from orgs.api.access import OrganizationView
from orgs.api.shapes import OrganizationChange, PolicyShape
from orgs.enums import Scope
from orgs.selectors import Place
from sessions.api.rendering import session_json
from sessions.selectors.accounts import AccountView, account_views
from usage.api.rendering import allowance_json
from usage.selectors import AllowanceView, allowance_of


class AccountsView(OrganizationView):
    tag = "people"
    operation_ids = {"GET": "list_accounts"}
    scopes = {"GET": (Scope.SESSIONS, Scope.ORG_READ)}

    @extend_schema(
        summary="The organizations that may pay for a session",
        description="With everything a client needs to let a developer choose one.",
        responses=AccountsShape,
    )
    def get(self, request: Request) -> Response:
        person = self.person
        default = person.default_organization_id
        results = []
        for view in account_views(person, self.at):
            is_default = view.account.organization.pk == default
            results.append({**_account_json(view), "is_default": is_default})
        return self.tagged({"results": results})


def _account_json(view: AccountView) -> dict[str, Any]:
    account, refusal = view.account, view.refusal
    standing = account.standing
    return {
        "slug": account.organization.slug,
        "name": account.organization.name,
        "role": account.role,
        "can_start": refusal is None,
        "code": refusal.code if refusal else None,
        "detail": refusal.sentence if refusal else None,
        "license": {
            "state": standing.license_state,
            "grants": list(standing.grants),
            "queue_place": standing.queue_place,
        },
        "policy": dict(PolicyShape(account.policy).data),
        "allowance": allowance_json(view.allowance),
        "running_session": session_json(view.running[0]) if view.running else None,
    }


def period_json(view: AllowanceView) -> dict[str, str] | None:
    if view.period_start is None or view.period_end is None:
        return None
    return {"start": zulu(view.period_start), "end": zulu(view.period_end)}


class OrganizationDetailView(OrganizationView):
    tag = "organizations"
    operation_ids = {"GET": "get_organization", "PATCH": "change_organization"}
    scopes = {"GET": (Scope.ORG_READ, Scope.SESSIONS), "PATCH": (Scope.ORG_WRITE,)}
    organization_tokens = ("GET",)

    @extend_schema(summary="An organization", responses=OrganizationShape)
    def get(self, request: Request, slug: str) -> Response:
        return self.tagged(self._json(self.place(slug)))

    @extend_schema(
        summary="Change an organization",
        request=OrganizationChange,
        responses=OrganizationShape,
        examples=[OpenApiExample("Its name", {"name": "Acme Engineering"}, request_only=True)],
    )
    @idempotent
    def patch(self, request: Request, slug: str) -> Response:
        organization = self.owned(slug)
        body = self.body(OrganizationChange)
        changed = services.update_organization(
            actor=self.actor,
            at=self.at,
            organization=organization,
            privacy=body.pop("privacy_mode", None),
            **body,
        )
        return Response(self._json(self.place(changed.slug)))

    def _json(self, place: Place) -> dict[str, Any]:
        organization = place.organization
        allowance = allowance_of(organization, self.at)
        return {
            "slug": organization.slug,
            "name": organization.name,
            "zone": organization.zone,
            "privacy_mode": organization.privacy,
            "requires_second_factor": organization.requires_second_factor,
            "billing_contact": organization.billing_contact
            if place.membership.sees_usage
            else None,
            "created_at": zulu(organization.created_at),
            "role": place.membership.role,
            "subscription_state": allowance.subscription.state if allowance.subscription else None,
            "period": period_json(allowance),
        }
