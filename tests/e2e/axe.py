"""axe-core in the open page: what keeps people with a disability out (targets P24 and R7's pages).

Everything that axe knows, best practices too; nothing is left out and no violation is accepted.
"""

from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from playwright.sync_api import Page

PLACE = Path(settings.BASE_DIR) / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CONTRAST = ["color-contrast", "link-in-text-block"]
# The page's own policy lets no script in; what the browser's debugger evaluates it does not ask.
RUN = """async only => {
  const found = await axe.run(document, {
    runOnly: only ? {type: "rule", values: only} : {type: "tag", values: TAGS},
    resultTypes: ["violations"],
    iframes: false,
  });
  return found.violations.map(each => `${each.id} (${each.impact}): ${each.help}: ` +
    each.nodes.slice(0, 3).map(node => node.target.join(" ") + " " + node.html.slice(0, 120) +
      " " + (node.any[0]?.message ?? "")).join(" | "));
}"""


@cache
def _source() -> str:
    assert PLACE.exists(), "axe-core is not installed: make .venv/.dev-stamp, with npm there"
    return PLACE.read_text()


def violations(page: Page, *, contrast_only: bool = False) -> list[str]:
    """What axe says against the page as it is, in the theme and at the width that it has."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_source())
    tags = "[" + ", ".join(f'"{tag}"' for tag in TAGS) + "]"
    only: Any = CONTRAST if contrast_only else None
    return list(page.evaluate(RUN.replace("TAGS", tags), only))
