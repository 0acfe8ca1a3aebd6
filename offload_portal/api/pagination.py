"""Keyset pages: `{"results", "next", "previous"}` (api.md, Conventions).

A cursor is signed, so that a changed one is refused instead of answered with something odd, and
holds the key of a row, so that rows that come and go neither repeat nor hide others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, TypeVar

from django.core import signing
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.utils.urls import remove_query_param, replace_query_param

from offload_portal.api.problems import invalid
from offload_portal.api.serializers import QueryNumberField, Shape, TextField

PAGE_SIZE = 30
MOST_PER_PAGE = 100
Row = TypeVar("Row", bound=Model)


class PageQuery(Shape):
    """The query of every list."""

    cursor = TextField(
        required=False, max_length=3_000, help_text="From `next` or `previous`; opaque."
    )
    page_size = QueryNumberField(
        required=False, min_value=1, max_value=MOST_PER_PAGE, help_text="30 where it is not given."
    )


@dataclass(frozen=True, slots=True)
class Cursor:
    """Go on after `key`, or before it; the key's parts are text, numbers or truth values."""

    key: tuple[Any, ...]
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A page of rows with the cursors to its neighbours."""

    rows: Sequence[Any]
    next: Cursor | None = None
    previous: Cursor | None = None


def write_cursor(cursor: Cursor, purpose: str) -> str:
    value = [1 if cursor.backwards else 0, *cursor.key]
    return signing.dumps(value, salt=f"api.cursor.{purpose}")


def read_cursor(text: str | None, purpose: str, length: int) -> Cursor | None:
    """The cursor, or 400 for one that was changed or belongs to another list."""
    if not text:
        return None
    try:
        backwards, *key = signing.loads(text, salt=f"api.cursor.{purpose}")
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise _bad_cursor() from error
    if len(key) != length:
        raise _bad_cursor()
    return Cursor(tuple(key), backwards=bool(backwards))


def _bad_cursor() -> Exception:
    return invalid(
        {"cursor": [_("The cursor is not one of this list; start from its first page.")]}
    )


def page_body(request: Request, page: Page, purpose: str, results: Any) -> dict[str, Any]:
    """The body of a page; the links keep the request's other parameters."""
    url = request.build_absolute_uri()

    def link(cursor: Cursor | None) -> str | None:
        if cursor is None:
            return None
        return replace_query_param(
            remove_query_param(url, "cursor"), "cursor", write_cursor(cursor, purpose)
        )

    return {"results": results, "next": link(page.next), "previous": link(page.previous)}


def _text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, int | str) else str(value)


def _beyond(order: Sequence[str], key: Sequence[Any], *, backwards: bool) -> Q:
    """Rows after the key in the lexicographic order of the fields (before it, backwards)."""
    beyond = Q(pk__in=[])
    same = Q()
    for name, value in zip(order, key, strict=True):
        field = name.removeprefix("-")
        down = name.startswith("-") != backwards
        beyond |= same & Q(**{f"{field}__{'lt' if down else 'gt'}": value})
        same &= Q(**{field: value})
    return beyond


def _reversed(order: Sequence[str]) -> list[str]:
    return [name[1:] if name.startswith("-") else f"-{name}" for name in order]


def keyset_page(
    rows: QuerySet[Row],
    *,
    order: Sequence[str],
    cursor: Cursor | None,
    size: int,
    read: Callable[[Sequence[Any]], Sequence[Any]] = tuple,
) -> Page:
    """A page of a queryset in the order of fields that together are unique.

    `read` turns the cursor's parts back into what the fields hold.
    """
    backwards = cursor is not None and cursor.backwards
    if cursor is not None:
        try:
            key = read(cursor.key)
        except (ValueError, TypeError) as error:
            raise _bad_cursor() from error
        rows = rows.filter(_beyond(order, key, backwards=backwards))
    found = list(rows.order_by(*(_reversed(order) if backwards else order))[: size + 1])
    more = len(found) > size
    found = found[:size]
    if backwards:
        found.reverse()
    paths = [name.removeprefix("-").replace("__", ".") for name in order]

    def key_of(row: Row) -> tuple[Any, ...]:
        return tuple(_text(attrgetter(path)(row)) for path in paths)

    has_next = bool(found) and (more or backwards)
    has_previous = bool(found) and (more if backwards else cursor is not None)
    return Page(
        rows=found,
        next=Cursor(key_of(found[-1])) if has_next else None,
        previous=Cursor(key_of(found[0]), backwards=True) if has_previous else None,
    )


def keyset_list(
    rows: Sequence[Any], *, key: Callable[[Any], tuple[Any, ...]], cursor: Cursor | None, size: int
) -> Page:
    """The same over rows that are already at hand, sorted by `key` upwards."""
    backwards = cursor is not None and cursor.backwards
    keyed = [(tuple(_text(part) for part in key(row)), row) for row in rows]
    if cursor is not None:
        at = tuple(cursor.key)
        keyed = [pair for pair in keyed if (pair[0] < at if backwards else pair[0] > at)]
    more = len(keyed) > size
    keyed = keyed[-size:] if backwards else keyed[:size]
    has_next = bool(keyed) and (more or backwards)
    has_previous = bool(keyed) and (more if backwards else cursor is not None)
    return Page(
        rows=[row for _key, row in keyed],
        next=Cursor(keyed[-1][0]) if has_next else None,
        previous=Cursor(keyed[0][0], backwards=True) if has_previous else None,
    )


def page_of(shape: type[Shape]) -> type[Shape]:
    """The shape of a page of these."""
    name = shape.__name__.removesuffix("Shape")
    fields = {
        "results": shape(many=True),
        "next": serializers.URLField(allow_null=True),
        "previous": serializers.URLField(allow_null=True),
    }
    return type(f"{name}PageShape", (Shape,), fields)
