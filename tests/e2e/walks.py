"""Walking through a flow in each of two ways: with the keyboard alone, and without scripts."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from playwright.sync_api import Locator

from orgs.models import Person
from tests.e2e import browsing, hands
from tests.e2e.hands import Hands
from tests.e2e.test_every_page import signed_in
from tests.pages.route_worlds import World

WAYS = {"keyboard": hands.keyboard, "no scripts": hands.no_scripts}
Walk = Callable[[Hands, str, World], None]


def walk(live_server, world: World, way: str, role: str, flow: Walk) -> None:
    walk_with(live_server, world, way, signed_in(world, role), flow)


def walk_with(live_server, world: World, way: str, cookie: str | None, flow: Walk) -> None:
    """As whoever the cookie belongs to; None is signed out."""
    address = live_server.url
    here = f"/organizations/{world.organization.slug}"

    def do() -> None:
        with browsing.chromium() as browser, WAYS[way](browser, address, cookie) as at_work:
            flow(at_work, here, world)

    # Playwright runs a loop of its own, which Django's database layer would take for ours.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(do).result()


def person(world: World, role: str) -> Person:
    found = world.people[role]
    assert found is not None
    return found


def row(at_work: Hands, text: str) -> Locator:
    return at_work.page.locator("main tr").filter(has_text=text).first
