"""Who and what used the period: one table, cut by member, team, engine size, image or label.

`?by=` chooses the cut. Rows that find no room are added up in one, so that the table's sum is the
ledger's whatever the number of rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from offload_portal.common.periods import HOUR, from_seconds, hour_of, to_seconds
from orgs.frames import Frame
from orgs.services.looks import note_look
from sessions.selectors.use_groups import LABEL, grouping_of_word, label_names
from usage.selectors import Grain, GroupBy, UsageQuestion, UsageRow, UsageSums, usage_rows

MOST_ROWS = 20
MOST_LABELS = 4


@dataclass(frozen=True, slots=True)
class Breakdown:
    """`rest` is what the rows beyond the shown ones used; None where all are shown."""

    head: str
    rows: tuple[UsageRow, ...]
    rest: UsageSums | None
    rest_label: str
    total: UsageSums


def breakdown_context(request: HttpRequest, frame: Frame, start: datetime) -> dict[str, Any]:
    """The tabs and the chosen table; a member's own use where they see no other."""
    sees_usage = frame.membership.sees_usage
    person = None if sees_usage else frozenset([frame.membership.person_id])
    # What comes after now isn't there yet, and whole hours are added up more cheaply.
    end = from_seconds(hour_of(to_seconds(frame.at)) + HOUR)
    question = UsageQuestion(
        frame.organization, start, end, frame.zone, person, viewer_id=frame.membership.person_id
    )
    names = label_names(question, most=MOST_LABELS)
    words = _words(names, sees_usage=sees_usage)
    asked = request.GET.get("by", "")
    chosen = asked if asked in words else next(iter(words))
    if chosen == GroupBy.MEMBER:
        note_look(actor=frame.actor, at=frame.at, organization=frame.organization, what="usage")
    rows = usage_rows(question, Grain.WHOLE, grouping_of_word(chosen))
    return {
        "breakdown": _breakdown(words[chosen], rows),
        "breakdown_tabs": [
            {
                "label": label,
                "url": f"?{urlencode({'by': word})}#used-by",
                "current": word == chosen,
                "count": None,
            }
            for word, label in words.items()
        ],
    }


def _words(labels: Sequence[str], *, sees_usage: bool) -> dict[str, str]:
    """What `by` may be, and its tab."""
    people = {str(GroupBy.MEMBER): _("Member"), str(GroupBy.TEAM): _("Team")}
    return {
        **(people if sees_usage else {}),
        str(GroupBy.ENGINE_SIZE): _("Engine size"),
        "image": _("Image"),
        **{f"{LABEL}{name}": _("Label: %(name)s") % {"name": name} for name in labels},
    }


def _breakdown(head: str, rows: Sequence[UsageRow]) -> Breakdown:
    shown, beyond = rows[:MOST_ROWS], rows[MOST_ROWS:]
    text = ngettext("%(count)s more", "%(count)s more, together", len(beyond))
    return Breakdown(
        head=head,
        rows=tuple(shown),
        rest=_sum(beyond) if beyond else None,
        rest_label=text % {"count": len(beyond)},
        total=_sum(rows),
    )


def _sum(rows: Sequence[UsageRow]) -> UsageSums:
    """Each session has one value of each cut, so sessions add up, too."""
    sums = [row.sums for row in rows]
    return UsageSums(
        seconds=sum(one.seconds for one in sums),
        compute_seconds=sum(one.compute_seconds for one in sums),
        cost_microusd=sum(one.cost_microusd for one in sums),
        sessions=sum(one.sessions for one in sums),
    )


def period_start(frame: Frame, start: datetime | None) -> datetime:
    """Where there is no period it is the last 30 days, from a whole hour on."""
    if start is not None:
        return start
    return from_seconds(hour_of(to_seconds(frame.at - timedelta(days=30))))
