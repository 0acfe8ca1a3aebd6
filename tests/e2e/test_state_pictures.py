"""Each state of a session, in a browser whose clock stands still: no console message, no overflow.

A world of its own, as the demonstration has none that starts, fails or is kept alive.
The pictures lie in build/screenshots.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from offload_portal.common.periods import cut_to_second
from orgs.enums import Role
from orgs.models import Organization, Person
from sessions import services
from sessions.engines import announcements
from sessions.models import Session
from sessions.services import SampleSeen, hosting
from tests import factories
from tests.e2e import browsing
from tests.sessions import worlds
from tests.usage.worlds import leave

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
]
MINUTE = timedelta(minutes=1)
LONG = "Wolfeschlegelsteinhausenbergerdorff-Featherstonehaugh the Third of Nether Wallop"
SignIn = Callable[[Person], Client]


@pytest.fixture
def now() -> Iterator[datetime]:
    """The present instant, which stands still: cookies of another year would be none."""
    at = cut_to_second(timezone.now())
    with time_machine.travel(at, tick=False):
        yield at


def take(address: str, client: Client, pages: Mapping[str, str], *, scripts: bool = True) -> None:
    """Open each page as the person whom the client is signed in as, and take its pictures."""
    cookie = client.cookies["portal_session"].value

    def look() -> None:
        with browsing.chromium() as browser, browsing.window(browser, address) as opened:
            opened.context.add_cookies(
                [{"name": "portal_session", "value": cookie, "url": address}]
            )
            for name, path in pages.items():
                opened.open(path)
                browsing.picture(opened, name)

    # Playwright runs a loop of its own, which Django's database layer would take for ours.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(look).result()


class World:
    """An organization in which every state of a session is there at once, at `at`."""

    def __init__(self, at: datetime, settings: Any) -> None:
        self.at, self.settings = at, settings
        self.begun = at - timedelta(days=2)
        self.owner = factories.person("Olga Owner")
        self.acme = factories.subscribed_organization(self.owner, at=self.begun, name="Acme")
        worlds.without_limit(self.acme, self.owner, self.begun)
        self.editor = factories.colleague(self.acme, "Edda Editor", Role.EDITOR, at=self.begun)
        self.sessions: dict[str, Session] = {}

    def member(self, name: str) -> Person:
        made = factories.licensed_member(self.acme, "Pat", at=self.begun)
        Person.objects.filter(pk=made.pk).update(name=name)
        made.refresh_from_db()
        return made

    def start(self, key: str, name: str, ago: timedelta, **more: Any) -> Session:
        at = self.at - ago
        self.sessions[key] = made = worlds.start(self.acme, self.member(name), at, **more)
        return made

    def make(self) -> "World":
        """In the order of time, as the meter only goes forward."""
        self.ended()
        self.without_engine()
        self.active()
        self.idle()
        self.kept_alive()
        self.prompted()
        self.starting()
        return self

    def starting(self) -> None:
        self.settings.ENGINE_PROVIDER = "local"
        announcements.announce(host_name="host-1", capacity=8, at=self.at)
        self.start("starting", "Stefan Starter", timedelta(seconds=6))
        self.settings.ENGINE_PROVIDER = "external"

    def active(self) -> None:
        ago = timedelta(hours=1)
        labels = {"team": "web", "job": "nightly-build-of-everything", "费用": "研发"}
        made = self.start("active", LONG, ago, size="large", labels=labels)
        begun = self.at - ago
        runs = [
            worlds.container("registry.example.com/very/long/path/of/an/image:2026.11.25", begun,
                             None, name="build"),
            worlds.container("redis:7", begun, 5, code=137, name="王小明的数据库"),
        ]  # fmt: skip
        for number in range(60):
            sample = SampleSeen(
                begun + number * MINUTE, 90_000 + number % 7 * 40_000,
                (1 + number % 5) * 1024**3, number * 10**9, number * 10**6,
            )  # fmt: skip
            worlds.report(
                made, begun + number * MINUTE, number + 1, containers=runs, samples=[sample]
            )

    def prompted(self) -> None:
        made = self.start("prompt", "王小明", timedelta(seconds=200))
        worlds.report(made, self.at - timedelta(seconds=200), 1, running=1)

    def idle(self) -> None:
        made = self.start("idle", "Ida", timedelta(seconds=400))
        worlds.report(made, self.at - timedelta(seconds=400), 1, running=0)

    def kept_alive(self) -> None:
        made = self.start("kept", "شركة الاختبار", timedelta(minutes=5))
        worlds.report(made, self.at - 5 * MINUTE, 1, running=0)
        services.keep_alive(
            actor=factories.actor(made.person), at=self.at - 5 * MINUTE, session=made,
            label="model training", until=self.at + timedelta(hours=2),
        )  # fmt: skip

    def ended(self) -> None:
        begun = self.at - timedelta(hours=5)
        self.sessions["stopped"] = worlds.session(
            self.acme, self.member("X"), begun, 4_000, images=["node:22", "golang:1.24"]
        )
        made = self.start("by-owner", "Max Member", timedelta(hours=3))
        worlds.report(made, self.at - timedelta(hours=3), 1)
        owner = self.acme.memberships.get(person=self.owner)
        services.stop(
            actor=factories.actor(self.owner), at=self.at - timedelta(hours=3) + MINUTE,
            session=made, membership=owner,
        )  # fmt: skip

    def without_engine(self) -> None:
        """One that failed with a reason, one whose engine was lost."""
        self.settings.ENGINE_PROVIDER = "local"
        begun = self.at - timedelta(hours=2)
        for slot, key in enumerate(("failed", "lost"), 1):
            announcements.announce(host_name="host-1", capacity=8, at=begun)
            made = self.start(key, f"Person {key}", timedelta(hours=2))
            hosting.take_engine(session_id=made.pk, host_name="host-1", slot=slot)
        failed, lost = self.sessions["failed"], self.sessions["lost"]
        reason = "The disk is full: 12 MiB are free, an engine needs 512 MiB."
        hosting.note_failed(at=begun + MINUTE, session_id=failed.pk, reason=reason)
        ready = begun + timedelta(seconds=3)
        hosting.note_ready(
            at=ready, session_id=lost.pk, address="/run/x.sock",
            left_out=("The memory of the engine size could not be limited.",),
            timings={"user": 0.03, "daemon": 1.9},
        )  # fmt: skip
        worlds.report(lost, ready + MINUTE, 1)
        hosting.note_lost(
            at=ready + 3 * MINUTE, session_id=lost.pk, reason="Nothing of the engine is left.",
            last_seen_at=ready + 2 * MINUTE,
        )  # fmt: skip
        self.settings.ENGINE_PROVIDER = "external"

    def page(self, key: str) -> str:
        return reverse("pages:session", args=[self.acme.slug, self.sessions[key].pk])


@pytest.fixture
def world(now: datetime, settings: Any) -> World:
    return World(now, settings).make()


def at_organization(name: str, organization: Organization) -> str:
    return reverse(f"pages:{name}", args=[organization.slug])


def test_an_owner_sees_each_state(world: World, live_server, client_of: SignIn) -> None:
    pages = {f"state-{key}": world.page(key) for key in world.sessions}
    pages["state-overview"] = at_organization("overview", world.acme)
    pages["state-activity"] = at_organization("activity", world.acme)
    pages["stop-all"] = at_organization("stop_all", world.acme)
    take(live_server.url, client_of(world.owner), pages)


def test_an_operator_sees_where_they_run(world: World, live_server, client_of: SignIn) -> None:
    Person.objects.filter(pk=world.editor.pk).update(is_staff=True)
    factories.second_factor(world.editor)
    engine = reverse("pages:operators_engine", args=[world.sessions["lost"].pk])
    pages = {
        "operators-engines": "/operators/engines/",
        "operators-engines-failed": "/operators/engines/?state=failed",
        "operators-engine": engine,
    }
    take(live_server.url, client_of(world.editor), pages)


def test_a_member_sees_their_own(world: World, live_server, client_of: SignIn) -> None:
    made = world.sessions["prompt"]
    pages = {
        "own-prompt": world.page("prompt"),
        "own-overview": at_organization("overview", world.acme),
        "own-activity": at_organization("activity", world.acme),
        "get-started": at_organization("get_started", world.acme),
        "device-code": "/identity/o/device",
    }
    take(live_server.url, client_of(made.person), pages)


def test_who_has_several_accounts_sees_where_they_may_start(
    world: World, live_server, client_of: SignIn, settings: Any
) -> None:
    settings.ENGINE_PROVIDER = "local"
    many = factories.colleague(world.acme, at=world.begun)
    factories.organization(many, at=world.begun, name=LONG)
    pages = {"get-started-several": at_organization("get_started", world.acme)}
    take(live_server.url, client_of(many), pages)


def test_what_is_told_before_anything_is_stopped(
    now: datetime, live_server, client_of: SignIn
) -> None:
    begun = now - 30 * MINUTE
    owner = factories.person("Olga Owner")
    acme = factories.subscribed_organization(owner, at=begun, name="Acme")
    leave(acme, 40 * 60)
    member = factories.licensed_member(acme, "Max Member", at=begun)
    made = worlds.start(acme, member, begun)
    worlds.keep_awake(made, 86_400)
    worlds.report(made, begun, 1, containers=[worlds.container("node:22", begun, None)])
    services.meter_organization(organization_id=acme.pk, at=now)
    session = reverse("pages:session", args=[acme.slug, made.pk])
    pages = {"told-session": session, "told-overview": at_organization("overview", acme)}
    take(live_server.url, client_of(owner), pages)
    own = {"told-own-session": session, "told-own-overview": at_organization("overview", acme)}
    take(live_server.url, client_of(member), own)
