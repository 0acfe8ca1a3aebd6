"""The running production stack with the demonstration: questions that owners ask, and scores.

CI has Lighthouse (targets P24) score each kind of page, `make scores` one of each route, for an
owner, a member and nobody. What it found lies in build/lighthouse.json.
"""

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.e2e import browsing, scores, stack
from tests.e2e.browsing import Window, window
from tests.e2e.test_pictures import MEMBER, OWNER, SIGNED_OUT, sign_in, whole_session

pytestmark = pytest.mark.browser

HERE = "/organizations/acme"
LOOKS = ("", "times/", "cost/", "outcomes/", "advice/", "reports/")
# One of each kind of page; charts stand on the first ones.
KINDS = {
    "overview": f"{HERE}/",
    **{f"activity {look}": f"{HERE}/activity/{look}" for look in LOOKS},
    "billing": f"{HERE}/billing/",
    "limits": f"{HERE}/billing/limits/",
    "members": f"{HERE}/members/",
    "access": f"{HERE}/access/",
    "policy": f"{HERE}/policy/",
    "audit": f"{HERE}/audit/",
    "settings": f"{HERE}/settings/",
}
# Else one page of each kind.
ALL = os.environ.get("SCORES") == "all"


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stack.Stack]:
    folder = tmp_path_factory.mktemp("insights")
    with stack.production(
        folder, f"portal_insights_{os.getpid()}", METER_EVERY_SECONDS="60"
    ) as running:
        # So that a billing period is over, too.
        running.manage("seed_demo", "--days", "50", patience=stack.DEMONSTRATION_SECONDS)
        yield running


@pytest.fixture
def owner(demonstration: stack.Stack, browser: Browser) -> Iterator[Window]:
    with window(browser, demonstration.address) as opened:
        sign_in(opened, demonstration, "owner")
        opened.open(f"{HERE}/")
        yield opened


class TestQuestions:
    """Each is answered from the overview within two clicks; docs/insights.md shows how."""

    def test_who_made_last_month_dear(self, owner: Window) -> None:
        owner.follow("What it cost and for whom")
        months = owner.page.locator(".month-links a")
        name = months.nth(1).inner_text()
        months.nth(1).click()
        owner.page.wait_for_load_state("networkidle")
        assert name.split()[0][:3] in owner.text(), "the days that are shown are of that month"
        said = owner.page.locator("#cost-by .chart-summary").inner_text()
        assert re.match(r".+ used most, [\d.,]+ h\.", said), said

    def test_are_we_paying_for_idle_engines(self, owner: Window) -> None:
        owner.follow("What it cost and for whom")
        said = owner.page.locator("#engine-time .chart-summary").inner_text()
        assert re.search(r"were billed; nothing ran in \d+ % of that", said), said

    def test_should_we_commit_more(self, owner: Window) -> None:
        owner.follow("Activity")
        owner.follow("Advice")
        owner.page.wait_for_load_state("networkidle")
        said = owner.text()
        assert re.search(r"Committed usage fits|Commit more|Commit less", said), said
        assert "Committed per period" in said

    def test_why_did_somebody_s_session_stop(self, owner: Window) -> None:
        owner.follow("Activity")
        row = owner.page.locator("main table tr").filter(has_text="Ended").first
        row.locator("a.row-link").click()
        why = owner.page.locator("#panel .session-why")
        why.wait_for()
        assert re.search(r"stopped it|It was idle for|longest session|lost", why.inner_text())

    def test_which_image_fails(self, owner: Window) -> None:
        owner.follow("Activity")
        owner.follow("Outcomes")
        owner.page.wait_for_load_state("networkidle")
        said = owner.page.locator("#failing-images .chart-summary").inner_text()
        assert "most of acme/models:cuda" in said


MOST_BYTES = 600_000


def test_a_first_visit_to_a_page_with_charts_is_light(owner: Window, browser: Browser) -> None:
    """Over the wire, with the basic bundle (targets P22): page, styles, scripts, everything."""
    context = browser.new_context(viewport=browsing.WIDE)  # type: ignore[arg-type]  # a plain dict
    context.add_cookies(owner.context.cookies())  # type: ignore[arg-type]  # as they were given
    page = context.new_page()
    wire, sizes = context.new_cdp_session(page), []
    wire.send("Network.enable")
    wire.on("Network.loadingFinished", lambda each: sizes.append(each["encodedDataLength"]))
    page.goto(f"{owner.address}{HERE}/activity/", wait_until="networkidle")
    page.locator("figure[data-drawn]").first.wait_for()
    context.close()
    assert 100_000 < sum(sizes) <= MOST_BYTES


@pytest.mark.scores
def test_lighthouse_scores_each_page(demonstration: stack.Stack, tmp_path: Path) -> None:
    """At least the targets, and nothing that moves once it stands."""

    def of(who: str, choose: Callable[[Window], list[str]]) -> list[dict[str, Any]]:
        folder = tmp_path / who
        return scores.scored(demonstration.address, folder, list(scores.LEAST), choose, who)

    def as_owner(opened: Window) -> list[str]:
        sign_in(opened, demonstration, "owner")
        pages = [*KINDS.values(), whole_session(opened)]
        return scores.all_pages(opened, [*pages, *OWNER.values()]) if ALL else pages

    def as_member(opened: Window) -> list[str]:
        sign_in(opened, demonstration, "member")
        return scores.all_pages(opened, list(MEMBER.values()))

    def signed_out(opened: Window) -> list[str]:
        return scores.all_pages(opened, list(SIGNED_OUT.values()))

    # Playwright is at work in this thread already.
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(of, "owner", as_owner).result()
        if ALL:
            found += pool.submit(of, "member", as_member).result()
            found += pool.submit(of, "nobody", signed_out).result()
    scores.keep(found)
    assert len(found) > len(KINDS)
    assert [each for each in found if not scores.is_well(each)] == []
