"""The running production stack with the demonstration: questions that owners ask, and scores.

Lighthouse (targets P24) takes some six seconds for a page, so CI scores each kind of page and
`make scores` all of them. What it found lies in build/lighthouse.json.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser, sync_playwright

from tests.e2e import browsing, stack
from tests.e2e.browsing import Window, window
from tests.e2e.test_pictures import MEMBER, OWNER, sign_in, whole_session
from tests.runtime.processes import free_port

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
LEAST = {
    "desktop": {"performance": 90, "accessibility": 95, "best-practices": 95},
    "mobile": {"performance": 75, "accessibility": 95, "best-practices": 95},
}
MOST_SHIFT = 0.01
REPORT = Path(settings.BASE_DIR) / "build" / "lighthouse.json"


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
@pytest.mark.parametrize("form", ["desktop", "mobile"])
def test_lighthouse_scores_each_page(demonstration: stack.Stack, tmp_path: Path, form: str) -> None:
    """At least the targets, and nothing that moves once it stands."""
    # Playwright is at work in this thread already.
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(_scored, demonstration, tmp_path, form).result()
    _keep(form, found)
    wrong = [each for each in found if not _is_well(each)]
    assert found
    assert wrong == []


def _is_well(found: dict[str, Any]) -> bool:
    least = LEAST[found["form"]]
    shift = found["shift"]
    still = shift is not None and shift <= MOST_SHIFT
    return still and all(found[name] >= score for name, score in least.items())


def _scored(demonstration: stack.Stack, folder: Path, form: str) -> list[dict[str, Any]]:
    """What Lighthouse says, in a Chromium in which the owner is signed in."""
    program, port = shutil.which("chromium"), free_port()
    assert program, "Chromium is not installed: apt-get install chromium"
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            folder,
            executable_path=program,
            args=[*browsing.FLAGS, f"--remote-debugging-port={port}"],
        )
        opened = Window(demonstration.address, context, context.new_page())
        sign_in(opened, demonstration, "owner")
        pages = dict(KINDS)
        if os.environ.get("SCORES") == "all":
            pages |= {**OWNER, **MEMBER}
        paths = [*dict.fromkeys([*pages.values(), whole_session(opened)])]
        opened.page.close()
        command = ["node", "tests/e2e/lighthouse.mjs", str(port), form]
        ended = subprocess.run(
            [*command, *(demonstration.address + path for path in paths)],
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            check=False,
        )
        context.close()
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def _keep(form: str, found: list[dict[str, Any]]) -> None:
    REPORT.parent.mkdir(exist_ok=True)
    known = json.loads(REPORT.read_text()) if REPORT.exists() else {}
    REPORT.write_text(json.dumps({**known, form: found}, indent=1) + "\n")
