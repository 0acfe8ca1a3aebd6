"""What is done to a session that runs: report, keep alive, answer, stop."""

import uuid

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api import etags
from offload_portal.api.idempotency import idempotent
from offload_portal.common.periods import cut_to_second
from orgs.enums import Scope
from sessions import services
from sessions.api.access import SessionsAccess
from sessions.api.rendering import session_json
from sessions.api.shapes import (
    ActivityShape,
    AnswerShape,
    KeepAliveShape,
    ReportedShape,
    SessionShape,
    StoppedShape,
)
from sessions.api.views import OWN, tag_of
from sessions.models import Session
from sessions.selectors import (
    SessionView,
    view_by_id,
)
from sessions.services.activity import ActivityReport, next_report_seconds


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
