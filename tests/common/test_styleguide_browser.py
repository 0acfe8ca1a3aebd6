"""The style guide in a real browser, under the policy that every page has."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from tests.e2e.browsing import scroll_through

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
NOTHING_BEYOND_THE_EDGE = "document.documentElement.scrollWidth <= innerWidth"
UNDRAWN = "document.querySelectorAll('.chart:not([data-drawn]) .chart-draw').length"

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def _look(address: str, *, width: int, theme: Any, scripts: bool) -> dict[str, object]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(
            viewport={"width": width, "height": 900},
            color_scheme=theme,
            java_script_enabled=scripts,
        )
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(address)
        if scripts:
            scroll_through(page)
            page.wait_for_function(f"{UNDRAWN} === 0")
            page.locator("[data-theme-choice=dark]").click()
            page.wait_for_timeout(300)
        seen = {
            "said": said,
            "fits": page.evaluate(NOTHING_BEYOND_THE_EDGE) if scripts else None,
            "tables": page.locator(".chart .table").first.is_visible(),
        }
        browser.close()
        return seen


def _seen(server, **surroundings) -> dict[str, object]:
    # Playwright runs a loop of its own, which Django's database layer would take for ours.
    with ThreadPoolExecutor(1) as pool:
        address = f"{server.url}/styleguide/"
        return pool.submit(_look, address, **surroundings).result()


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 900, 1280, 1600])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_charts_draw_without_a_word_from_the_console(live_server, width, theme):
    seen = _seen(live_server, width=width, theme=theme, scripts=True)
    assert seen == {"said": [], "fits": True, "tables": False}


@pytest.mark.browser
def test_without_scripts_the_numbers_stand_open(live_server):
    assert _seen(live_server, width=900, theme="light", scripts=False)["tables"] is True
