"""Every template compiles, and every address that one names exists.

`{% url … as x %}` says nothing where a name is unknown: the link would be empty.
"""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template import engines
from django.urls import URLPattern, URLResolver, get_resolver

FOLDER = Path(settings.BASE_DIR) / "templates"
TEMPLATES = sorted(
    str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.suffix in (".html", ".txt")
)
NAMED = re.compile(r"""\{%\s*url\s+["']([^"']+)["']""")


def names(resolver: URLResolver, space: str = "") -> set[str]:
    """The names of all addresses, with their namespaces."""
    found = set()
    for entry in resolver.url_patterns:
        if isinstance(entry, URLPattern):
            found |= {f"{space}{entry.name}"} if entry.name else set()
        elif isinstance(entry, URLResolver):
            inner = f"{space}{entry.namespace}:" if entry.namespace else space
            found |= names(entry, inner)
    return found


@pytest.mark.parametrize("name", TEMPLATES)
def test_it_compiles_and_its_addresses_exist(name: str) -> None:
    engines["django"].get_template(name)
    wanted = set(NAMED.findall((FOLDER / name).read_text(encoding="utf-8")))
    assert wanted - names(get_resolver()) == set()
