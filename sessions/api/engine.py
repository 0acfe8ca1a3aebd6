"""`/sessions/{id}/engine`: how to reach a session's engine."""

import uuid

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api.serializers import InstantField, Shape, zulu
from orgs.enums import Scope
from sessions import services
from sessions.api.access import SessionsAccess


class EngineAccessShape(Shape):
    host = serializers.CharField(help_text="What `docker -H` takes: `tcp://name:port`.")
    server_name = serializers.CharField(help_text="The name in the server's certificate.")
    ca = serializers.CharField(help_text="PEM: whom to trust (`--tlscacert`).")
    certificate = serializers.CharField(help_text="PEM: the client's certificate (`--tlscert`).")
    key = serializers.CharField(
        allow_null=True,
        help_text="PEM: the client's private key (`--tlskey`). Given to one caller.",
    )
    key_given_at = InstantField()
    note = serializers.CharField(help_text="What to do where the key is null; empty otherwise.")
    expires_at = InstantField()


class EngineView(SessionsAccess):
    """GET alone: a HEAD must not use up the key."""

    tag = "sessions"
    http_method_names = ["get"]
    operation_ids = {"GET": "get_engine"}
    scopes = {"GET": (Scope.SESSIONS,)}
    refusals = {"GET": (409, 410)}

    @extend_schema(
        summary="How to reach the engine",
        description=(
            "For the session's user. The private key is given once; where that answer was lost, "
            "the same token gets it again for 30 seconds, until it is first used at the engine. "
            "Whoever lost it later stops the session and starts another. Never cached. "
            "409 `session_not_ready` "
            "before the engine answers, 409 `engine_is_external` where the client brought it, "
            "410 `session_ended` after the end."
        ),
        responses=EngineAccessShape,
    )
    def get(self, request: Request, session_id: uuid.UUID) -> Response:
        session = self.own(session_id)
        given = services.give_keys(
            actor=self.actor, at=self.at, session=session, caller=self.caller.token
        )
        body = {
            "host": given.host,
            "server_name": given.server_name,
            "ca": given.ca,
            "certificate": given.certificate,
            "key": given.key,
            "key_given_at": zulu(given.key_given_at),
            "note": "" if given.key else _lost(zulu(given.key_given_at)),
            "expires_at": zulu(given.expires_at),
        }
        return Response(body, headers={"Cache-Control": "no-store"})


def _lost(given_at: str) -> str:
    sentence = _(
        "The key was given at %(given_at)s, and it is given once. If it is lost, stop the session "
        "and start another one."
    )
    return sentence % {"given_at": given_at}
