"""What Lighthouse says of pages of a running portal, for somebody who is signed in, or nobody.

It takes some six seconds for a page. `all_pages` finds one page of each route by following links,
so that a new page is scored without being listed anywhere.
"""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import Resolver404, resolve
from playwright.sync_api import sync_playwright

from tests.e2e import browsing
from tests.e2e.browsing import Window
from tests.runtime.processes import free_port

LEAST = {
    "desktop": {"performance": 90, "accessibility": 95, "best-practices": 95},
    "mobile": {"performance": 75, "accessibility": 95, "best-practices": 95},
}
MOST_SHIFT = 0.01
REPORT = Path(settings.BASE_DIR) / "build" / "lighthouse.json"
LINK = re.compile(r'href="(/[^"#]*)')


def all_pages(opened: Window, first: list[str]) -> list[str]:
    """`first`, and one page of each further route that links lead to."""
    seen = {route for path in first if (route := _route(path))}
    waiting, pages = list(first), []
    while waiting:
        path = waiting.pop(0)
        answer = opened.context.request.get(opened.address + path)
        if not answer.ok or "text/html" not in answer.headers.get("content-type", ""):
            continue
        # Where it led to somewhere else, that is the page.
        if urlsplit(answer.url).path == urlsplit(path).path:
            pages.append(path)
        for link in map(html.unescape, LINK.findall(answer.text())):
            route = _route(link)
            if route and route not in seen:
                seen.add(route)
                waiting.append(link)
    return pages


def _route(path: str) -> str | None:
    try:
        return resolve(urlsplit(path).path).route
    except Resolver404:
        return None


@contextmanager
def watched(address: str, folder: Path) -> Iterator[tuple[Window, int]]:
    """A Chromium to sign in with, and the port at which Lighthouse reaches it."""
    program, port = shutil.which("chromium"), free_port()
    assert program, "Chromium is not installed: apt-get install chromium"
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            folder,
            executable_path=program,
            args=[*browsing.FLAGS, f"--remote-debugging-port={port}"],
        )
        yield Window(address, context, context.new_page()), port
        context.close()


def scored(
    address: str,
    folder: Path,
    forms: list[str],
    choose: Callable[[Window], list[str]],
    who: str,
) -> list[dict[str, Any]]:
    """Scores in percent and layout shift of each page that `choose` names, in each form."""
    with watched(address, folder) as (opened, port):
        paths = list(dict.fromkeys(choose(opened)))
        opened.page.close()
        found = []
        for form in forms:
            found += _measured(port, form, [address + path for path in paths])
    return [{"who": who, **each} for each in found]


def _measured(port: int, form: str, addresses: list[str]) -> list[dict[str, Any]]:
    ended = subprocess.run(
        ["node", "tests/e2e/lighthouse.mjs", str(port), form, *addresses],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def is_well(found: dict[str, Any]) -> bool:
    """At least the targets (P24), and nothing that moves once it stands."""
    least, shift = LEAST[found["form"]], found["shift"]
    still = shift is not None and shift <= MOST_SHIFT
    return still and all(found[name] >= score for name, score in least.items())


def keep(found: list[dict[str, Any]]) -> None:
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(found, indent=1) + "\n")
