"""What the hand-made cases of draw-down are built from."""

from usage.drawdown import (
    Book,
    Cap,
    Change,
    Drawn,
    EndReason,
    Metered,
    OnDemand,
    OnDemandMode,
    Pool,
    Source,
    draw,
)
from usage.rates import RateTable

HOUR = 3_600
DAY = 24 * HOUR
T0 = 20_834 * DAY  # a midnight
NOON = T0 + 12 * HOUR
FAR = T0 + 30 * DAY
RATE = 10

OFF = OnDemand(OnDemandMode.OFF)
UNLIMITED = OnDemand(OnDemandMode.UNLIMITED)
EXHAUSTED, CAPPED = EndReason.ALLOWANCE_EXHAUSTED, EndReason.CAP_REACHED


def committed(left: int, name: str = "committed", expires: int = FAR) -> Pool:
    return Pool(name, Source.COMMITTED, left, T0 - DAY, expires, 0)


def top_up(left: int, name: str = "top-up", expires: int = FAR, order: int = 1) -> Pool:
    return Pool(name, Source.TOP_UP, left, T0 - DAY, expires, order)


def limited(limit: int, used: int = 0, *, let_finish: bool = False) -> OnDemand:
    return OnDemand(OnDemandMode.LIMITED, limit, used, let_finish)


def book(*pools: Pool, on_demand: OnDemand = OFF, caps: tuple[Cap, ...] = ()) -> Book:
    return Book(pools, on_demand, caps, RateTable(((T0 - DAY, RATE), (T0 + DAY, 2 * RATE))))


def session(
    name: str, *spans: tuple[int, int], multiplier: int = 1, start: int = NOON - 60, **more: object
) -> Metered:
    return Metered(name, (start, ord(name[0])), multiplier, spans, **more)  # type: ignore[arg-type]


def written(drawn: Drawn) -> list[tuple[str, int, str, int, int]]:
    """(session, hours since noon, source, wall seconds, compute-seconds)"""
    return [
        (one.session, (one.hour - NOON) // HOUR, one.source.value, one.seconds, one.compute_seconds)
        for one in drawn.lines
    ]


def draw_hour(what: Book, sessions: list[Metered], *changes: Change) -> Drawn:
    return draw(what, changes, sessions, NOON, NOON + HOUR)
