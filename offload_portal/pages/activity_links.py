"""The activity page's state lives in its address: chips, presets and places in the list."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from offload_portal.common.periods import from_seconds, to_seconds
from sessions.forms import PERIODS, ActivityForm
from sessions.selectors import SessionKey

PAGING = ("after", "before")
_PLACE = re.compile(r"([01])\.(\d{1,11})\.([0-9a-f]{32})\.(\d{1,11})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is on, and the address without it; or a preset, and the address with it."""

    label: str
    value: str
    url: str
    active: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the list: beyond which session, in which direction, as first read when."""

    key: SessionKey | None
    as_of: datetime
    backwards: bool = False


def with_parameters(asked: QueryDict, **changes: str | None) -> str:
    """The address's query with changes; it always leads to the first page of the list."""
    query = asked.copy()
    for name in [*PAGING, *changes]:
        query.pop(name, None)
    for name, value in changes.items():
        if value:
            query[name] = value
    for name in [name for name, value in query.items() if not value]:
        del query[name]
    return f"?{query.urlencode()}" if query else "?"


def presets(asked: QueryDict, chosen: str) -> list[Mapping[str, Any]]:
    """The periods that one click chooses; dates of one's own are in the form."""
    return [
        {
            "label": label,
            "url": with_parameters(asked, period=key, since=None, until=None),
            "current": key == chosen,
        }
        for key, label in PERIODS
        if key != "custom"
    ]


def chips(asked: QueryDict, form: ActivityForm) -> list[Chip]:
    """One for each filter that is on, with what takes it away."""
    found = []
    if form.is_valid() and form.choice.key == "custom":
        days = f"{_day(form, 'since')} – {_day(form, 'until')}"
        url = with_parameters(asked, period=None, since=None, until=None)
        found.append(Chip(_("Days"), days, url))
    for name in ("user", "team", "state", "engine", "image", "label", "least", "most"):
        field = form.fields.get(name)
        value = asked.get(name, "").strip()
        if field is not None and value:
            url = with_parameters(asked, **{name: None})
            found.append(Chip(str(field.label), _shown(field, value), url))
    return found


def _day(form: ActivityForm, name: str) -> str:
    day = form.cleaned_data.get(name)
    return date_format(day, pgettext("date format", "j M Y")) if day else _("today")


def _shown(field: forms.Field, value: str) -> str:
    if isinstance(field, forms.ChoiceField):
        names = {str(key): str(label) for key, label in field.choices}  # type: ignore[union-attr, misc]  # no groups
        return names.get(value, value)
    return value


def _written(key: SessionKey, as_of: datetime) -> str:
    running = int(key.running)
    return f"{running}.{to_seconds(key.created_at)}.{key.id.hex}.{to_seconds(as_of)}"


def older_url(asked: QueryDict, key: SessionKey, as_of: datetime) -> str:
    return with_parameters(asked, after=_written(key, as_of))


def newer_url(asked: QueryDict, key: SessionKey, as_of: datetime) -> str:
    return with_parameters(asked, before=_written(key, as_of))


def place_of(asked: QueryDict, at: datetime) -> Place:
    """From the address; what is no place is the first page."""
    for name in PAGING:
        found = _PLACE.fullmatch(asked.get(name, ""))
        if found:
            running, created, identifier, as_of = found.groups()
            key = SessionKey(running == "1", from_seconds(int(created)), uuid.UUID(identifier))
            return Place(key, min(at, from_seconds(int(as_of))), name == "before")
    return Place(None, at)
