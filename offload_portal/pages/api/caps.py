"""Caps of teams and people."""

import uuid
from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api.idempotency import idempotent
from offload_portal.common.refusals import not_found
from offload_portal.pages.api.billing import BillingView
from offload_portal.pages.api.cap_shapes import (
    CapChangeShape,
    CapPreviewShape,
    CapShape,
    CapsShape,
    NewCap,
)
from offload_portal.pages.api.shapes import ChangeQuery
from orgs.enums import Scope
from orgs.models import Organization
from sessions.selectors.caps import CapEffect, cap_effect, shown_caps
from sessions.selectors.hindsight import Hindsight, hindsight_of_cap
from sessions.services import set_cap
from usage.enums import CapScope
from usage.selectors.caps import CapSubject, CapView, find_cap
from usage.services.caps import cap_subject


class CapsView(BillingView):
    operation_ids = {"GET": "list_caps", "PUT": "set_cap"}
    scopes = {"GET": (Scope.ORG_READ,), "PUT": (Scope.ORG_WRITE,)}
    queries = {"PUT": ChangeQuery}
    refusals = {"PUT": (402, 409)}

    @extend_schema(
        summary="Caps of teams and people",
        description=(
            "A cap counts compute-seconds of every source since the period began, whenever it was "
            "made. A session counts for its person and for the teams its person was in when it "
            "started. The tightest holds."
        ),
        responses=CapsShape,
    )
    def get(self, request: Request, slug: str) -> Response:
        rows = shown_caps(self.seen_by_payers(slug), self.at)
        return self.tagged({"results": CapShape(rows, many=True).data})

    @extend_schema(
        summary="Set the cap of a team or a person",
        description=(
            "Where there is none it is made. Under what is used it takes effect after a notice, "
            "unless `at_once`. `?dry_run=true` shows what it would end and would have refused."
        ),
        request=NewCap,
        responses=CapPreviewShape,
        examples=[
            OpenApiExample(
                "Ten compute-hours",
                {
                    "scope": "team",
                    "subject": "01981f4a-7c00-7000-8000-000000000001",
                    "limit_compute_seconds": 36000,
                },
                request_only=True,
            )
        ],
    )
    @idempotent
    def put(self, request: Request, slug: str) -> Response:
        organization = self.paying(slug)
        body = self.body(NewCap)
        subject = cap_subject(organization, body.pop("scope"), body.pop("subject"))
        return Response(self.tried(lambda: set_and_shown(self, organization, subject, body)))


class CapItemView(BillingView):
    operation_ids = {"GET": "get_cap", "PUT": "change_cap", "DELETE": "lift_cap"}
    scopes = {
        "GET": (Scope.ORG_READ,),
        "PUT": (Scope.ORG_WRITE,),
        "DELETE": (Scope.ORG_WRITE,),
    }
    queries = {"PUT": ChangeQuery}
    refusals = {"PUT": (402, 409), "DELETE": (402,)}

    @extend_schema(summary="A cap", responses=CapShape)
    def get(self, request: Request, slug: str, cap_id: uuid.UUID) -> Response:
        return self.tagged(CapShape(_shown(self, self.seen_by_payers(slug), cap_id)).data)

    @extend_schema(
        summary="Change a cap",
        request=CapChangeShape,
        responses=CapPreviewShape,
        examples=[
            OpenApiExample("An hour", {"limit_compute_seconds": 3600}, request_only=True),
        ],
    )
    @idempotent
    def put(self, request: Request, slug: str, cap_id: uuid.UUID) -> Response:
        organization = self.paying(slug)
        subject = _subject(organization, cap_id, self)
        body = self.body(CapChangeShape)
        return Response(self.tried(lambda: set_and_shown(self, organization, subject, body)))

    @extend_schema(summary="Lift a cap", request=None, responses={204: None})
    def delete(self, request: Request, slug: str, cap_id: uuid.UUID) -> Response:
        organization = self.paying(slug)
        subject = _subject(organization, cap_id, self)
        set_cap(
            actor=self.actor,
            at=self.at,
            organization=organization,
            scope=subject.scope,
            subject_id=subject.subject_id,
            limit_compute_seconds=None,
        )
        return Response(status=204)


def _subject(organization: Organization, cap_id: uuid.UUID, view: BillingView) -> CapSubject:
    cap = find_cap(organization, cap_id, view.at)
    return CapSubject(CapScope(cap.scope), cap.subject_id)


def _shown(view: BillingView, organization: Organization, cap_id: uuid.UUID) -> CapView:
    rows = shown_caps(organization, view.at)
    found = next((row for row in rows if row.id == cap_id), None)
    if found is None:
        raise not_found()
    return found


def set_and_shown(
    view: BillingView, organization: Organization, subject: CapSubject, body: dict[str, Any]
) -> dict[str, Any]:
    limit = body["limit_compute_seconds"]
    version = set_cap(
        actor=view.actor,
        at=view.at,
        organization=organization,
        scope=subject.scope,
        subject_id=subject.subject_id,
        **body,
    )
    shown = _shown(view, organization, version.cap_id)
    before = hindsight_of_cap(organization, subject.scope, subject.subject_id, limit)
    return _preview_json(shown, cap_effect(version), before)


def _preview_json(shown: CapView, effect: CapEffect, before: Hindsight | None) -> dict[str, Any]:
    value = {
        **asdict(shown),
        "left_compute_seconds": shown.left_compute_seconds,
        "effective_at": effect.effective_at,
        "would_refuse_starts": effect.refuses_starts,
        "would_end": list(effect.ends),
        "would_have": before,
    }
    return dict(CapPreviewShape(value).data)
