"""Two ways of working with a page: with the keyboard alone, and with a browser that runs no script.

Both do what `browsing.Window` does, by the same names, so that one walk is tried with each.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Locator, Page

from tests.e2e.browsing import WIDE

MOST_STOPS = 400
IS_FOCUSED = "element => element === document.activeElement"
# An outline or a ring, as the eye finds where the keyboard is.
SHOWS_FOCUS = """element => {
  const drawn = [element, ...(element.labels ?? [])].map(each => getComputedStyle(each));
  return drawn.some(style => (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0)
    || style.boxShadow !== "none");
}"""


@dataclass
class Hands:
    """Somebody at a page; the mouse, where scripts are switched off."""

    page: Page
    address: str

    def open(self, path: str) -> None:
        answer = self.page.goto(self.address + path, wait_until="load")
        assert answer is not None
        assert answer.status < 400, f"{path} answers {answer.status}"

    def press(self, name: str, within: Locator | None = None) -> None:
        """The button; in a part of the page, as in a row, its name may say more."""
        place, exact = within or self.page.locator("body"), within is None
        self.act(place.get_by_role("button", name=name, exact=exact).first, "Enter")

    def follow(self, name: str) -> None:
        self.act(self.page.get_by_role("link", name=name, exact=True).first, "Enter")

    def unfold(self, name: str) -> None:
        summary = self.page.locator("summary:visible").filter(has_text=name).first
        self.act(summary, "Enter", leads_away=False)

    def check(self, place: Locator) -> None:
        """A box or a choice; one that is chosen already stays so."""
        if not place.is_checked():
            self.act(place, "Space", leads_away=False)
        assert place.is_checked()

    def fill(self, **values: str) -> None:
        """Fill fields by their names."""
        for name, value in values.items():
            self._type(self.page.locator(f"main [name={name}]:visible").first, value)

    def choose(self, name: str, value: str) -> None:
        """An option of the list with this name, by its value."""
        place = self.page.locator(f"main select[name={name}]:visible").first
        self._pick(place, value)
        assert place.input_value() == value

    def fill_day(self, name: str, day: date) -> None:
        """A field that takes a day."""
        place = self.page.locator(f"main input[type=date][name={name}]")
        self._type_day(place, day)
        assert place.input_value() == day.isoformat()

    def upload(self, name: str, file: Path) -> None:
        """Choose a file for the field with this name."""
        place = self.page.locator(f"main input[type=file][name={name}]")
        with self.page.expect_file_chooser() as chooser:
            self.act(place, "Enter", leads_away=False)
        chooser.value.set_files(file)

    def download(self, name: str) -> str:
        """What the button gives as a file."""
        button = self.page.locator("main").get_by_role("button", name=name, exact=True).first
        with self.page.expect_download() as given:
            self.act(button, "Enter", leads_away=False)
        return given.value.path().read_text()

    def text(self) -> str:
        return self.page.locator("main").inner_text()

    def act(self, place: Locator, key: str, *, leads_away: bool = True) -> None:
        place.click()
        if leads_away:
            self.page.wait_for_load_state("load")

    def _type(self, place: Locator, value: str) -> None:
        place.fill(value)

    def _pick(self, place: Locator, value: str) -> None:
        place.select_option(value)

    def _type_day(self, place: Locator, day: date) -> None:
        place.fill(day.isoformat())


class Keyboard(Hands):
    """Tab, Shift and Tab, Enter, Space, arrows and letters: nothing else."""

    def _reach(self, place: Locator) -> None:
        place.wait_for(state="visible")
        for _stop in range(MOST_STOPS):
            if place.evaluate(IS_FOCUSED):
                assert place.evaluate(SHOWS_FOCUS), f"{place} does not show that it has the focus"
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab never comes to {place}")

    def act(self, place: Locator, key: str, *, leads_away: bool = True) -> None:
        if place.get_attribute("type") == "radio":
            self._turn(place)
            return
        self._reach(place)
        if leads_away:
            with self.page.expect_event("requestfinished"):
                self.page.keyboard.press(key)
            self.page.wait_for_load_state("load")
        else:
            self.page.keyboard.press(key)

    def _turn(self, place: Locator) -> None:
        """Tab comes to a group of choices once, arrows go through it."""
        group = self.page.locator(f"input[type=radio][name={place.get_attribute('name')}]:visible")
        chosen = group.and_(self.page.locator(":checked"))
        self._reach(chosen.first if chosen.count() else group.first)
        for _choice in range(group.count() + 1):
            if place.is_checked():
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"Arrows never come to {place}")

    def _type(self, place: Locator, value: str) -> None:
        self._reach(place)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.press("Delete")
        self.page.keyboard.insert_text(value)

    def _pick(self, place: Locator, value: str) -> None:
        self._reach(place)
        self.page.keyboard.press("Home")
        for _option in range(place.locator("option").count()):
            if place.input_value() == value:
                return
            self.page.keyboard.press("ArrowDown")

    def _type_day(self, place: Locator, day: date) -> None:
        """Its parts one after another, in the browser's own order."""
        self._reach(place)
        self.page.keyboard.type(f"{day:%m%d%Y}")


@contextmanager
def keyboard(browser: Browser, address: str, cookie: str | None = None) -> Iterator[Hands]:
    context = browser.new_context(viewport=WIDE, reduced_motion="reduce")  # type: ignore[arg-type]
    yield from _at_work(context, address, cookie, Keyboard)


@contextmanager
def no_scripts(browser: Browser, address: str, cookie: str | None = None) -> Iterator[Hands]:
    context = browser.new_context(viewport=WIDE, java_script_enabled=False)  # type: ignore[arg-type]
    yield from _at_work(context, address, cookie, Hands)


def _at_work(
    context: BrowserContext, address: str, cookie: str | None, kind: Callable[[Page, str], Hands]
) -> Iterator[Hands]:
    if cookie is not None:
        context.add_cookies([{"name": "portal_session", "value": cookie, "url": address}])
    try:
        yield kind(context.new_page(), address)
    finally:
        context.close()
