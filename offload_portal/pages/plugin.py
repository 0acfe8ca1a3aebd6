"""The docker client's plugin as a wheel: `pip install ADDRESS` needs nothing but the portal.

It is open source and the same for everybody, so nobody signs in for it.
"""

import base64
import csv
import functools
import hashlib
import io
import re
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

FOLDER = Path(settings.BASE_DIR) / "clients" / "docker-offload"
PACKAGE = "docker_offload"
# Wheels are made anew by each process; the same sources give the same bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)
READABLE = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class Wheel:
    """`name` is the file's name, from which pip reads the version."""

    name: str
    content: bytes


@functools.cache
def wheel_of_plugin() -> Wheel | None:
    """None where the portal was installed without the folder of its clients."""
    if not (FOLDER / "pyproject.toml").is_file():
        return None
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = _version()
    about = f"{PACKAGE}-{version}.dist-info"
    files = [*_sources(), *_papers(project, version, about)]
    files.append((f"{about}/RECORD", _record(files, about)))
    return Wheel(f"{PACKAGE}-{version}-py3-none-any.whl", _zipped(files))


def _version() -> str:
    text = (FOLDER / "src" / PACKAGE / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^VERSION = "([^"]+)"', text, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{PACKAGE}/__init__.py names no VERSION.")
    return found[1]


def _sources() -> Iterator[tuple[str, bytes]]:
    root = FOLDER / "src"
    for path in sorted((root / PACKAGE).rglob("*")):
        if path.suffix == ".py" or path.name == "py.typed":
            yield path.relative_to(root).as_posix(), path.read_bytes()


def _papers(project: dict[str, Any], version: str, about: str) -> Iterator[tuple[str, bytes]]:
    """What the wheel format asks for beside the sources."""
    head = (
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n"
        f"Summary: {project['description']}\nLicense: {project['license']['text']}\n"
        f"Requires-Python: {project['requires-python']}\n"
    )
    tags = "Wheel-Version: 1.0\nGenerator: offload-portal\nRoot-Is-Purelib: true\n"
    scripts = "".join(f"{name} = {target}\n" for name, target in project["scripts"].items())
    yield f"{about}/METADATA", head.encode()
    yield f"{about}/WHEEL", f"{tags}Tag: py3-none-any\n".encode()
    yield f"{about}/entry_points.txt", f"[console_scripts]\n{scripts}".encode()


def _record(files: list[tuple[str, bytes]], about: str) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for name, content in files:
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        rows.writerow([name, f"sha256={digest}", len(content)])
    rows.writerow([f"{about}/RECORD", "", ""])
    return text.getvalue().encode()


def _zipped(files: list[tuple[str, bytes]]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, READABLE
            archive.writestr(entry, content)
    return made.getvalue()


@require_safe
def plugin(request: HttpRequest, name: str) -> HttpResponse:
    """The wheel under its own name; 404 for any other, an older version's too."""
    wheel = wheel_of_plugin()
    if wheel is None or name != wheel.name:
        raise Http404
    response = HttpResponse(wheel.content, content_type="application/octet-stream")
    response.headers["Content-Disposition"] = f'attachment; filename="{wheel.name}"'
    patch_cache_control(response, public=True, max_age=300)
    return response
