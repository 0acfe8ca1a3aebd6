"""schemathesis over the document: every operation, three roles, all checks (targets R10).

Valid and broken requests are generated; half of them meet an organization and a session that
exist. Beside them every text in a body is tried as a NUL byte, half a pair and a control
character, and every number as a huge one.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import positive_data_acceptance

from offload_portal.pages.api.documents import document
from orgs import services
from orgs.models import LicenseGrant
from orgs.services import webhooks
from orgs.services.overrides import OverrideChange, add_override
from orgs.services.requests import make_request
from sessions.services import set_cap
from tests.api.conftest import Api
from tests.factories import actor

pytestmark = pytest.mark.django_db

EXAMPLES = 10
# Fields whose values a rule may refuse that no schema can say: signed, listed, in order.
RULES = {
    "url",
    "cursor",
    "zone",
    "plan",
    "slug",
    "name",
    "engine_size",
    "gpu",
    "from",
    "limit_microusd",
}
# Of a policy: what goes together, and bounds that lean on one another.
RULES |= {"terms", "targets", "until", "description", "offload", "gpu_allowed", "engine_sizes"}
RULES |= {"idle_timeout_seconds", "idle_timeout_least_seconds", "idle_timeout_most_seconds"}
RULES |= {"longest_session_seconds", "sessions_per_person", "keep_alive_most_seconds"}
RULES |= {"wanted_seconds", "state", "answer"}
RULES |= {"let_finish", "committed_compute_seconds", "compute_seconds"}
RULES |= {"until", "role", "team", "persons", "emails"}
# Who may change most comes last, and what each one changed is undone.
ROLES = ["stranger", "member", "owner"]
METHODS = ("get", "post", "put", "patch", "delete")
OPERATIONS = [
    (method.upper(), path)
    for path, operations in document()["paths"].items()
    for method in METHODS
    if method in operations
]


@pytest.fixture(scope="module")
def schema() -> Any:
    found = schemathesis.openapi.from_dict(document())
    found.app = get_wsgi_application()
    return found


@contextmanager
def one_connection() -> Iterator[None]:
    """Requests run in the test's transaction, so that none may close its connection."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def world(
    api: Any, owner: Any, member: Any, organization: Any, settings: Any, at: Any
) -> dict[str, str]:
    settings.API_REQUESTS_PER_MINUTE = 1_000_000
    started = api(member).post("sessions", {"organization": organization.slug}).json()
    order = {"actor": actor(owner), "at": at, "organization": organization}
    people = [member.pk]
    team = services.create_team(name="Web", person_ids=people, **order)
    invited = services.invite(emails=["invited@example.com"], **order)
    hook = webhooks.add_endpoint(
        url="https://hooks.example.com/", events=["alert.raised"], **order
    ).endpoint
    change = services.add_many_to_team(person_ids=[owner.pk], team_id=team.pk, **order)
    grant = LicenseGrant.objects.get(organization=organization, person=member)
    longer = OverrideChange("Long", {"longest_session_seconds": 3_600}, (), people)
    policy = add_override(change=longer, **order)
    cap = set_cap(scope="team", subject_id=team.pk, limit_compute_seconds=72_000, **order)
    asked = make_request(person=member, kind="hours", **{**order, "actor": actor(member)})
    return {
        "request_id": str(asked.pk),
        "slug": organization.slug,
        "session_id": started["id"],
        "person_id": str(member.pk),
        "team_id": str(team.pk),
        "webhook_id": str(hook.pk),
        "delivery_id": str(webhooks.send_test(endpoint_id=hook.pk, **order).pk),
        "change_id": str(change.undo_id),
        "invitation_id": str(invited.sent[0].invitation.pk),
        "grant_id": str(grant.pk),
        "policy_id": str(policy.pk),
        "cap_id": str(cap.cap_id),
    }


def breaks_a_rule(response: Any) -> bool:
    """400 for a value that has the right shape and that a rule forbids."""
    if response.status_code not in (400, 422):
        return False
    problem = response.json()
    if problem["code"] == "idempotency_key_reused":
        return True
    errors = problem.get("errors", {})
    return bool(errors) and set(errors) <= RULES


def make_real(case: Any, world: dict[str, str]) -> None:
    """Name what exists, in parts that were not broken on purpose."""

    def is_valid(part: ParameterLocation) -> bool:
        made = case.meta.components.get(part)
        return made is not None and made.mode is GenerationMode.POSITIVE

    if is_valid(ParameterLocation.PATH):
        for name in case.path_parameters or {}:
            case.path_parameters[name] = world[name]
    body = case.body if isinstance(case.body, dict) else {}
    if is_valid(ParameterLocation.BODY) and "organization" in body:
        body["organization"] = world["slug"]


def exercise(operation: Any, mode: GenerationMode, token: str, world: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {token}"}

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), real=st.booleans())
    def check(case: Any, real: bool) -> None:
        if real:
            make_real(case, world)
        response = case.call(headers=headers)
        excluded = [positive_data_acceptance] if breaks_a_rule(response) else []
        case.validate_response(response, excluded_checks=excluded, headers=headers)

    check()


@pytest.mark.generated
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda found: f"{found[0]} {found[1]}")
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_generated_requests(
    request: Any, api: Any, schema: Any, world: dict[str, str], operation: Any, mode: Any
) -> None:
    method, path = operation
    clients: dict[str, Api] = {role: api(request.getfixturevalue(role)) for role in ROLES}
    for role, client in clients.items():
        with one_connection(), undone():
            try:
                exercise(schema[path][method], mode, str(client.token), world)
            except Exception as error:
                error.add_note(f"The caller was the {role}.")
                raise


TEXTS = ["a\x00b", "\ud800", "\udfff\ud800", "a\x07b", "\u202e", "", " ", "x" * 100_000, "é" * 300]
NUMBERS = [-1, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**400, 1e308, 0.5, True, None, "1"]
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "organizations"): {"name": "New", "slug": "new", "zone": "UTC"},
    ("PATCH", "me/preferences"): {"idle_timeout_seconds": 60, "language": "en", "zone": "UTC"},
    ("PATCH", "organizations/{slug}"): {"name": "New", "zone": "UTC"},
    ("POST", "organizations/{slug}/invitations"): {"emails": ["a@example.com"], "role": "member"},
    ("POST", "organizations/{slug}/subscription"): {"plan": "team", "committed_compute_seconds": 1},
    ("PATCH", "organizations/{slug}/subscription"): {"committed_compute_seconds": 1},
    ("POST", "organizations/{slug}/top-ups"): {"compute_seconds": 1},
    ("PUT", "organizations/{slug}/limits"): {"mode": "limited", "limit_microusd": 1, "reason": "r"},
    ("POST", "organizations/{slug}/requests"): {
        "kind": "hours",
        "note": "n",
        "wanted_seconds": 3_600,
    },
    ("PATCH", "organizations/{slug}/requests/{request_id}"): {
        "state": "declined",
        "until": "2027-03-11T13:00:00Z",
        "longest_session_seconds": 3_600,
        "answer": "a",
    },
    ("POST", "organizations/{slug}/policies"): {
        "name": "Long",
        "description": "d",
        "teams": ["0199c2a1-3f6e-7cc0-9d5e-0123456789ab"],
        "people": ["0199c2a1-3f6e-7cc0-9d5e-0123456789ab"],
        "until": "2027-03-11T13:00:00Z",
        "terms": {
            "offload": "enabled",
            "idle_timeout_seconds": 300,
            "idle_timeout_least_seconds": 10,
            "idle_timeout_most_seconds": 3_600,
            "engine_sizes": ["standard"],
            "gpu_allowed": False,
            "longest_session_seconds": 3_600,
            "sessions_per_person": 1,
            "keep_alive_most_seconds": 60,
        },
    },
    ("POST", "sessions"): {
        "organization": "{slug}",
        "engine_size": "standard",
        "idle_timeout_seconds": 300,
        "labels": {"a": "b"},
        "client": {"kind": "cli", "version": "1", "os": "linux", "arch": "x"},
    },
    ("POST", "sessions/{session_id}/prompt"): {"answer": "stay"},
    ("POST", "sessions/{session_id}/keep-alive"): {
        "label": "a",
        "until": "2026-03-11T13:00:00Z",
    },
    ("POST", "sessions/{session_id}/activity"): {
        "sequence": 1,
        "running_containers": 1,
        "active_builds": 1,
        "api_calls": 1,
        "containers": [
            {
                "id": "a",
                "name": "b",
                "image": "c",
                "started_at": "2026-03-11T12:00:00Z",
                "exited_at": "2026-03-11T12:00:00Z",
                "exit_code": 0,
            }
        ],
        "samples": [
            {
                "at": "2026-03-11T12:00:00Z",
                "cpu_percent": 1.5,
                "memory_bytes": 1,
                "network_rx_bytes": 1,
                "network_tx_bytes": 1,
            }
        ],
    },
}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    pairs: Any = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    else:
        yield path, value
    for name, inner in pairs:
        yield from leaves(inner, (*path, name))


def replaced(value: Any, path: tuple[Any, ...], leaf: Any) -> Any:
    if not path:
        return leaf
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], leaf)
    return copy


@pytest.mark.parametrize("route", list(BODIES), ids=lambda found: f"{found[0]} {found[1]}")
def test_hostile_values_in_every_field(
    api: Any, owner: Any, member: Any, world: dict[str, str], route: tuple[str, str]
) -> None:
    """Each leaf of a good body in turn; an answer of 5xx is a finding, a stored NUL another."""
    method, path = route
    client = api(member if path.startswith("sessions") else owner)
    body = json.loads(json.dumps(BODIES[route]).replace("{slug}", world["slug"]))
    for place, good in leaves(body):
        for bad in TEXTS if isinstance(good, str) else NUMBERS:
            raw = json.dumps(replaced(body, place, bad))
            answer = client.call(method, path.format(**world), raw)
            assert answer.status_code < 500, (place, bad, answer.content)
            if isinstance(bad, str) and ("\x00" in bad or "\ud800" in bad):
                assert answer.status_code == 400, (place, bad, answer.content)


@pytest.mark.generated
@pytest.mark.parametrize("text", ["%00", "%ED%A0%80", "%FF", "%C0%AF", "x" * 5_000, "%0A", "'"])
def test_hostile_texts_in_paths_and_queries(
    api: Any, owner: Any, world: dict[str, str], text: str
) -> None:
    client = api(owner)
    for path in (f"organizations/{text}", f"sessions/{text}", f"organizations/{text}/members"):
        assert client.get(path).status_code in (400, 404)
    for method, path in OPERATIONS:
        if method != "GET":
            continue
        for parameter in document()["paths"][path]["get"].get("parameters", []):
            if parameter["in"] == "query":
                address = path.format(**world)
                answer = client.get(f"{address}?{parameter['name']}={text}")
                assert answer.status_code in (200, 400, 404), (path, parameter["name"])
