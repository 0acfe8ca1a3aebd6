"""CSV that spreadsheets read as text and that is sent while it is being read."""

import csv
from collections.abc import Iterable, Iterator, Sequence

from django.http import StreamingHttpResponse

# What a spreadsheet takes for the start of a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(value: object) -> str:
    """The value as text; None is empty, and a text that would be run as a formula gets a `'`.

    Whole numbers stay as they are: a negative one is a number, not a formula.
    """
    if value is None:
        return ""
    text = str(value)
    if not isinstance(value, int) and text.startswith(_FORMULA_STARTS):
        return f"'{text}"
    return text


class _Echo:
    """A file that gives back what is written to it, so that each row can be sent at once."""

    def write(self, text: str) -> str:
        return text


def csv_lines(rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Lines as RFC 4180 writes them, each cell made safe."""
    writer = csv.writer(_Echo())
    for row in rows:
        yield writer.writerow([safe_cell(cell) for cell in row])


def csv_response(rows: Iterable[Sequence[object]], filename: str) -> StreamingHttpResponse:
    """A download that starts with the first row; nothing is gathered in memory."""
    response = StreamingHttpResponse(csv_lines(rows), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    response.headers["Cache-Control"] = "no-store"
    return response
