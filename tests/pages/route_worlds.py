"""Every route of the portal, who may try it, and what paths and bodies name (`routes.txt`)."""

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from orgs import services
from orgs.enums import Role
from orgs.models import LicenseGrant, Membership, Notification, Organization, Person
from orgs.services import tokens, webhooks
from orgs.services.overrides import OverrideChange, add_override
from orgs.services.requests import make_request
from sessions.models import ScheduledReport
from sessions.services import set_cap
from sessions.services.reports import schedule_report
from tests import factories
from tests.api.conftest import ALL, issue
from tests.factories import actor
from tests.sessions import worlds

TABLE = Path(__file__).parents[1] / "routes.txt"
ROLES = (
    "owner", "editor", "billing", "member", "outsider", "signed-out", "removed", "staff",
)  # fmt: skip
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
Row = tuple[str, str]


def patterns(*, records: bool) -> Iterator[str]:
    """Each route of the URL map as the table writes it: `/organizations/{slug}/`.

    `records`: those of Django's admin, which is one door for all (rule 7), or all but those.
    """
    seen = set()
    for route, pattern in _walked(get_resolver().url_patterns, "/"):
        ours = getattr(pattern.callback, "__module__", "").startswith("django.contrib.admin")
        of_admin = ours or hasattr(pattern.callback, "model_admin")
        of_admin = of_admin or hasattr(pattern.callback, "admin_site")
        if of_admin == records and route not in seen:
            seen.add(route)
            yield route


def _walked(found: Iterable[Any], before: str) -> Iterator[tuple[str, URLPattern]]:
    for each in found:
        path = before + str(each.pattern).removeprefix("^").removesuffix("$")
        if isinstance(each, URLResolver):
            yield from _walked(each.url_patterns, path)
        else:
            yield written(path), each


def written(path: str) -> str:
    """A route as Django has it, as the table writes it."""
    path = "/" + path.lstrip("/").replace("^", "").replace("(?!new/)", "").removesuffix("$")
    return re.sub(r"\(\?P<(\w+)>[^)]*\)|<\w+:(\w+)>", r"{\1\2}", path)


def read() -> dict[Row, tuple[int, ...]]:
    """The table: the status for each role in the order of ROLES, by method and route."""
    rows: dict[Row, tuple[int, ...]] = {}
    for line in TABLE.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        method, route, *statuses = line.split()
        if (method, route) in rows:
            raise ValueError(f"{method} {route} stands in the table twice.")
        rows[method, route] = tuple(int(status) for status in statuses)
    return rows


@dataclass(frozen=True)
class World:
    """One organization with something of everything, and one person of each role.

    `names` says what stands for each name in paths and bodies, `elsewhere` what is another thing
    under the beginning of a path.
    """

    organization: Organization
    people: Mapping[str, Person | None]
    tokens: Mapping[str, str | None]
    names: Mapping[str, Any]
    elsewhere: Mapping[str, Mapping[str, Any]]

    def names_of(self, route: str) -> Mapping[str, Any]:
        for beginning, names in self.elsewhere.items():
            if route.startswith(beginning):
                return {**self.names, **names}
        return self.names


def make(at: datetime) -> World:
    owner = factories.person("Olga Owner")
    place = factories.subscribed_organization(owner, at=at)
    order: dict[str, Any] = {"actor": actor(owner), "at": at, "organization": place}
    editor = factories.colleague(place, "Edda Editor", Role.EDITOR, at=at)
    payer = factories.colleague(place, "Bea Billing", Role.BILLING, at=at)
    member = factories.licensed_member(place, "Max Member", at=at)
    removed = factories.licensed_member(place, "Rita Removed", at=at)
    session = worlds.start(place, member, at)
    worlds.report(session, at, 1)
    outsider = factories.person("Olaf Outsider")
    factories.subscribed_organization(outsider, at=at, name="Other")
    people = {
        "owner": owner, "editor": editor, "billing": payer, "member": member, "outsider": outsider,
        "signed-out": None, "removed": removed, "staff": factories.operator(),
    }  # fmt: skip
    values = {name: issue(person, at) if person else None for name, person in people.items()}
    names = _things(order, place, member, editor, session.pk)
    shared = tokens.issue_token(name="ci", scopes=["org:read"], **order).token.pk
    elsewhere: dict[str, dict[str, Any]] = {
        "/operators/organizations/": {"id": place.pk},
        "/operators/people/": {"id": member.pk},
        "/organizations/{slug}/tokens/": {"token_id": shared},
        "/styleguide/emails/": {"name": "license-lost-3"},
        "/organizations/{slug}/activity/reports/": {"id": _report(place, member, at).pk},
    }
    services.remove_member(person=removed, **order)
    return World(place, people, values, names, elsewhere)


def _report(place: Organization, person: Person, at: datetime) -> ScheduledReport:
    return schedule_report(
        actor=actor(person),
        at=at,
        membership=Membership.objects.get(organization=place, person=person),
        frequency="weekly",
        audience="me",
        query="",
        about=None,
        zone=ZoneInfo("UTC"),
    )


def _things(
    order: Any, place: Organization, member: Person, editor: Person, session: uuid.UUID
) -> dict[str, Any]:
    at = order["at"]
    invited = services.invite(emails=["invited@example.com"], **order).sent[0]
    team = services.create_team(name="Web", person_ids=[member.pk], **order)
    undo = services.grant_many(person_ids=[editor.pk], **order).undo_id
    long = OverrideChange("Long", {"longest_session_seconds": 3_600}, (), [member.pk])
    asked = make_request(person=member, kind="hours", **{**order, "actor": actor(member)})
    mine: dict[str, Any] = {"actor": actor(member), "at": at, "person": member}
    hook = webhooks.add_endpoint(
        url="https://hooks.example.com/", events=["alert.raised"], **order
    ).endpoint
    token = tokens.issue_token(name="ci", scopes=ALL[:1], **mine)
    cap = set_cap(scope="person", subject_id=member.pk, limit_compute_seconds=72_000, **order)
    return {
        "cap_id": cap.cap_id,
        "slug": place.slug,
        "id": session,
        "engine": session,
        "session_id": session,
        "person_id": member.pk,
        "team_id": team.pk,
        "webhook_id": hook.pk,
        "delivery_id": webhooks.send_test(endpoint_id=hook.pk, **order).pk,
        "change_id": undo,
        "policy_id": add_override(change=long, **order).pk,
        "request_id": asked.pk,
        "invitation_id": invited.invitation.pk,
        "grant_id": LicenseGrant.objects.get(organization=place, person=member).pk,
        "token_id": token.token.pk,
        "notification_id": Notification.objects.filter(person=member).order_by("id")[0].pk,
    }


# What is sent. Nothing where an empty form or body is refused after the role was looked at.
TEAM = "{team_id}"
BODIES: dict[Row, dict[str, Any]] = {
    ("POST", "/api/v1/organizations"): {"name": "New"},
    ("POST", "/api/v1/sessions"): {"organization": "{slug}"},
    ("PATCH", "/api/v1/me/preferences"): {"language": "en"},
    ("PATCH", "/api/v1/organizations/{slug}"): {"name": "New"},
    ("POST", "/api/v1/organizations/{slug}/invitations"): {"emails": ["new@example.com"]},
    ("POST", "/api/v1/organizations/{slug}/members/actions"): {
        "act": "role", "role": "member", "persons": ["{person_id}"],
    },
    ("PATCH", "/api/v1/organizations/{slug}/members/{person_id}"): {"role": "editor"},
    ("POST", "/api/v1/organizations/{slug}/teams"): {"name": "New"},
    ("POST", "/api/v1/organizations/{slug}/webhooks"): {
        "url": "https://hooks.example.com/", "events": ["alert.raised"],
    },
    ("PATCH", "/api/v1/organizations/{slug}/webhooks/{webhook_id}"): {"is_enabled": False},
    ("PATCH", "/api/v1/organizations/{slug}/teams/{team_id}"): {"name": "New"},
    ("POST", "/api/v1/organizations/{slug}/licenses/grants"): {"to": "all"},
    ("POST", "/api/v1/organizations/{slug}/subscription"): {"plan": "team"},
    ("PATCH", "/api/v1/organizations/{slug}/subscription"): {"cancelled": True},
    ("POST", "/api/v1/organizations/{slug}/top-ups"): {"compute_seconds": 3_600},
    ("POST", "/organizations/{slug}/activity/reports/new/"): {
        "frequency": "weekly", "audience": "me",
    },
    ("PUT", "/api/v1/organizations/{slug}/limits"): {"mode": "unlimited"},
    ("PUT", "/api/v1/organizations/{slug}/caps"): {
        "scope": "team", "subject": TEAM, "limit_compute_seconds": 36_000,
    },
    ("PUT", "/api/v1/organizations/{slug}/caps/{cap_id}"): {"limit_compute_seconds": 36_000},
    ("POST", "/organizations/{slug}/billing/alerts/"): {"alert_thresholds": "80, 100"},
    ("POST", "/api/v1/organizations/{slug}/policies"): {
        "name": "More", "teams": [TEAM], "terms": {"longest_session_seconds": 7_200},
    },
    ("PUT", "/api/v1/organizations/{slug}/policies/{policy_id}"): {
        "name": "More", "teams": [TEAM], "terms": {"longest_session_seconds": 7_200},
    },
    ("POST", "/api/v1/organizations/{slug}/requests"): {"kind": "nothing"},
    ("PATCH", "/api/v1/organizations/{slug}/requests/{request_id}"): {"state": "declined"},
    ("POST", "/api/v1/sessions/{session_id}/activity"): {"sequence": 2, "api_calls": 1},
    ("POST", "/api/v1/sessions/{session_id}/prompt"): {"answer": "stay"},
    ("POST", "/api/v1/sessions/{session_id}/keep-alive"): {
        "label": "nightly", "until": "2026-03-11T13:00:00Z",
    },
    ("POST", "/organizations/{slug}/webhooks/"): {"url": "ftp://example.com"},
    ("POST", "/organizations/{slug}/webhooks/{webhook_id}/"): {"url": "ftp://example.com"},
    ("POST", "/organizations/{slug}/webhooks/{webhook_id}/act/"): {"act": "test"},
    ("POST", "/organizations/{slug}/settings/"): {"name": "New", "zone": "Europe/Berlin"},
    ("POST", "/organizations/{slug}/teams/"): {"name": "Api"},
    ("POST", "/organizations/{slug}/teams/{team_id}/rename/"): {"name": "Api"},
    ("POST", "/organizations/{slug}/members/{person_id}/role/"): {"role": "editor"},
    ("POST", "/organizations/{slug}/members/act/"): {"act": "take", "person": "{person_id}"},
    ("POST", "/organizations/{slug}/requests/{request_id}/answer/"): {"step": "decline"},
    ("POST", "/organizations/{slug}/access/selected/"): {"keep": "everyone"},
    ("POST", "/organizations/{slug}/policy/"): {
        "offload": "enabled", "idle_timeout_seconds": "600", "idle_timeout_least_seconds": "10",
        "idle_timeout_most_seconds": "3600", "engine_sizes": ["standard"],
        "longest_session_minutes": "", "sessions_per_person": "1",
        "keep_alive_most_minutes": "240",
    },
}  # fmt: skip


def filled(value: Any, names: Mapping[str, Any]) -> Any:
    """The text, or each text within, with what it names."""
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda found: str(names.get(found[1], "x")), value)
    if isinstance(value, dict):
        return {key: filled(each, names) for key, each in value.items()}
    return [filled(each, names) for each in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Answer:
    status: int
    content: bytes
    location: str
    challenge: str


def speaks_with_token(route: str) -> bool:
    """The API, and what Prometheus reads."""
    return route.startswith("/api/") or route.endswith("/metrics")


class Caller:
    """Somebody with a browser and a token. What a request changes is undone after it."""

    def __init__(self, person: Person | None, token: str | None) -> None:
        self.browser, self.token = Client(raise_request_exception=False), token
        if person is not None:
            backend = "allauth.account.auth_backends.AuthenticationBackend"
            self.browser.force_login(person, backend)

    def ask(self, row: Row, names: Mapping[str, Any]) -> Answer:
        method, route = row
        path, body = filled(route, names), filled(BODIES.get(row, {}), names)
        cache.clear()  # what limits guessing has counted
        cookies = self.browser.cookies.output()
        try:
            with transaction.atomic():
                answer = self._sent(method, path, body)
                found = Answer(
                    answer.status_code,
                    b"" if answer.streaming else answer.content,
                    answer.headers.get("Location", ""),
                    answer.headers.get("WWW-Authenticate", ""),
                )
                transaction.set_rollback(True)
        finally:
            if self.browser.cookies.output() != cookies:
                self.browser.cookies.load(cookies.replace("Set-Cookie: ", ""))
        return found

    def _sent(self, method: str, path: str, body: Any) -> Any:
        if not speaks_with_token(path):
            return (
                self.browser.generic(method, path)
                if method not in ("GET", "POST")
                else (getattr(self.browser, method.lower())(path, body))
            )
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return Client(raise_request_exception=False).generic(
            method, path, json.dumps(body) if method != "GET" else "",
            content_type="application/json", headers=headers,
        )  # fmt: skip
