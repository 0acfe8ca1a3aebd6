"""Every page that the table of routes knows, for somebody who may open it: axe finds nothing.

A new page comes in with its row in tests/routes.txt. Pictures of pages full of things, and of each
state: the tests of pictures.
"""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from offload_portal.common.periods import cut_to_second
from tests.e2e import browsing
from tests.factories import PASSWORD
from tests.pages import route_worlds
from tests.pages.route_worlds import ROLES, World

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
]
# What a program reads, and what is a file.
NO_PAGES = re.compile(
    r"^/api/v1/(?!docs)|\.csv$|^/(healthz|readyz|\.well-known)|/o/api/|download|/metrics$"
)
OPEN_ALL = "document.querySelectorAll('details').forEach(each => { each.open = true })"
FIRST = ("owner", "member", "staff", "signed-out")


@pytest.fixture
def now() -> Iterator[datetime]:
    """The present instant, which stands still: cookies of another year would be none."""
    at = cut_to_second(timezone.now())
    with time_machine.travel(at, tick=False):
        yield at


def pages_of(role: str) -> list[str]:
    """The routes that open for the role and for none before it."""
    before = [ROLES.index(each) for each in FIRST[: FIRST.index(role)]]
    return [
        route
        for (method, route), statuses in route_worlds.read().items()
        if method == "GET"
        and not NO_PAGES.search(route)
        and statuses[ROLES.index(role)] == 200
        and not any(statuses[each] == 200 for each in before)
    ]


def signed_in(world: World, role: str) -> str | None:
    """The cookie of somebody who has given the password just now, too."""
    person = world.people[role]
    if person is None:
        return None
    client = Client()
    if role == "staff":
        client.force_login(person, "allauth.account.auth_backends.AuthenticationBackend")
    else:
        client.post("/account/login/", {"login": person.email, "password": PASSWORD})
        client.post("/account/reauthenticate/", {"password": PASSWORD})
    return client.cookies["portal_session"].value


@pytest.mark.parametrize("role", FIRST)
def test_axe_finds_nothing(live_server, now: datetime, role: str) -> None:
    world = route_worlds.make(now)
    cookie, address = signed_in(world, role), live_server.url

    def look() -> None:
        with browsing.chromium() as browser, browsing.window(browser, address) as opened:
            if cookie:
                opened.context.add_cookies(
                    [{"name": "portal_session", "value": cookie, "url": address}]
                )
            for route in pages_of(role):
                opened.open(route_worlds.filled(route, world.names_of(route)))
                opened.page.evaluate(OPEN_ALL)
                browsing.examine(opened, f"{route} for {role}")

    # Playwright runs a loop of its own, which Django's database layer would take for ours.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(look).result()


def test_axe_finds_nothing_where_something_is_refused(live_server, now: datetime) -> None:
    world = route_worlds.make(now)
    cookie, address = signed_in(world, "member"), live_server.url
    here = f"/organizations/{world.organization.slug}"

    def look() -> None:
        with browsing.chromium() as browser:
            with browsing.window(browser, address) as opened:
                opened.open("/account/login/")
                opened.fill(login="ada@example.com", password="not the right one")
                opened.press("Sign in")
                browsing.examine(opened, "a sign-in that failed")
            with browsing.window(browser, address) as opened:
                opened.context.add_cookies(
                    [{"name": "portal_session", "value": str(cookie), "url": address}]
                )
                for path in ("/nothing/", f"{here}/policy/", f"{here}/activity/?from=2026-13-40"):
                    opened.page.goto(address + path)
                    browsing.examine(opened, path)
                # What the browser itself notes of a page that answers 403 or 404.
                opened.complaints[:] = [
                    each for each in opened.complaints if "Failed to load resource" not in each
                ]

    with ThreadPoolExecutor(1) as pool:
        pool.submit(look).result()
