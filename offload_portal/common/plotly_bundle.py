"""Plotly's script and its rules as static files `plotly/plotly.min.js` and `plotly/plotly.css`.

The script is the basic bundle of node_modules where it has the version that the Python package
carries, else the full one of the Python package. Plotly writes its rules into a style element,
which a strict policy forbids; it leaves that be where a stylesheet with the right id holds them,
so they are read out of the very bundle that is served.
"""

import json
import re
import uuid
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

SCRIPT, RULES = "plotly.min.js", "plotly.css"
BASIC = Path("node_modules/plotly.js-basic-dist-min/plotly-basic.min.js")
_VERSION = re.compile(r"plotly\.js (?:\([^)]*\) )?v(\d+\.\d+\.\d+)")
_RULES = re.compile(r'\{("X,X div":.+?")\};for\(', re.DOTALL)
_MAP_RULES = re.compile(r'if\(!document\.getElementById\("[0-9a-f]{64}"\)\)')
_RULE = re.compile(r"""("(?:[^"\\]|\\.)*"):("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")


def full_bundle() -> Path:
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise RuntimeError("The Python package plotly is missing: run `make install`.")
    return Path(spec.origin).parent / "package_data" / SCRIPT


def version_of(bundle: Path) -> str | None:
    with bundle.open(encoding="utf-8") as script:
        found = _VERSION.search(script.read(400))
    return found[1] if found else None


def chosen_bundle() -> Path:
    full, basic = full_bundle(), Path(settings.BASE_DIR) / BASIC
    if basic.is_file() and version_of(basic) == version_of(full):
        return basic
    return full


def _unquoted(text: str) -> str:
    if text.startswith("'"):
        return text[1:-1].replace("\\'", "'")
    return str(json.loads(text))


def rules_of(script: str) -> str:
    """The stylesheet that Plotly would add, as its own code would write it."""
    found = _RULES.search(script)
    if not found:
        raise RuntimeError("This Plotly keeps its rules elsewhere: see plotly_bundle.rules_of.")
    lines = []
    for selector, declarations in _RULE.findall(found[1]):
        name = re.sub(r"^,", " ,", _unquoted(selector))
        name = name.replace("X", ".js-plotly-plot .plotly").replace("Y", ".plotly-notifier")
        lines.append(f"{name}{{{_unquoted(declarations)}}}")
    # Plotly inserts each rule before the last one, so the first it names wins ties.
    return "\n".join(reversed(lines)) + "\n"


def without_map_rules(script: str) -> str:
    """The full bundle also writes a style element for maps on loading; no page draws a map."""
    return _MAP_RULES.sub("if(false)", script)


def _is_current(target: Path, mark: Path, source: Path) -> bool:
    return target.is_file() and mark.is_file() and mark.read_text() == _mark_of(source)


def _mark_of(source: Path) -> str:
    facts = source.stat()
    own = Path(__file__).stat().st_mtime_ns
    return f"{source} {facts.st_size} {facts.st_mtime_ns} {own}"


def _write(target: Path, content: str) -> None:
    # Two threads or processes may write at once: each its own draft, and the last one stays.
    draft = target.with_suffix(f"{target.suffix}.{uuid.uuid4().hex}")
    draft.write_text(content, encoding="utf-8")
    draft.replace(target)


@cache
def prepared_folder() -> Path:
    """The folder with both files, written anew when the bundle has changed."""
    folder = Path(settings.DATA_DIR) / "plotly"
    folder.mkdir(parents=True, exist_ok=True)
    source, mark = chosen_bundle(), folder / ".source"
    if not _is_current(folder / RULES, mark, source):
        script = source.read_text(encoding="utf-8")
        _write(folder / SCRIPT, without_map_rules(script))
        _write(folder / RULES, rules_of(script))
        _write(mark, _mark_of(source))
    return folder


class PlotlyFinder(BaseFinder):
    """Finds the two files for runserver, whitenoise and collectstatic."""

    def check(self, **kwargs: Any) -> list[Any]:
        return []

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        every = find_all or bool(kwargs.get("all"))
        place, _, name = path.replace("\\", "/").partition("/")
        if place != "plotly" or name not in (SCRIPT, RULES):
            return [] if every else None
        found = str(prepared_folder() / name)
        return [found] if every else found

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Any]]:
        storage = FileSystemStorage(location=prepared_folder())
        storage.prefix = "plotly"  # type: ignore[attr-defined]
        for name in (SCRIPT, RULES):
            yield name, storage
