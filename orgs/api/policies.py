"""`/organizations/{slug}/policies`: everyone's, and those for teams and people (rule 6)."""

import uuid
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api.idempotency import idempotent
from offload_portal.api.serializers import QueryFlagField, Shape
from offload_portal.common.refusals import Refusal, not_found
from orgs import services
from orgs.api.access import OrganizationView
from orgs.api.policy_shapes import (
    PoliciesShape,
    PolicyBody,
    PolicyItemShape,
    PolicyPreviewShape,
    change_of,
    everyone_json,
    override_json,
)
from orgs.enums import Scope
from orgs.models import Organization, Policy
from orgs.selectors import policy_terms
from orgs.selectors.overrides import override, overrides
from orgs.selectors.policies import FIELDS
from orgs.services import overrides as services_of_overrides
from orgs.services.checking import invalid

LATER = ("required_labels",)
READ, WRITE = (Scope.ORG_READ,), (Scope.ORG_WRITE,)
EXAMPLE = OpenApiExample(
    "Longer sessions for one person",
    {
        "name": "Nightly builds",
        "people": ["0199c2a1-3f6e-7cc0-9d5e-0123456789ab"],
        "terms": {"longest_session_seconds": 28_800},
    },
    request_only=True,
)


class DryRun(Shape):
    dry_run = QueryFlagField(required=False, help_text="Only tell whom it would concern.")


class PreviewingView(OrganizationView):
    """Whose changes may be tried with `?dry_run=true`."""

    tag = "organizations"
    organization_tokens = ("GET",)

    def previewed(
        self,
        organization: Organization,
        policy_id: uuid.UUID | None,
        change: services_of_overrides.OverrideChange | None,
    ) -> Response:
        seen = services_of_overrides.preview_override(
            actor=self.actor,
            at=self.at,
            organization=organization,
            policy_id=policy_id,
            change=change,
        )
        return _preview_json(seen)


class PoliciesView(PreviewingView):
    operation_ids = {"GET": "list_policies", "POST": "add_policy"}
    scopes = {"GET": READ, "POST": WRITE}
    queries = {"POST": DryRun}

    @extend_schema(
        summary="The policies: everyone's first",
        description="A member gets everyone's and those that concern them.",
        responses=PoliciesShape,
    )
    def get(self, request: Request, slug: str) -> Response:
        place = self.place(slug)
        only = None if place.membership.sees_everything else self.person
        named = overrides(place.organization, self.at, only_of=only)
        results = [_everyone(place.organization), *(override_json(row) for row in named)]
        return self.tagged({"results": results, "next": None, "previous": None})

    @extend_schema(
        summary="Add a policy for teams and people",
        request=PolicyBody,
        responses={200: PolicyPreviewShape, 201: PolicyItemShape},
        examples=[EXAMPLE],
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        organization = self.owned(slug)
        change = change_of(self.body(PolicyBody))
        if self.query.get("dry_run"):
            return self.previewed(organization, None, change)
        made = services_of_overrides.add_override(
            actor=self.actor, at=self.at, organization=organization, change=change
        )
        body = override_json(override(organization, self.at, made.pk))
        location = request.build_absolute_uri(f"{request.path}/{made.pk}")
        return Response(body, status=201, headers={"Location": location})


class PolicyItemView(PreviewingView):
    operation_ids = {"GET": "get_policy_item", "PUT": "set_policy", "DELETE": "remove_policy"}
    scopes = {"GET": READ, "PUT": WRITE, "DELETE": WRITE}
    queries = {"PUT": DryRun, "DELETE": DryRun}
    refusals = {"DELETE": (409,)}

    @extend_schema(summary="One policy", responses=PolicyItemShape)
    def get(self, request: Request, slug: str, policy_id: uuid.UUID) -> Response:
        place = self.place(slug)
        if _is_everyones(place.organization, policy_id):
            return self.tagged(_everyone(place.organization))
        if place.membership.sees_everything:
            return self.tagged(override_json(override(place.organization, self.at, policy_id)))
        for row in overrides(place.organization, self.at, only_of=self.person):
            if row.id == policy_id:
                return self.tagged(override_json(row))
        raise not_found()

    @extend_schema(
        summary="Set a policy",
        description="Everyone's takes every setting and nothing else.",
        request=PolicyBody,
        responses=PolicyItemShape,
        examples=[EXAMPLE],
    )
    @idempotent
    def put(self, request: Request, slug: str, policy_id: uuid.UUID) -> Response:
        organization = self.owned(slug)
        body = self.body(PolicyBody)
        if _is_everyones(organization, policy_id):
            return self._put_everyones(organization, body)
        change = change_of(body)
        if self.query.get("dry_run"):
            return self.previewed(organization, policy_id, change)
        services_of_overrides.change_override(
            actor=self.actor,
            at=self.at,
            organization=organization,
            policy_id=policy_id,
            change=change,
        )
        return Response(override_json(override(organization, self.at, policy_id)))

    def _put_everyones(self, organization: Organization, body: dict[str, Any]) -> Response:
        extra = next((name for name in body if name != "terms"), None)
        if extra is not None:
            raise invalid(extra, _("Everyone's policy has only settings."))
        # Settings that came later stay as they are where a client does not know them.
        kept = {name: getattr(policy_terms(organization), name) for name in LATER}
        terms = {**kept, **body["terms"]}
        missing = next((name for name in FIELDS if name not in terms), None)
        if missing is not None:
            raise invalid(missing, _("Everyone's policy has every setting."))
        for name in ("engine_sizes", "required_labels"):
            terms[name] = tuple(terms[name])
        order: dict[str, Any] = {"actor": self.actor, "at": self.at, "organization": organization}
        change = services.PolicyChange(**terms)
        if self.query.get("dry_run"):
            return _preview_json(services_of_overrides.preview_everyones(**order, change=change))
        services.update_policy(**order, change=change)
        return Response(_everyone(organization))

    @extend_schema(
        summary="Remove a policy for teams and people", request=None, responses={204: None}
    )
    @idempotent
    def delete(self, request: Request, slug: str, policy_id: uuid.UUID) -> Response:
        organization = self.owned(slug)
        if _is_everyones(organization, policy_id):
            sentence = _("Everyone's policy can be changed, not removed.")
            raise Refusal("policy_of_everyone", sentence, 409)
        if self.query.get("dry_run"):
            return self.previewed(organization, policy_id, None)
        services_of_overrides.remove_override(
            actor=self.actor, at=self.at, organization=organization, policy_id=policy_id
        )
        return Response(status=204)


def _preview_json(seen: services_of_overrides.OverridePreview) -> Response:
    return Response(PolicyPreviewShape({"changed": seen.changed, "loses": seen.loses}).data)


def _is_everyones(organization: Organization, policy_id: uuid.UUID) -> bool:
    return Policy.objects.filter(organization=organization, pk=policy_id).exists()


def _everyone(organization: Organization) -> dict[str, Any]:
    key = Policy.objects.values_list("pk", flat=True).get(organization=organization)
    return everyone_json(key, policy_terms(organization))
