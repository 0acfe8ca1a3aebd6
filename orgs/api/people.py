"""`/me`: who the token stands for, and what they prefer."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api.idempotency import idempotent
from orgs.api.access import OrganizationView
from orgs.api.shapes import MeShape, PreferencesChange, PreferencesShape
from orgs.enums import Scope
from orgs.models import Person
from orgs.selectors import organizations_of
from orgs.services.preferences import update_preferences


def preferences_of(person: Person) -> dict[str, Any]:
    chosen = person.default_organization
    return {
        "default_organization": chosen.slug if chosen else None,
        "idle_timeout_seconds": person.idle_timeout_seconds,
        "language": person.language or None,
        "zone": person.zone or None,
    }


class MeView(OrganizationView):
    tag = "people"
    operation_ids = {"GET": "get_me"}

    @extend_schema(summary="Who is calling", responses=MeShape)
    def get(self, request: Request) -> Response:
        person = self.person
        organizations = [
            {"slug": row.slug, "name": row.name, "role": row.role}
            for row in organizations_of(person)
        ]
        value = {
            "id": person.pk,
            "name": person.shown_name,
            "email": person.email,
            "organizations": organizations,
            "preferences": preferences_of(person),
        }
        return self.tagged(MeShape(value).data)


class PreferencesView(OrganizationView):
    tag = "people"
    operation_ids = {"PATCH": "change_preferences"}
    scopes = {"PATCH": (Scope.SESSIONS, Scope.ORG_WRITE)}
    refusals = {"PATCH": (404,)}

    @extend_schema(
        summary="Change preferences",
        request=PreferencesChange,
        responses=PreferencesShape,
        examples=[
            OpenApiExample("A longer timeout", {"idle_timeout_seconds": 600}, request_only=True)
        ],
    )
    @idempotent
    def patch(self, request: Request) -> Response:
        changes = self.body(PreferencesChange)
        person = update_preferences(
            actor=self.actor, at=self.at, person=self.person, changes=changes
        )
        return Response(PreferencesShape(preferences_of(person)).data)
