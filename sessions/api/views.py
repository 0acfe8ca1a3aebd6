"""`/sessions`: start, list, look, report, answer, stop."""

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
    ActivityShape,
    AnswerShape,
    CSVQuery,
    DryRunQuery,
    InsightsShape,
    KeepAliveShape,
    NewSession,
    PreviewShape,
    ReportedShape,
    SessionQuery,
    SessionShape,
    StoppedShape,
    WaitQuery,
)
from sessions.exports import session_csv_rows
from sessions.filters import SessionFilter
from sessions.models import Session
from sessions.selectors import (
    SessionKey,
    SessionPage,
    SessionView,
    ended_in_second,
    session_page,
    view_by_id,
    view_of_new,
)
from sessions.selectors.insights import insights
from sessions.services.activity import ActivityReport, next_report_seconds
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


class SessionPostView(SessionsAccess):
    """The session's user does something to it; the answer is the session."""

    tag = "sessions"
    scopes = {"POST": OWN}
    refusals = {"POST": (409, 410)}

    def answer(self, session: Session) -> Response:
        return self.answered(view_by_id(session.pk, self.at))

    def answered(self, view: SessionView) -> Response:
        return Response(session_json(self.veiled(view)), headers={"ETag": etags.weak(tag_of(view))})


class ActivityView(SessionPostView):
    counts_late = True
    operation_ids = {"POST": "report_activity"}

    @extend_schema(
        summary="Report activity",
        description=(
            "409 `session_not_ready` before the engine answers, 410 `session_ended` after the "
            "end. A report with nothing running, building or called is no activity. Activity is "
            "when the portal received the report; the instants of containers and samples are by "
            "the client's clock and bill nothing. Samples are moved back as far as that clock is "
            "ahead and lie within the session; runs are shown within it. At most 10,000 of each, "
            "and 5 MB."
        ),
        request=ActivityShape,
        responses=ReportedShape,
        examples=[
            OpenApiExample(
                "One container runs",
                {
                    "sequence": 7,
                    "running_containers": 1,
                    "api_calls": 2,
                    "containers": [
                        {
                            "id": "f2b1d0c4e6a8",
                            "name": "web",
                            "image": "nginx:1.27",
                            "started_at": "2026-11-24T09:30:00Z",
                            "exited_at": None,
                            "exit_code": None,
                        }
                    ],
                    "samples": [
                        {
                            "at": "2026-11-24T09:30:10Z",
                            "cpu_percent": 12.5,
                            "memory_bytes": 73400320,
                            "network_rx_bytes": 1200,
                            "network_tx_bytes": 800,
                        }
                    ],
                },
                request_only=True,
            )
        ],
    )
    @idempotent
    def post(self, request: Request, session_id: uuid.UUID) -> Response:
        reading = self.own_reading(session_id)
        report: ActivityReport = self.valid(ActivityShape)
        view = services.record_report(actor=self.actor, at=self.at, reading=reading, report=report)
        response = self.answered(view)
        response.data["next_report_seconds"] = next_report_seconds(reading.session)
        return response


class KeepAliveView(SessionPostView):
    operation_ids = {"POST": "keep_alive"}
    refusals = {"POST": (403, 409, 410)}

    @extend_schema(
        summary="A job declares itself alive",
        description=(
            "Until that instant the session does not fall idle, and is billed. It answers no "
            "prompt. Declaring again takes the place of what was declared before. How far ahead "
            "is the policy's `keep_alive_most_seconds` at the session's start: beyond it 403 "
            "`keep_alive_too_long`, and `keep_alive_not_allowed` where it is 0. The longest "
            "session holds all the same."
        ),
        request=KeepAliveShape,
        responses=SessionShape,
        examples=[
            OpenApiExample(
                "A nightly build",
                {"label": "nightly build", "until": "2026-11-24T11:30:00Z"},
                request_only=True,
            )
        ],
    )
    @idempotent
    def post(self, request: Request, session_id: uuid.UUID) -> Response:
        session = self.own(session_id)
        body = self.body(KeepAliveShape)
        services.keep_alive(
            actor=self.actor,
            at=self.at,
            session=session,
            label=body["label"],
            until=cut_to_second(body["until"]),
        )
        return self.answer(session)


class PromptView(SessionPostView):
    operation_ids = {"POST": "answer_prompt"}

    @extend_schema(
        summary="Answer the prompt",
        description="`stay` is activity; `idle` makes the session idle at once.",
        request=AnswerShape,
        responses=SessionShape,
        examples=[OpenApiExample("Go on", {"answer": "stay"}, request_only=True)],
    )
    @idempotent
    def post(self, request: Request, session_id: uuid.UUID) -> Response:
        session = self.own(session_id)
        body = self.body(AnswerShape)
        services.answer_prompt(actor=self.actor, at=self.at, session=session, answer=body["answer"])
        return self.answer(session)


class StopView(SessionPostView):
    operation_ids = {"POST": "stop_session"}
    scopes = {"POST": (Scope.SESSIONS, Scope.ORG_WRITE)}
    others_scopes = (Scope.ORG_WRITE,)
    refusals = {"POST": (409,)}

    @extend_schema(
        summary="Stop a session",
        description="Its user may, and an owner. One that has ended stays as it is.",
        request=None,
        responses=SessionShape,
    )
    @idempotent
    def post(self, request: Request, session_id: uuid.UUID) -> Response:
        session, membership = self.found(session_id)
        services.stop(actor=self.actor, at=self.at, session=session, membership=membership)
        return self.answer(session)


class StopAllView(SessionsAccess):
    tag = "sessions"
    operation_ids = {"POST": "stop_all_sessions"}
    scopes = {"POST": (Scope.ORG_WRITE,)}

    @extend_schema(
        summary="Stop every session of the organization", request=None, responses=StoppedShape
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        stopped = services.stop_all(
            actor=self.actor, at=self.at, organization=self.owned(slug), person=self.person
        )
        return Response({"stopped": stopped})


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
