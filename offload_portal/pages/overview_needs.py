"""What waits for an owner, and the first steps of a new organization."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from offload_portal.pages.overview_numbers import day_text
from orgs.frames import Frame
from orgs.selectors import FirstSteps
from sessions.selectors.notices import notices_of_allowance
from usage.enums import OnDemand, SubscriptionState
from usage.models import Subscription
from usage.selectors import AllowanceView


@dataclass(frozen=True, slots=True)
class Need:
    """One thing to do: `kind` is notice, warning or danger; owners get the step as a link."""

    kind: str
    title: str
    text: str
    url: str
    label: str


def needs_of(
    frame: Frame,
    view: AllowanceView,
    steps: FirstSteps,
    alerts: Sequence[Mapping[str, str]],
) -> list[Need]:
    """The most urgent first."""
    found = [
        *_of_subscription(frame, view.subscription),
        *_of_allowance(frame, view),
        *_of_alerts(frame, alerts),
        *_of_people(frame, view.subscription, steps),
    ]
    order = {"danger": 0, "warning": 1, "notice": 2}
    return sorted(found, key=lambda need: order[need.kind])


def link_to(frame: Frame, name: str) -> str:
    """A page of the organization."""
    return reverse(name, args=[frame.organization.slug])


def _of_subscription(frame: Frame, subscription: Subscription | None) -> list[Need]:
    billing = link_to(frame, "pages:billing")
    if subscription is None:
        title = _("There is no subscription, so nobody can start a session")
        text = _("A plan brings licenses and committed compute time. The trial needs no card.")
        return [Need("danger", title, text, link_to(frame, "pages:subscribe"), _("Choose a plan"))]
    if subscription.state == SubscriptionState.SUSPENDED:
        title = _("The subscription is suspended")
        text = _("No session starts until what is due has been paid.")
        return [Need("danger", title, text, billing, _("See what is due"))]
    if subscription.state == SubscriptionState.PAST_DUE:
        title = _("A payment is due")
        text = _("Sessions still start; they stop when the days of grace are over.")
        return [Need("warning", title, text, billing, _("See what is due"))]
    if subscription.ends_at is not None:
        trial = subscription.is_trial
        title = _("The trial ends on %(day)s") if trial else _("The subscription ends on %(day)s")
        text = _("Sessions that run then will end, and none will start.")
        label = _("Choose a plan") if trial else _("See the subscription")
        return [
            Need("notice", title % {"day": day_text(subscription.ends_at)}, text, billing, label)
        ]
    return []


def _of_allowance(frame: Frame, view: AllowanceView) -> list[Need]:
    if view.subscription is None or view.left_compute_seconds is None:
        return []
    limits = link_to(frame, "pages:limits")
    coming = notices_of_allowance(view, frame.at)
    if coming and view.left_compute_seconds:
        label = _("On-demand usage")
        return [
            Need("warning", str(notice.kind.label), notice.sentence, limits, label)
            for notice in coming
        ]
    if view.left_compute_seconds == 0:
        off = view.on_demand_mode == OnDemand.OFF
        title = _("Compute time is used up; new sessions are refused")
        text = (
            _("On-demand usage is off. Switch it on, or buy a top-up.")
            if off
            else _("On-demand usage has come to its monthly limit. Raise it, or buy a top-up.")
        )
        return [Need("danger", title, text, limits, _("On-demand usage"))]
    if view.forecast_at is not None:
        title = _("Compute time runs out about %(day)s at the present pace") % {
            "day": day_text(view.forecast_at)
        }
        text = _("Running sessions end in that second, and new ones are refused.")
        return [Need("warning", title, text, limits, _("On-demand usage"))]
    return []


def _of_alerts(frame: Frame, alerts: Sequence[Mapping[str, str]]) -> list[Need]:
    limits, label = link_to(frame, "pages:limits"), _("On-demand usage")
    return [Need(one["kind"], one["title"], one["text"], limits, label) for one in alerts]


def _of_people(frame: Frame, subscription: Subscription | None, steps: FirstSteps) -> list[Need]:
    found = []
    queued = steps.licenses_queued
    if queued:
        title = ngettext(
            "%(count)s member waits for a license",
            "%(count)s members wait for a license",
            queued,
        ) % {"count": queued}
        text = _("They move up as licenses come free, in order of grant.")
        found.append(
            Need("warning", title, text, link_to(frame, "orgs:access"), _("See who waits"))
        )
    elif subscription is not None and not steps.licenses_held:
        title = _("Nobody has access to Offload yet")
        text = _("The subscription's licenses are free: grant access to all or to some members.")
        found.append(Need("warning", title, text, link_to(frame, "orgs:access"), _("Grant access")))
    found.extend(_of_requests(frame, steps))
    if steps.open_invitations:
        title = ngettext(
            "%(count)s invitation was not accepted yet",
            "%(count)s invitations were not accepted yet",
            steps.open_invitations,
        ) % {"count": steps.open_invitations}
        text = _("You can send them again, or take them back.")
        members = link_to(frame, "pages:members")
        found.append(Need("notice", title, text, members, _("See invitations")))
    return found


def _of_requests(frame: Frame, steps: FirstSteps) -> list[Need]:
    found = []
    if steps.open_requests:
        title = ngettext(
            "%(count)s request waits for an answer",
            "%(count)s requests wait for an answer",
            steps.open_requests,
        ) % {"count": steps.open_requests}
        text = _("A member asks for access, compute time or longer sessions.")
        url = f"{link_to(frame, 'orgs:requests')}?state=open"
        found.append(Need("warning", title, text, url, _("See requests")))
    if steps.unsent_mails:
        title = ngettext(
            "%(count)s mail could not be sent",
            "%(count)s mails could not be sent",
            steps.unsent_mails,
        ) % {"count": steps.unsent_mails}
        text = _("Whom it was for has not got it. You can send it again.")
        found.append(Need("warning", title, text, link_to(frame, "orgs:mail"), _("See mail")))
    return found


def checklist_of(frame: Frame, view: AllowanceView, steps: FirstSteps) -> list[dict[str, Any]]:
    """From an empty organization to a first session, in the order in which it works."""
    return [
        {
            "title": _("Subscribe"),
            "text": _("A plan brings licenses and committed compute time; the trial is free."),
            "done": view.subscription is not None,
            "url": link_to(frame, "pages:subscribe"),
            "label": _("Choose a plan"),
            "command": "",
        },
        {
            "title": _("Invite your colleagues"),
            "text": _("By e-mail, one or a thousand. You can begin alone and do it later."),
            "done": steps.members_invited,
            "url": link_to(frame, "orgs:invite"),
            "label": _("Invite people"),
            "command": "",
        },
        {
            "title": _("Grant access"),
            "text": _("To all members or to those you select, yourself included."),
            "done": steps.access_granted,
            "url": link_to(frame, "orgs:access"),
            "label": _("Grant access"),
            "command": "",
        },
        {
            "title": _("Decide about on-demand usage"),
            "text": _(
                "Off: sessions end when the committed time is used up. With a monthly limit they "
                "go on, and no bill is ever higher than that."
            ),
            "done": view.on_demand_mode != OnDemand.OFF,
            "url": link_to(frame, "pages:limits"),
            "label": _("Set a limit"),
            "command": "",
        },
        {
            "title": _("Start a first session"),
            "text": _("The commands below do it from a terminal. It will stand here at once."),
            "done": False,
            "url": link_to(frame, "pages:get_started"),
            "label": _("Get started"),
            "command": "",
        },
    ]


def next_step(items: Sequence[dict[str, Any]]) -> int:
    """How many are done."""
    return sum(1 for item in items if item["done"])
