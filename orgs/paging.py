"""Long lists on pages: by keys, so that page 400 costs what the first one does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

from offload_portal.api.pagination import Cursor, keyset_page, read_cursor, write_cursor
from offload_portal.common.refusals import Refusal

PAGE_SIZE = 50
PARAMETER = "after"
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of rows. `total` counts the whole list; the urls are "" at its ends."""

    rows: Sequence[Any]
    total: int
    next_url: str
    previous_url: str


def list_page(
    request: HttpRequest,
    rows: "QuerySet[Row]",
    *,
    order: Sequence[str],
    purpose: str,
    size: int = PAGE_SIZE,
) -> ListPage:
    """The page that the request asks for. A cursor of another list gives the first page.

    `purpose` names the list with everything that decides about its order.
    """
    try:
        cursor = read_cursor(request.GET.get(PARAMETER), purpose, len(order))
        page = keyset_page(rows, order=order, cursor=cursor, size=size)
    except Refusal:
        page = keyset_page(rows, order=order, cursor=None, size=size)

    def url(to: Cursor | None) -> str:
        if to is None:
            return ""
        query = request.GET.copy()
        query[PARAMETER] = write_cursor(to, purpose)
        return f"?{query.urlencode()}"

    return ListPage(page.rows, rows.count(), url(page.next), url(page.previous))
