"""Clients that call the API with tokens made through the service."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.test import Client
from time_machine import Traveller

from offload_portal.common.actors import Actor
from orgs.enums import Scope
from orgs.models import Organization, Person
from orgs.services import tokens

ALL = tuple(str(scope) for scope in Scope)


class Api:
    """Calls `/api/v1` with one token; bodies go out as JSON and come back decoded."""

    def __init__(self, token: str | None) -> None:
        self.token = token
        self.client = Client(raise_request_exception=False)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        extra: dict[str, Any] = {} if body is None else {"data": data}
        address = path if path.startswith(("http", "/")) else f"/api/v1/{path}"
        return self.client.generic(
            method,
            address,
            content_type=headers.pop("content_type", "application/json"),
            headers=headers,
            **extra,
        )

    def get(self, path: str, **headers: str) -> Any:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("POST", path, body, **headers)

    def put(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("PUT", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("PATCH", path, body, **headers)


def issue(person: Person, at: datetime, scopes: tuple[str, ...] = ALL) -> str:
    issued = tokens.issue_token(
        actor=Actor(person.pk, "test"), at=at, name="test", scopes=scopes, person=person
    )
    return issued.value


@pytest.fixture
def api(at: datetime, clock: Traveller) -> Callable[..., Api]:
    """`api(person)` calls with a token of all scopes, `api(person, "sessions")` with one."""

    def client(person: Person, *scopes: str) -> Api:
        return Api(issue(person, at, scopes or ALL))

    return client


@pytest.fixture
def nobody() -> Api:
    return Api(None)


@pytest.fixture
def organization_api(organization: Organization, owner: Person, at: datetime) -> Api:
    issued = tokens.issue_token(
        actor=Actor(owner.pk, "test"),
        at=at,
        name="test",
        scopes=["org:read", "usage:read"],
        organization=organization,
    )
    return Api(issued.value)
