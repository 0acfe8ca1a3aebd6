"""JSON, taken strictly: what can't be stored or meant is refused before a serializer sees it."""

import json
from collections.abc import Iterator, Mapping
from typing import IO, Any, NoReturn

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.parsers import BaseParser

from offload_portal.api.problems import invalid, too_large
from offload_portal.common.refusals import Refusal

DEEPEST = 12
LEAST, MOST = -(2**63), 2**63 - 1


def malformed(sentence: str) -> Refusal:
    return Refusal("malformed_json", sentence, 400)


def _no_constant(name: str) -> NoReturn:
    raise malformed(_("%(name)s is not JSON.") % {"name": name})


class StrictJSONParser(BaseParser):
    """UTF-8 JSON up to 5 MB, without NaN, NUL bytes, halves of pairs, huge numbers or depths."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        raw = stream.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        if len(raw) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise too_large()
        value = _loads(raw)
        for path, sentence in _faults(value):
            raise invalid({path or "body": [sentence]})
        return value


def _loads(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise malformed(_("The body is not UTF-8.")) from error
    except RecursionError as error:
        raise malformed(_too_deep()) from error
    except ValueError as error:
        sentence = _("The body is not JSON: %(fault)s.") % {"fault": _fault(error)}
        raise malformed(sentence) from error


def _fault(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} ({error.lineno}:{error.colno})"
    return _("a number is too long")


def _too_deep() -> str:
    return _("The body is nested deeper than %(levels)s levels.") % {"levels": DEEPEST}


def _faults(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """What can't be stored, with the dotted path to it."""
    if depth > DEEPEST:
        yield path, _too_deep()
    elif isinstance(value, dict):
        yield from _faults_of_object(value, path, depth)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _faults(item, f"{path}.{number}".strip("."), depth + 1)
    elif isinstance(value, str) and _impossible(value):
        yield path, _("It has a character that can't be stored (a NUL or half of a pair).")
    elif isinstance(value, int | float) and not LEAST <= value <= MOST:
        yield path, _("The number is too large.")


def _faults_of_object(value: dict[str, Any], path: str, depth: int) -> Iterator[tuple[str, str]]:
    for name, item in value.items():
        if _impossible(name):
            yield path, _("A name has a character that can't be stored (a NUL or half of a pair).")
        else:
            yield from _faults(item, f"{path}.{name}".strip("."), depth + 1)


def _impossible(text: str) -> bool:
    if "\x00" in text:
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
