"""Fixtures for every test. Worlds come from `tests.factories`, which goes through the services."""

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
import time_machine
from django.conf import settings
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.template import engines
from django.test import Client
from django.utils import timezone, translation

from orgs.enums import Role
from orgs.models import Organization, OutgoingMail, Person
from orgs.services import outbox as outbox_service
from tests import factories, strictness

DATABASE_FIXTURES = {"db", "transactional_db", "django_db_setup", "live_server"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--only-database",
        action="store_true",
        help="leave out the tests that touch no database: they ran on the other one already",
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        _check_leaves_rows_of_migrations(item)
    if not config.getoption("--only-database"):
        return
    pure = [item for item in items if not _touches_database(item)]
    config.hook.pytest_deselected(items=pure)
    items[:] = [item for item in items if _touches_database(item)]


def _touches_database(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    marked = any(item.get_closest_marker(name) for name in ("django_db", "postgresql", "redis"))
    return marked or bool(fixtures & DATABASE_FIXTURES)


def _check_leaves_rows_of_migrations(item: pytest.Item) -> None:
    """A test that empties the tables must put back what the migrations wrote.

    One that does not also makes the next that does stumble over rows made after its own flush.
    """
    if not set(getattr(item, "fixturenames", ())) & {"live_server", "transactional_db"}:
        return
    marker = item.get_closest_marker("django_db")
    kept = marker is not None and marker.kwargs.get("serialized_rollback", False)
    if not kept and "django_db_serialized_rollback" not in item.fixturenames:  # type: ignore[attr-defined]
        raise pytest.UsageError(f"{item.nodeid} needs serialized_rollback=True in its django_db.")


@pytest.fixture(autouse=True)
def _own_language_and_zone() -> Iterator[None]:
    """No test speaks the language, or counts in the zone, of a page that another one opened."""
    yield
    translation.activate(settings.LANGUAGE_CODE)
    timezone.deactivate()


@pytest.fixture(scope="session", autouse=True)
def _strict() -> Iterator[None]:
    engines["django"].engine.string_if_invalid = strictness.UnknownVariable()  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        strictness.ordered_slices(patch)
        strictness.real_commits(patch)
        yield


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def _mail_goes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker stands by: what was committed is sent at once, one run after another."""

    def deliver() -> None:
        while outbox_service.deliver(at=_latest()).more:
            pass

    def _latest() -> datetime:
        newest = OutgoingMail.objects.order_by("-next_attempt_at", "-id").first()
        return newest.next_attempt_at if newest else factories.AT

    monkeypatch.setattr(outbox_service, "hint", deliver)


@pytest.fixture
def mail_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker is there: mail waits in the database."""
    monkeypatch.setattr(outbox_service, "hint", lambda: None)


@pytest.fixture
def outbox(mailoutbox: list[EmailMessage]) -> list[EmailMessage]:
    """What was sent during the test, without what the fixtures before it sent."""
    mailoutbox.clear()
    return mailoutbox


@pytest.fixture
def at() -> datetime:
    """The instant of the world's making: a Wednesday noon, UTC."""
    return factories.AT


@pytest.fixture
def clock(at: datetime) -> Iterator[time_machine.Traveller]:
    """The doors' clock, stopped at `at`: `clock.shift(60)` moves it, `clock.move_to(…)` sets it."""
    with time_machine.travel(at, tick=False) as traveller:
        yield traveller


@pytest.fixture
def owner(db: None) -> Person:
    return factories.person("Olga Owner")


@pytest.fixture
def organization(owner: Person, at: datetime) -> Organization:
    """Acme: subscribed, its owner may work."""
    return factories.subscribed_organization(owner, at=at)


@pytest.fixture
def editor(organization: Organization, at: datetime) -> Person:
    return factories.colleague(organization, "Edda Editor", Role.EDITOR, at=at)


@pytest.fixture
def member(organization: Organization, at: datetime) -> Person:
    """A member who holds a license."""
    return factories.licensed_member(organization, "Max Member", at=at)


@pytest.fixture
def colleague(organization: Organization, at: datetime) -> Person:
    """Another member, without a license."""
    return factories.colleague(organization, "Cora Colleague", at=at)


@pytest.fixture
def stranger(db: None) -> Person:
    """Somebody who belongs to no organization of the test."""
    return factories.person("Sam Stranger")


@pytest.fixture
def client_of() -> Callable[[Person], Client]:
    """A browser that is signed in as the person."""

    def sign_in(person: Person) -> Client:
        client = Client()
        client.force_login(person, "allauth.account.auth_backends.AuthenticationBackend")
        return client

    return sign_in
