"""A real browser that fails on any console message, and takes pictures."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.e2e import axe

PICTURES = Path(settings.BASE_DIR) / "build" / "screenshots"
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 780}
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert program, "Chromium is not installed: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Window:
    """One person's browser. `complaints` must be empty when a test ends."""

    address: str
    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        answer = self.page.goto(self.address + path, wait_until="load")
        assert answer is None or answer.status < 400, f"{path} answers {answer.status}"
        return self.page

    def press(self, name: str, *, exact: bool = True) -> None:
        self.page.get_by_role("button", name=name, exact=exact).first.click()
        self.page.wait_for_load_state("load")

    def follow(self, name: str, *, exact: bool = True) -> None:
        self.page.get_by_role("link", name=name, exact=exact).first.click()
        self.page.wait_for_load_state("load")

    def fill(self, **values: str) -> None:
        """Fill fields by their names."""
        for name, value in values.items():
            self.page.locator(f"[name={name}]:visible").first.fill(value)

    def text(self) -> str:
        return self.page.locator("body").inner_text()


@contextmanager
def window(browser: Browser, address: str) -> Iterator[Window]:
    """A browser of its own: no cookie is shared with another window."""
    context = browser.new_context(viewport=WIDE, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    opened = Window(address, context, page)
    page.on("console", lambda message: opened.complaints.append(_told(message)))
    page.on("pageerror", lambda error: opened.complaints.append(f"{page.url}: {error}"))
    try:
        yield opened
    finally:
        context.close()
    assert opened.complaints == []


def _told(message: ConsoleMessage) -> str:
    return f"{message.page.url if message.page else ''}: {message.type}: {message.text}"


def scroll_through(page: Page) -> None:
    """To the end and back: charts are drawn when they come near."""
    page.evaluate(
        """async () => {
          const pause = (time) => new Promise((done) => setTimeout(done, time));
          for (let top = 0; top < document.documentElement.scrollHeight; top += innerHeight) {
            scrollTo(0, top);
            await pause(40);
          }
          scrollTo(0, 0);
          await pause(200);
        }"""
    )


def examine(opened: Window, name: str) -> None:
    """What `picture` asks of a page, without the pictures."""
    for scheme, size in (("light", WIDE), ("light", NARROW), ("dark", NARROW)):
        opened.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        opened.page.set_viewport_size(size)  # type: ignore[arg-type]
        _check(opened, name, scheme, size)
    opened.page.emulate_media(color_scheme="light")
    opened.page.set_viewport_size(WIDE)  # type: ignore[arg-type]


def _check(opened: Window, name: str, scheme: str, size: Mapping[str, int]) -> None:
    width = opened.page.evaluate("document.documentElement.scrollWidth")
    where = f"{name}, {scheme}, {size['width']} px"
    assert width <= size["width"], f"{where}: {width} px wide"
    found = axe.violations(opened.page, contrast_only=scheme == "dark")
    assert found == [], f"{where}: " + "\n".join(found)


def picture(opened: Window, name: str) -> None:
    """The page as it is, wide and narrow, light and dark: nothing may stick out sideways.

    axe finds nothing against it either; in the second theme only colours can be wrong.
    """
    PICTURES.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        opened.page.emulate_media(color_scheme=scheme)
        for kind, size in (("wide", WIDE), ("narrow", NARROW)):
            opened.page.set_viewport_size(size)  # type: ignore[arg-type]
            scroll_through(opened.page)
            path = PICTURES / f"{name}-{kind}-{scheme}.png"
            opened.page.screenshot(path=path, full_page=True, animations="disabled")
            _check(opened, name, scheme, size)
    opened.page.emulate_media(color_scheme="light")
    opened.page.set_viewport_size(WIDE)  # type: ignore[arg-type]
