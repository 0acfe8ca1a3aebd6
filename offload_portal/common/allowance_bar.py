"""The allowance as one bar: the numbers that it needs and the geometry that follows from them.

All amounts are whole compute-seconds of the billing period. Nothing here knows a database or a
page; the template draws what `draw` returns, the command-line client may draw the same.
"""

from dataclasses import dataclass

OFF, LIMITED, UNLIMITED = "off", "limited", "unlimited"
_WHOLE = 10_000  # hundredths of a percent


@dataclass(frozen=True, kw_only=True)
class AllowanceFigures:
    """What an organization, team or person may use in this period, and what it has used."""

    committed: int = 0
    committed_used: int = 0
    top_ups: int = 0
    top_ups_used: int = 0
    on_demand: str = OFF
    on_demand_limit: int = 0  # what the limit pays in all, where on-demand is limited
    on_demand_used: int = 0
    over_limit: int = 0
    reserved: int = 0
    forecast: int | None = None  # all use expected at the end of the period
    on_demand_used_microusd: int | None = None
    on_demand_limit_microusd: int | None = None

    @property
    def used(self) -> int:
        within = self.committed_used + self.top_ups_used + self.on_demand_used
        return within + self.over_limit

    @property
    def limit(self) -> int:
        """What can be paid in all; without a bound, what is there before on-demand."""
        extra = self.on_demand_limit if self.on_demand == LIMITED else 0
        return self.committed + self.top_ups + extra

    @property
    def left(self) -> int | None:
        """What is left for all sessions together; None where on-demand has no limit."""
        if self.on_demand == UNLIMITED:
            return None
        return max(0, self.limit - (self.used - self.over_limit))

    @property
    def state(self) -> str:
        if self.over_limit:
            return "over"
        if self.on_demand == UNLIMITED:
            return "unlimited"
        if self.limit == 0:
            return "nothing"
        return "open" if self.left else "exhausted"

    @property
    def forecast_passes(self) -> bool:
        bounded = self.on_demand != UNLIMITED
        return bounded and self.forecast is not None and self.forecast > self.limit > 0


@dataclass(frozen=True)
class Segment:
    """One source in the bar. Places and widths are percent, written for SVG."""

    key: str
    size: int | None  # None: no limit
    used: int
    reserved: int
    x: str
    width: str
    used_width: str
    reserved_x: str
    reserved_width: str
    ends: str
    first: bool

    @property
    def left(self) -> int | None:
        return None if self.size is None else max(0, self.size - self.used)


@dataclass(frozen=True)
class Mark:
    x: str
    anchor: str
    beyond: bool


@dataclass(frozen=True)
class Drawing:
    figures: AllowanceFigures
    segments: tuple[Segment, ...]
    mark: Mark | None
    limit_x: str  # where all that can be paid ends
    beyond: str  # from there to the forecast


def percent(part: int, whole: int) -> str:
    if whole <= 0:
        return "0%"
    hundredths = min(_WHOLE, max(0, part) * _WHOLE // whole)
    return f"{hundredths // 100}.{hundredths % 100:02}%"


def _open_end(figures: AllowanceFigures) -> int:
    """How much room on-demand without a limit gets: what is used or forecast, and a fifth more."""
    fixed = figures.committed + figures.top_ups
    expected = max(figures.on_demand_used, (figures.forecast or 0) - fixed)
    return max(expected * 6 // 5, fixed // 4, 3_600)


def _sources(figures: AllowanceFigures) -> list[tuple[str, int | None, int, int]]:
    """Key, size, use and room in the bar of each source, in the order of draw-down."""
    rows: list[tuple[str, int | None, int, int]] = []
    if figures.committed:
        rows.append(("committed", figures.committed, figures.committed_used, figures.committed))
    if figures.top_ups:
        rows.append(("top-ups", figures.top_ups, figures.top_ups_used, figures.top_ups))
    if figures.on_demand == UNLIMITED:
        rows.append(("on-demand", None, figures.on_demand_used, _open_end(figures)))
    elif figures.on_demand == LIMITED and figures.on_demand_limit:
        room = figures.on_demand_limit
        rows.append(("on-demand", room, figures.on_demand_used, room))
    if figures.over_limit:
        rows.append(("over-limit", figures.over_limit, figures.over_limit, figures.over_limit))
    return rows


def _mark(figures: AllowanceFigures, scale: int) -> Mark | None:
    if figures.forecast is None or scale == 0:
        return None
    at = min(figures.forecast, scale)
    anchor = "start" if at * 4 < scale else "end" if at * 4 > scale * 3 else "middle"
    return Mark(percent(at, scale), anchor, figures.forecast > scale)


def draw(figures: AllowanceFigures) -> Drawing:
    rows = _sources(figures)
    room = sum(row[3] for row in rows)
    forecast = figures.forecast or 0
    scale = max(room, min(forecast * 51 // 50, room * 5 // 4))
    segments: list[Segment] = []
    start, reserved = 0, figures.reserved
    for key, size, used, width in rows:
        held = min(reserved, max(0, width - used))
        reserved -= held
        segments.append(
            Segment(
                key, size, used, held, percent(start, scale), percent(width, scale),
                percent(min(used, width), scale), percent(start + used, scale),
                percent(held, scale), percent(start + width, scale), not segments,
            )
        )  # fmt: skip
        start += width
    beyond = percent(min(forecast, scale) - room, scale)
    return Drawing(figures, tuple(segments), _mark(figures, scale), percent(room, scale), beyond)
