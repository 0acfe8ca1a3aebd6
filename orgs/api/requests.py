"""`/organizations/{slug}/requests`: a refused member asks, owners answer (rule 26)."""

import uuid
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api.idempotency import idempotent
from offload_portal.api.pagination import PageQuery, keyset_page, page_body, page_of, read_cursor
from offload_portal.api.serializers import (
    InstantField,
    Shape,
    TextField,
    WholeNumberField,
    WordField,
)
from orgs.api.access import OrganizationView
from orgs.api.shapes import PersonShape
from orgs.enums import RequestKind, RequestState, Scope
from orgs.models import Person
from orgs.selectors import Place
from orgs.selectors.requests import find_request, request_rows, requests_in
from orgs.services import requests as services
from orgs.services.checking import invalid

READ, ASK = (Scope.ORG_READ, Scope.SESSIONS), (Scope.SESSIONS, Scope.ORG_WRITE)
MOST = 365 * 86_400
STATES_TO_SET = [(state, state) for state in RequestState.values if state != RequestState.OPEN]


class RequestShape(Shape):
    id = serializers.UUIDField()
    person = PersonShape()
    kind = serializers.ChoiceField(RequestKind.choices)
    state = serializers.ChoiceField(RequestState.choices)
    note = serializers.CharField()
    wanted_seconds = serializers.IntegerField(
        allow_null=True, help_text="Compute-seconds for hours, seconds for a session's length."
    )
    created_at = InstantField()
    answered_at = InstantField(allow_null=True)
    answered_by = serializers.CharField(help_text="Empty where nobody answered.")
    answer = serializers.CharField()
    until = InstantField(allow_null=True, help_text="Until when what was approved holds.")


class NewRequest(Shape):
    kind = WordField(RequestKind.choices)
    note = TextField(required=False, allow_blank=True, max_length=500)
    wanted_seconds = WholeNumberField(
        required=False,
        min_value=60,
        max_value=MOST,
        help_text="Needed for a longer session: how long it should last.",
    )


class RequestChange(Shape):
    state = WordField(
        STATES_TO_SET, required=False, help_text="`withdrawn` by who asked, the others by an owner."
    )
    until = InstantField(required=False, help_text="Needed to approve access or a longer session.")
    longest_session_seconds = WholeNumberField(
        required=False, min_value=60, max_value=MOST, help_text="Instead of what was wanted."
    )
    answer = TextField(required=False, allow_blank=True, max_length=500)


class RequestQuery(PageQuery):
    state = WordField(RequestState.choices, required=False)


class RequestsView(OrganizationView):
    tag = "organizations"
    operation_ids = {"GET": "list_requests", "POST": "make_request"}
    scopes = {"GET": READ, "POST": ASK}
    organization_tokens = ("GET",)
    queries = {"GET": RequestQuery}
    refusals = {"POST": (409,)}

    @extend_schema(
        summary="Requests, newest first",
        description="A member gets their own.",
        responses=page_of(RequestShape),
    )
    def get(self, request: Request, slug: str) -> Response:
        place = self.place(slug)
        state = self.query.get("state", "")
        purpose = f"requests.{place.organization.pk}.{state}"
        page = keyset_page(
            requests_in(place.organization, only_of=_only_of(self, place), state=state),
            order=("-created_at", "-id"),
            cursor=read_cursor(self.query.get("cursor"), purpose, 2),
            size=self.page_size,
        )
        rows = RequestShape(request_rows(page.rows), many=True).data
        return Response(page_body(request, page, purpose, rows))

    @extend_schema(
        summary="Ask the owners",
        description="One open request of each kind; a refusal names the kind that may help.",
        request=NewRequest,
        responses={201: RequestShape},
        examples=[OpenApiExample("Access", {"kind": "access"}, request_only=True)],
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        organization = self.place(slug).organization
        made = services.make_request(
            actor=self.actor,
            at=self.at,
            organization=organization,
            person=self.person,
            **self.body(NewRequest),
        )
        location = request.build_absolute_uri(f"{request.path}/{made.pk}")
        body = RequestShape(find_request(organization, made.pk)).data
        return Response(body, status=201, headers={"Location": location})


class RequestView(OrganizationView):
    tag = "organizations"
    operation_ids = {"GET": "get_request", "PATCH": "answer_request"}
    scopes = {"GET": READ, "PATCH": ASK}
    organization_tokens = ("GET",)
    refusals = {"PATCH": (409,)}

    @extend_schema(summary="One request", responses=RequestShape)
    def get(self, request: Request, slug: str, request_id: uuid.UUID) -> Response:
        place = self.place(slug)
        row = find_request(place.organization, request_id, only_of=_only_of(self, place))
        return self.tagged(RequestShape(row).data)

    @extend_schema(
        summary="Approve, decline or withdraw a request",
        description=(
            "Approving access grants a license until the instant, approving a longer session sets "
            "a policy for the person until then; hours an owner buys or allows as ever."
        ),
        request=RequestChange,
        responses=RequestShape,
        examples=[OpenApiExample("Decline", {"state": "declined"}, request_only=True)],
    )
    @idempotent
    def patch(self, request: Request, slug: str, request_id: uuid.UUID) -> Response:
        place = self.place(slug)
        find_request(place.organization, request_id, only_of=_only_of(self, place))
        body = self.body(RequestChange)
        if body and "state" not in body:
            raise invalid("state", _("Say whether it is approved, declined or withdrawn."))
        if not body:
            return Response(RequestShape(find_request(place.organization, request_id)).data)
        if body["state"] == RequestState.WITHDRAWN:
            services.withdraw_request(
                actor=self.actor,
                at=self.at,
                organization=place.organization,
                person=self.person,
                request_id=request_id,
            )
        else:
            services.answer_request(
                actor=self.actor,
                at=self.at,
                organization=self.owned(slug),
                request_id=request_id,
                answer=_answer(body),
            )
        row = find_request(place.organization, request_id)
        return Response(RequestShape(row).data)


def _answer(body: dict[str, Any]) -> services.Answer:
    return services.Answer(
        approve=body["state"] == RequestState.APPROVED,
        until=body.get("until"),
        seconds=body.get("longest_session_seconds"),
        text=body.get("answer", ""),
    )


def _only_of(view: OrganizationView, place: Place) -> Person | None:
    return None if place.membership.sees_everything else view.person
