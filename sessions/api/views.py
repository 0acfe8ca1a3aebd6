"""`/sessions`: start, list, look; what is done to one is in `acts`."""

import uuid
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.http import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api import etags
from offload_portal.api.idempotency import idempotent
from offload_portal.api.pagination import Cursor, Page, page_body, page_of, read_cursor
from offload_portal.api.renderers import CSVRenderer, JSONRenderer
from offload_portal.common.csv_cells import csv_response
from offload_portal.common.locks import let_go_of_connection
from offload_portal.common.periods import cut_to_second, from_seconds, to_seconds
from offload_portal.common.refusals import Refusal, problem
from orgs.enums import Scope
from sessions import services
from sessions.api.access import SessionsAccess
from sessions.api.rendering import insights_json, session_json
from sessions.api.shapes import (
    CSVQuery,
    DryRunQuery,
    InsightsShape,
    NewSession,
    PreviewShape,
    ReportedShape,
    SessionQuery,
    SessionShape,
    WaitQuery,
)
from sessions.exports import session_csv_rows
from sessions.filters import SessionFilter
from sessions.selectors import (
    SessionKey,
    SessionPage,
    SessionView,
    ended_in_second,
    session_page,
    view_of_new,
)
from sessions.selectors.insights import insights
from sessions.services.activity import next_report_seconds
from sessions.services.starting import StartRequest
from sessions.waiting import watch

SEE = (Scope.SESSIONS, Scope.ORG_READ, Scope.USAGE_READ)
OWN = (Scope.SESSIONS,)
PURPOSE = "sessions"
KEY_LENGTH = 5


class SessionsView(SessionsAccess):
    tag = "sessions"
    operation_ids = {"GET": "list_sessions", "POST": "start_session"}
    scopes = {"GET": SEE, "POST": OWN}
    organization_tokens = ("GET",)
    queries = {"GET": SessionQuery, "POST": DryRunQuery}
    refusals = {"GET": (404,), "POST": (402, 404, 409)}

    @extend_schema(
        summary="Sessions, running ones first, then newest",
        description="A member gets their own; editors and owners get everybody's.",
        responses=page_of(SessionShape),
    )
    def get(self, request: Request) -> Response:
        cursor = read_cursor(self.query.get("cursor"), PURPOSE, KEY_LENGTH)
        chosen = self.chosen(self.query.get("organization"))
        as_of = from_seconds(cursor.key[3]) if cursor else self.at
        settled = cursor.key[4] if cursor else _settled(chosen, self.at)
        page = session_page(
            chosen,
            at=self.at,
            as_of=as_of,
            key=_session_key(cursor) if cursor else None,
            settled=[uuid.UUID(key) for key in settled],
            backwards=cursor is not None and cursor.backwards,
            size=self.page_size,
        )
        self.note_list(chosen, "sessions")
        results = [session_json(self.veiled(row)) for row in page.rows]
        shown = _page(page, to_seconds(as_of), settled)
        return Response(page_body(request, shown, PURPOSE, results))

    @extend_schema(
        summary="Start a session",
        description=(
            "The codes of a refusal, in the order of the checks: 402 `not_subscribed`, "
            "`subscription_suspended`; 403 `second_factor_required`, `policy_disabled`, "
            "`no_license`, `license_queued`, `engine_size_not_allowed`, `gpu_not_allowed`, "
            "`idle_timeout_out_of_bounds`, `label_required`; 409 `session_already_running`; 402 "
            "`no_allowance`, `on_demand_limit_reached`. "
            "With `?dry_run=true` the answer is 200 and says what would happen."
        ),
        request=NewSession,
        responses={
            201: ReportedShape,
            200: OpenApiResponse(PreviewShape, "What would happen (`dry_run`)."),
        },
        examples=[
            OpenApiExample(
                "From the command line",
                {"organization": "acme", "client": {"kind": "cli", "version": "1.0"}},
                request_only=True,
            )
        ],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        body = self.body(NewSession)
        organization = self.place_of_start(body.pop("organization")).organization
        wish = StartRequest(**body)
        if self.query.get("dry_run"):
            return Response(self._preview(organization, wish))
        session = services.start(
            actor=self.actor,
            at=self.at,
            person=self.person,
            organization=organization,
            request=wish,
        )
        value = session_json(view_of_new(session))
        value["next_report_seconds"] = next_report_seconds(session)
        location = request.build_absolute_uri(f"{request.path}/{session.pk}")
        return Response(value, status=201, headers={"Location": location})

    def _preview(self, organization: Any, wish: StartRequest) -> dict[str, Any]:
        value: dict[str, Any] = dict.fromkeys(PreviewShape().fields)
        try:
            found = services.preview_start(
                at=self.at, person=self.person, organization=organization, request=wish
            )
        except Refusal as refusal:
            if refusal.status == 400:
                raise
            told = problem(refusal.status, refusal.code, refusal.sentence, refusal.extra)
            return {**value, "would_start": False, "refusal": told}
        names = set(value) - {"would_start", "refusal"}
        return {**value, "would_start": True, **{name: getattr(found, name) for name in names}}


def _settled(chosen: SessionFilter, at: datetime) -> list[str]:
    return [str(key) for key in ended_in_second(chosen, at)]


def _session_key(cursor: Cursor) -> SessionKey:
    running, created, identifier = cursor.key[:3]
    return SessionKey(bool(running), from_seconds(created), uuid.UUID(identifier))


def _page(page: SessionPage, as_of: int, settled: list[str]) -> Page:
    def cursor(key: SessionKey | None, *, backwards: bool) -> Cursor | None:
        if key is None:
            return None
        place = (int(key.running), to_seconds(key.created_at), str(key.id))
        return Cursor((*place, as_of, settled), backwards=backwards)

    return Page(
        rows=page.rows,
        next=cursor(page.last, backwards=False) if page.has_next else None,
        previous=cursor(page.first, backwards=True) if page.has_previous else None,
    )


def tag_of(view: SessionView) -> str:
    return f"{view.id}.{view.version}"


class SessionDetailView(SessionsAccess):
    tag = "sessions"
    counts_late = True
    operation_ids = {"GET": "get_session"}
    scopes = {"GET": SEE}
    queries = {"GET": WaitQuery}

    @extend_schema(
        summary="A session",
        description=(
            "`?wait=30&etag=…` holds the answer until its tag is another one. Where as many "
            "clients wait as the portal can hold, it comes at once: ask again after a pause."
        ),
        responses=SessionShape,
    )
    def get(self, request: Request, session_id: uuid.UUID) -> Response:
        view = self.reading(session_id).view(self.at)
        seconds = self.query.get("wait", 0)
        if seconds and self.query.get("etag") in (etags.weak(tag_of(view)), _strong(view)):
            view = self._waited(view, seconds)
        return self.tagged(session_json(self.veiled(view)), tag_of(view))

    def _waited(self, view: SessionView, seconds: int) -> SessionView:
        """After waiting without a connection: what a request that comes now would be answered."""
        let_go_of_connection()
        if not watch.wait(view.id, view.version, seconds):
            return view
        with watch.reading:
            self.at = cut_to_second(timezone.now())
            fresh = self.reading_anew(view.id).view(self.at)
            let_go_of_connection()
        return fresh


def _strong(view: SessionView) -> str:
    """The tag without `W/`, as a client may have cut it."""
    return etags.weak(tag_of(view)).removeprefix("W/")


class InsightsView(SessionsAccess):
    tag = "sessions"
    operation_ids = {"GET": "get_insights"}
    scopes = {"GET": SEE}

    @extend_schema(summary="What a session did", responses=InsightsShape)
    def get(self, request: Request, session_id: uuid.UUID) -> Response:
        session, _membership = self.found(session_id)
        found = insights(session, self.at)
        return Response(insights_json(replace(found, session=self.veiled(found.session))))


class SessionsCSVView(SessionsAccess):
    tag = "sessions"
    operation_ids = {"GET": "download_sessions"}
    renderer_classes = [CSVRenderer, JSONRenderer]
    scopes = {"GET": SEE}
    organization_tokens = ("GET",)
    queries = {"GET": CSVQuery}

    @extend_schema(
        summary="Sessions as CSV",
        description="Streamed; the same filters as the list.",
        responses={(200, "text/csv"): str},
    )
    def get(self, request: Request, slug: str) -> HttpResponseBase:
        chosen = self.chosen(slug)
        self.note_list(chosen, "sessions.csv")
        return csv_response(session_csv_rows(chosen, self.at), f"{slug}-sessions.csv")
