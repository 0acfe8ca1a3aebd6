"""How numbers are written on pages: exact, short, with integer arithmetic only."""

import unicodedata

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

UNKNOWN = "—"
MINUTE, HOUR, DAY = 60, 3_600, 86_400
_BYTE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def _two_parts(seconds: int) -> tuple[str, int, int]:
    if seconds >= HOUR:
        return _("%(first)s h %(second)s m"), seconds // HOUR, seconds % HOUR // MINUTE
    return _("%(first)s m %(second)s s"), seconds // MINUTE, seconds % MINUTE


def duration_text(seconds: int | None) -> str:
    """`3 h 12 m`, `12 m 5 s`, `48 s`; a part that is zero is left out."""
    if seconds is None:
        return UNKNOWN
    if seconds < 0:
        return f"−{duration_text(-seconds)}"
    if seconds < MINUTE:
        return _("%(count)s s") % {"count": seconds}
    pattern, first, second = _two_parts(seconds)
    if second:
        return pattern % {"first": f"{first:,}", "second": second}
    one = _("%(count)s h") if seconds >= HOUR else _("%(count)s m")
    return one % {"count": f"{first:,}"}


def exact_seconds(seconds: int) -> str:
    text = ngettext("%(count)s second", "%(count)s seconds", abs(seconds))
    return text % {"count": f"{seconds:,}"}


def exact_compute_seconds(seconds: int) -> str:
    text = ngettext("%(count)s compute-second", "%(count)s compute-seconds", abs(seconds))
    return text % {"count": f"{seconds:,}"}


def compute_hours_number(seconds: int) -> str:
    """Hours with one place from ten hours on, with two below, none where it comes out even."""
    places = 1 if abs(seconds) >= 10 * HOUR else 2
    scale = 10**places
    shown = (abs(seconds) * scale + HOUR // 2) // HOUR
    whole, part = divmod(shown, scale)
    sign = "−" if seconds < 0 else ""
    if shown == 0 and seconds:
        return "< 0.01"
    return f"{sign}{whole:,}" + (f".{part:0{places}}" if part else "")


def compute_hours_text(seconds: int | None) -> str:
    if seconds is None:
        return UNKNOWN
    return _("%(count)s h") % {"count": compute_hours_number(seconds)}


def bytes_text(count: int | None) -> str:
    """`0 B`, `512 KiB`, `1.5 GiB`: binary units, one place below ten."""
    if count is None:
        return UNKNOWN
    power = 0
    while power + 1 < len(_BYTE_UNITS) and count >= 1024 ** (power + 1):
        power += 1
    unit = 1024**power
    tenths = (count * 10 + unit // 2) // unit
    if tenths >= 100 or tenths % 10 == 0:
        return f"{(count + unit // 2) // unit:,} {_BYTE_UNITS[power]}"
    return f"{tenths // 10}.{tenths % 10} {_BYTE_UNITS[power]}"


def number_text(count: int | None) -> str:
    return UNKNOWN if count is None else f"{count:,}".replace("-", "−")


def share_text(part: int | None, whole: int | None) -> str:
    """`42 %`; unknown where there is nothing to take a share of."""
    if part is None or not whole:
        return UNKNOWN
    percent = (part * 100 + whole // 2) // whole
    return "< 1 %" if percent == 0 and part > 0 else f"{percent:,} %"


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def initials(name: str) -> str:
    """Two letters of a name, one where its script writes whole words in one character."""
    letters = [word for word in name.split() if word[0].isalnum()]
    if not letters:
        return name.strip()[:1].upper() or "?"
    if _is_wide(letters[0][0]):
        return letters[0][0]
    ends = [letters[0], letters[-1]] if len(letters) > 1 else letters
    return "".join(word[0] for word in ends).upper()


def _distance(seconds: int) -> str:
    if seconds < HOUR:
        count = seconds // MINUTE
        return ngettext("%(count)s minute", "%(count)s minutes", count) % {"count": count}
    if seconds < DAY:
        count = seconds // HOUR
        return ngettext("%(count)s hour", "%(count)s hours", count) % {"count": count}
    count = seconds // DAY
    return ngettext("%(count)s day", "%(count)s days", count) % {"count": count}


def relative_text(seconds_ago: int) -> str | None:
    """`3 minutes ago`, `in 2 hours`; None beyond 30 days, where a date says more."""
    distance = abs(seconds_ago)
    if distance >= 30 * DAY:
        return None
    if distance < MINUTE:
        return _("just now") if seconds_ago >= 0 else _("in less than a minute")
    pattern = _("%(distance)s ago") if seconds_ago >= 0 else _("in %(distance)s")
    return pattern % {"distance": _distance(distance)}


def change_text(now: int | None, then: int | None) -> str:
    """How it moved: percent, a factor from four times on, or words where nothing was before."""
    if not now and not then:
        return _("none before")
    if not then:
        return _("new")
    if not now:
        return "−100 %"
    if now >= 4 * then:
        tenths = (now * 10 + then // 2) // then
        return f"×{tenths // 10}.{tenths % 10}" if tenths < 1000 else f"×{tenths // 10:,}"
    percent = (abs(now - then) * 100 + then // 2) // then
    if percent == 0:
        return _("no change")
    return f"+{percent} %" if now > then else f"−{percent} %"
