"""E-mail addresses as people bring them: typed, pasted, or a file from a spreadsheet (rule 3)."""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.utils.translation import gettext as _

from offload_portal.common.refusals import Refusal

MOST_ADDRESS_LETTERS = 254
MOST_FILE_BYTES = 1_000_000
_SEPARATORS = re.compile(r"[,;\s]+")
_DELIMITERS = ",;\t"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What begins like this is a document of a program, not text.
_PROGRAMS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF")
_check_address = EmailValidator(allowlist=[])


def decode_file(data: bytes) -> str:
    """The text of a CSV file: UTF-8, UTF-16 with its mark, or else Windows-1252 as Excel writes it.

    Refuses what is too long and what is no text, with the cure.
    """
    if len(data) > MOST_FILE_BYTES:
        raise _refused(_("The file is larger than 1 MB. Split it into several."))
    if data.startswith(_PROGRAMS):
        raise _refused(
            _("This is a spreadsheet, not CSV. In Excel choose “Save as”, then “CSV UTF-8”.")
        )
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "")
    for name in [encoding] if encoding else ["utf-8", "cp1252"]:
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise _refused(_("The file is no text that can be read. Save it as CSV in UTF-8."))


def addresses_in_file(data: bytes) -> tuple[str, ...]:
    """The addresses of a CSV file; it needs a header row that has `email`."""
    text = decode_file(data)
    found = _column(text)
    if found is None:
        raise _refused(_("The first row of the file needs a column that is named “email”."))
    return found


def split_addresses(text: str) -> tuple[str, ...]:
    """The addresses of a pasted list, or of CSV whose header row has `email`."""
    found = _column(text)
    if found is not None:
        return found
    return tuple(part for part in _SEPARATORS.split(text.lstrip("\ufeff")) if part)


def _column(text: str) -> tuple[str, ...] | None:
    """The cells under `email`, empty ones left out; None where no header row has it."""
    lines = text.lstrip("\ufeff").strip().splitlines(keepends=True)
    if lines and lines[0].lower().startswith("sep="):  # Excel's own first line
        lines = lines[1:]
    if not lines:
        return None
    for delimiter in _DELIMITERS:
        header = [cell.strip().lower() for cell in _rows(lines[:1], delimiter)[0]]
        if "email" in header:
            place = header.index("email")
            rows = _rows(lines, delimiter)[1:]
            cells = (row[place].strip() for row in rows if len(row) > place)
            return tuple(cell for cell in cells if cell)
    return None


def _rows(lines: Iterable[str], delimiter: str) -> list[list[str]]:
    """The rows of CSV, where a quoted cell may hold a line's end. What is odd is one empty row."""
    try:
        found = list(csv.reader(io.StringIO("".join(lines), newline=""), delimiter=delimiter))
    except csv.Error:
        return [[]]
    return found or [[]]


def tidy(address: str) -> str:
    """As it is kept and compared: composed letters, small, without what surrounds it."""
    return unicodedata.normalize("NFC", address).strip().strip("<>").lower()


def is_address(text: str) -> bool:
    """Whether mail could go there: `a@b` and local names are none."""
    try:
        _check_address(text)
    except ValidationError:
        return False
    return len(text) <= MOST_ADDRESS_LETTERS


def plain_domain(email: str) -> str:
    """The domain in ASCII where it has other letters, so that one can see which it is; else ""."""
    domain = email.rpartition("@")[2]
    if domain.isascii():
        return ""
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def _refused(sentence: str) -> Refusal:
    return Refusal("invalid", sentence, 400, errors={"file": [sentence]})
