"""Notices as pages show them: a title, the sentence, and for owners the step that changes it."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from offload_portal.pages.overview_needs import Need, link_to
from orgs.frames import Frame
from sessions.enums import NoticeKind
from sessions.selectors.notices import Notice

STEPS = {
    NoticeKind.ALLOWANCE_LOW: "pages:limits",
    NoticeKind.LIMIT_REACHED_AT: "pages:limits",
    NoticeKind.SUBSCRIPTION_ENDING: "pages:billing",
}


def told(frame: Frame, notices: Iterable[Notice]) -> list[Need]:
    return [_told(frame, notice) for notice in notices]


def _told(frame: Frame, notice: Notice) -> Need:
    """Never an alert: it is asked for again every few seconds, and would be read out each time."""
    step = STEPS.get(notice.kind) if frame.is_owner else None
    return Need(
        kind="warning" if notice.ends_session else "notice",
        title=str(notice.kind.label),
        text=notice.sentence,
        url=link_to(frame, step) if step else "",
        label=_label(step),
    )


def _label(step: str | None) -> str:
    if step is None:
        return ""
    return _("On-demand usage") if step == "pages:limits" else _("See the subscription")
