"""How sessions ended, and which images fail."""

from collections.abc import Callable, Sequence
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from offload_portal.common import chart_theme as theme
from offload_portal.common.display import number_text, share_text
from sessions.charts.rankings import ranking, rest_text
from sessions.charts.words import shortened
from sessions.enums import EndReason
from sessions.selectors.outcomes import DayOfRuns, EndCount, FailingImage, Outcomes

TOP = 6
MOST_CODES = 3
# Ends that nobody wished for.
UNWISHED = frozenset(
    {
        EndReason.ALLOWANCE_EXHAUSTED,
        EndReason.CAP_REACHED,
        EndReason.ACCESS_REVOKED,
        EndReason.SUBSCRIPTION_ENDED,
        EndReason.ENGINE_LOST,
        EndReason.FAILED,
    }
)


def ends_chart(ends: Sequence[EndCount], running: int) -> theme.Chart:
    """Why sessions ended, the most frequent reason first; ends that nobody wished stand out."""
    whole = sum(end.sessions for end in ends)
    top = ends[:TOP]
    return theme.Chart(
        id="ends",
        title=_("How sessions ended"),
        note=_("%(count)s still running") % {"count": number_text(running)} if running else "",
        summary=_ends_summary(ends, whole) if whole else "",
        headers=[_("Reason"), _("Sessions"), _("Share"), _("Users")],
        rows=[
            [
                reason_name(end.reason),
                number_text(end.sessions),
                share_text(end.sessions, whole),
                number_text(end.people),
            ]
            for end in ends
        ],
        figure=_ends_figure(top, whole) if whole else None,
        empty=_("Sessions that have ended will stand here by the reason."),
    )


def reason_name(reason: str) -> str:
    return str(EndReason(reason).label) if reason in EndReason.values else reason


def _ends_figure(ends: Sequence[EndCount], whole: int) -> dict[str, Any]:
    figure = ranking(
        [reason_name(end.reason) for end in ends],
        [end.sessions for end in ends],
        [f"{number_text(end.sessions)} · {share_text(end.sessions, whole)}" for end in ends],
        theme.COLOURS[0],
        lines=TOP,
    )
    figure["data"][0]["marker"]["color"] = [
        theme.DANGER if end.reason in UNWISHED else theme.COLOURS[0] for end in ends
    ]
    return figure


def _ends_summary(ends: Sequence[EndCount], whole: int) -> str:
    unwished = sum(end.sessions for end in ends if end.reason in UNWISHED)
    return _("%(count)s of %(whole)s ended against their user's will.") % {
        "count": number_text(unwished),
        "whole": number_text(whole),
    }


def failing_images_chart(outcomes: Outcomes, link: Callable[[FailingImage], str]) -> theme.Chart:
    """Images with runs that failed, most failures first; each leads to the sessions it ran in."""
    images = outcomes.images
    top = images[:TOP]
    return theme.Chart(
        id="failing-images",
        title=_("Images that fail"),
        note=rest_text(outcomes.failing_images - len(top), len(images) - len(top)),
        summary=_images_summary(outcomes) if images else "",
        headers=[
            _("Image"),
            _("Runs"),
            _("Failed"),
            _("Share"),
            _("Exit codes"),
            _("Sessions"),
            _("Users"),
        ],
        rows=[
            [
                theme.Link(image.image, link(image)),
                number_text(image.runs),
                number_text(image.failed),
                share_text(image.failed, image.runs),
                codes_text(image),
                number_text(image.sessions),
                number_text(image.users),
            ]
            for image in images
        ],
        figure=ranking(
            [shortened(image.image) for image in top],
            [image.failed for image in top],
            [_("%(failed)s of %(runs)s") % _numbers(image) for image in top],
            theme.DANGER,
            lines=TOP,
        )
        if top
        else None,
        empty=_("No container failed. Images whose containers do will stand here."),
    )


def _numbers(image: FailingImage) -> dict[str, str]:
    return {"failed": number_text(image.failed), "runs": number_text(image.runs)}


def codes_text(image: FailingImage) -> str:
    """The most frequent exit codes, each with how often it came."""
    shown = [f"{code} (×{number_text(count)})" for code, count in image.codes[:MOST_CODES]]
    return ", ".join(shown) + (", …" if len(image.codes) > MOST_CODES else "")


def _images_summary(outcomes: Outcomes) -> str:
    first = outcomes.images[0]
    return _("%(failed)s of %(runs)s containers failed, most of %(image)s.") % {
        "failed": number_text(outcomes.failed_runs),
        "runs": number_text(outcomes.runs),
        "image": first.image,
    }


def runs_chart(days: Sequence[DayOfRuns]) -> theme.Chart:
    """Containers that exited, by the local day on which their session started."""
    has_runs = any(day.well or day.failed for day in days)
    return theme.Chart(
        id="runs-by-day",
        title=_("Containers by day"),
        note=_("by the day of the session's start"),
        summary="",
        headers=[_("Day"), _("Exited well"), _("Failed"), _("Share")],
        rows=[
            [
                date_format(day.day, pgettext("date format", "j M Y")),
                number_text(day.well),
                number_text(day.failed),
                share_text(day.failed, day.well + day.failed),
            ]
            for day in reversed(days)
            if day.well or day.failed
        ],
        figure=_runs_figure(days) if has_runs else None,
        empty=_("Containers that have exited will stand here, well or not."),
    )


def _runs_figure(days: Sequence[DayOfRuns]) -> dict[str, Any]:
    bars = [
        (_("Exited well"), [day.well for day in days], theme.COLOURS[4]),
        (_("Failed"), [day.failed for day in days], theme.DANGER),
    ]
    return {
        "data": [
            {
                "type": "bar",
                "name": name,
                "x": [day.day.isoformat() for day in days],
                "y": counts,
                "marker": {"color": colour, "line": {"width": 0}},
                "hovertemplate": "%{y}",
            }
            for name, counts, colour in bars
        ],
        "layout": theme.layout(
            barmode="stack",
            bargap=0.3 if len(days) <= 45 else 0.12,
            showlegend=True,
            xaxis={"type": "date", "nticks": 8, "tickformat": "%-d %b", "hoverformat": "%-d %b %Y"},
            yaxis={"tickformat": ",d", "title": {"text": _("containers")}},
        ),
    }
