"""Corrections: the ledger is never edited, a difference is added to it (product.md rule 17)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from usage.pools import Source
from usage.tally import Line


@dataclass(frozen=True, slots=True)
class Correction:
    """Another entry, in the open period: what has to be added so that the truth stands.

    `corrects` names the entry it corrects; its session and source are that entry's. `hour` lies in
    the open period, since the entry's own may be closed. Any of the numbers may be negative, and
    `cost` is a difference of two costs, so it need not be `compute_seconds * rate`.
    """

    corrects: str
    session: str
    hour: int
    source: Source
    seconds: int
    lump_seconds: int
    compute_seconds: int
    rate: int
    cost: int
    reason: str
    ordered_by: str


def standing(line: Line, earlier: Iterable[Correction]) -> Line:
    """What the ledger says now: the entry and every correction of it together."""
    for one in earlier:
        line = replace(
            line,
            seconds=line.seconds + one.seconds,
            lump_seconds=line.lump_seconds + one.lump_seconds,
            compute_seconds=line.compute_seconds + one.compute_seconds,
            rate=one.rate,
            cost=line.cost + one.cost,
        )
    return line


def correct(
    original: Line,
    truth: Line,
    *,
    entry: str,
    hour: int,
    reason: str,
    ordered_by: str,
    earlier: Iterable[Correction] = (),
) -> Correction:
    """The difference from what stands to the truth, to be written in the open hour `hour`.

    Time that another source should have paid is two corrections: this entry down to nothing, and
    the other source's up.
    """
    now = standing(original, earlier)
    if (truth.session, truth.hour, truth.source) != (now.session, now.hour, now.source):
        raise ValueError("A correction keeps the session, the hour and the source of its entry.")
    if truth == now:
        raise ValueError("The entry says so already; there is nothing to correct.")
    if not reason.strip() or not ordered_by:
        raise ValueError("A correction needs a reason and who ordered it.")
    return Correction(
        corrects=entry,
        session=now.session,
        hour=hour,
        source=now.source,
        seconds=truth.seconds - now.seconds,
        lump_seconds=truth.lump_seconds - now.lump_seconds,
        compute_seconds=truth.compute_seconds - now.compute_seconds,
        rate=truth.rate,
        cost=truth.cost - now.cost,
        reason=reason,
        ordered_by=ordered_by,
    )
