"""Warning in time (product.md rule 20): what is due is written down and told in one transaction.

Two workers do no harm: each takes the organization's lock and reads again, and a key refuses
what was said already.
"""

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from offload_portal.common.refusals import not_found
from orgs.enums import Event, NewsKind, WebhookEvent
from orgs.models import Membership, Organization
from orgs.selectors import contacts
from orgs.services import audit
from orgs.services.mails import portal_link
from orgs.services.news import copy_to_billing_contact, notify
from orgs.services.publishing import publish
from usage.alerts import FORECAST, MOVED, Reached, due, is_over
from usage.models import Alert, AlertSetting
from usage.selectors.alert_words import facts_of_alert, without_names
from usage.selectors.alerts import (
    AlertChoice,
    AlertState,
    alert_choice,
    alert_states,
    forecast_range,
    may_be_warned,
    warned_people,
)
from usage.selectors.allowances import AllowanceView, allowance_of, allowances_of
from usage.selectors.leaders import LeadingUse, leading_members
from usage.services import metering
from usage.services.contract import refuse_field

MOST_THRESHOLDS = 10
MOST_RECIPIENTS = 50

# The images used in most sessions since an instant, which only the floor above knows.
Images = Callable[[Organization, datetime], Sequence[LeadingUse]]


@dataclass(frozen=True, slots=True)
class News:
    """What one look found: the alerts to tell, the gravest first, and those that are over."""

    alerts: tuple[Alert, ...] = ()
    folded: Mapping[str, tuple[int, ...]] | None = None
    over: tuple[Alert, ...] = ()
    normal: tuple[Mapping[str, Any], ...] = ()
    is_new_period: bool = False


def organizations_to_warn(keys: Collection[uuid.UUID], at: datetime) -> list[uuid.UUID]:
    """Those of `keys` for which something is due: few, so that each may take its lock."""
    return [state.organization_id for state in alert_states(keys, at) if _has_news(state)]


def organizations_with_forecast(keys: Collection[uuid.UUID], at: datetime) -> list[uuid.UUID]:
    """Those whose time runs out too early at the pace of the last week, which wasn't said yet."""
    coming = {key: view for key, view in allowances_of(keys, at).items() if _runs_out(view)}
    states = alert_states(list(coming), at) if coming else []
    keys_of = ((state, coming[state.organization_id]) for state in states)
    return [state.organization_id for state, view in keys_of if not _has_said(state, view)]


def _has_said(state: AlertState, view: AllowanceView) -> bool:
    """A forecast is said once for a limit, too; where nothing is left it is none any more."""
    limit = view.on_demand_limit_microusd or 0
    said = any(one.bound == FORECAST and one.limit == limit for one in state.warned)
    return said or view.left_compute_seconds == 0


def _runs_out(view: AllowanceView) -> bool:
    return view.forecast_at is not None and view.period_start is not None


def _has_news(state: AlertState) -> bool:
    moved = state.has_moved and not state.has_said_moved
    return moved or bool(due(state.bounds, state.thresholds, state.warned) or _over(state))


def _over(state: AlertState) -> list[Alert]:
    """Open alerts that no longer hold. Forecasts and the move hold until the period ends."""
    return [
        row
        for row in state.open
        if row.period_start != state.period_start
        or (row.threshold and is_over(state.bounds, row.bound, row.threshold))
    ]


@transaction.atomic
def warn(
    *, organization_id: uuid.UUID, at: datetime, images: Images, with_forecast: bool = False
) -> int:
    """Say what is due now, each once, all of it in one message; how many alerts were written."""
    if metering.lock(organization_id) is None:
        return 0
    (state,) = alert_states([organization_id], at)
    organization = Organization.objects.get(pk=organization_id)
    view = allowance_of(organization, at)
    news = _written(state, view, at, with_forecast=with_forecast)
    if news.alerts:
        _tell(organization, view, news, images, at)
        for row in news.alerts:
            publish(
                organization_id=row.organization_id,
                event=WebhookEvent.ALERT_RAISED,
                at=at,
                data=without_names(facts_of_alert(row)),
            )
    if news.over:
        for facts in news.normal:
            publish(
                organization_id=organization_id,
                event=WebhookEvent.ALERT_OVER,
                at=at,
                data=without_names(facts),
            )
        _tell_normal(organization, news, at)
    return len(news.alerts)


def _written(state: AlertState, view: AllowanceView, at: datetime, *, with_forecast: bool) -> News:
    over = _over(state)
    Alert.objects.filter(pk__in=[row.pk for row in over], over_at=None).update(over_at=at)
    reached = due(state.bounds, state.thresholds, state.warned)
    told = [_threshold(state, one, one.thresholds[0], at) for one in reached]
    silent = [
        _threshold(state, one, threshold, at) for one in reached for threshold in one.thresholds[1:]
    ]
    if state.has_moved and not state.has_said_moved:
        used = view.on_demand.used_microusd
        told.append(_alert(state, at, bound=MOVED, used=used, in_money=True))
    if with_forecast and _runs_out(view):
        told += _forecast(state, view, at)
    Alert.objects.bulk_create([*told, *silent])
    said = [row for row in over if row.bound not in (FORECAST, MOVED)]
    return News(
        alerts=tuple(told),
        folded={one.bound.key: one.thresholds[1:] for one in reached},
        over=tuple(said),
        normal=tuple(_facts_of_bound(state, key) for key in _keys(state, said)),
        is_new_period=any(row.period_start != state.period_start for row in said),
    )


def _alert(state: AlertState, at: datetime, **values: Any) -> Alert:
    if state.period_start is None:
        raise ValueError("Without a period there is nothing to be warned of.")
    key = state.organization_id
    return Alert(organization_id=key, period_start=state.period_start, at=at, **values)


def _threshold(state: AlertState, reached: Reached, threshold: int, at: datetime) -> Alert:
    bound = reached.bound
    return _alert(
        state,
        at,
        bound=bound.key,
        name="" if bound.person else bound.name,
        person_id=bound.person,
        threshold=threshold,
        limit=bound.limit,
        used=bound.used,
        in_money=bound.in_money,
    )


def _forecast(state: AlertState, view: AllowanceView, at: datetime) -> list[Alert]:
    if _has_said(state, view):
        return []
    limit = view.on_demand_limit_microusd or 0
    row = _alert(state, at, bound=FORECAST, limit=limit, expected_at=view.forecast_at)
    row.in_money = True
    row.used = view.on_demand.used_microusd
    return [row]


def _keys(state: AlertState, rows: Sequence[Alert]) -> list[str]:
    over = {row.bound for row in rows}
    return [bound.key for bound in state.bounds if bound.key in over]


def _facts_of_bound(state: AlertState, key: str) -> Mapping[str, Any]:
    bound = next(one for one in state.bounds if one.key == key)
    return {
        "bound": bound.key,
        "name": bound.name,
        "person": str(bound.person) if bound.person else "",
        "used": bound.used,
        "limit": bound.limit,
        "in_money": bound.in_money,
    }


# Telling


def _tell(
    organization: Organization, view: AllowanceView, news: News, images: Images, at: datetime
) -> None:
    items = [{**facts_of_alert(row), "folded": _folded(news, row)} for row in news.alerts]
    facts = alert_facts(organization, view, items, images, at)
    can_act = dict(warned_people(organization, alert_choice(organization)))
    notify(
        kind=NewsKind.USAGE_ALERT,
        at=at,
        organization=organization,
        people=list(can_act),
        context=lambda person: {**facts, **for_reader(organization, can_act=can_act[person])},
        # The portal keeps its copy longer than names may have to stand.
        in_portal={"users": [], "items": [without_names(item) for item in items]},
    )
    copy_to_billing_contact(
        kind=NewsKind.USAGE_ALERT,
        at=at,
        organization=organization,
        people=list(can_act),
        facts={**facts, **for_reader(organization, can_act=False)},
    )


def _folded(news: News, row: Alert) -> list[str]:
    """The lower thresholds that were passed in the same step."""
    return [str(threshold) for threshold in (news.folded or {}).get(row.bound, ())]


def alert_facts(
    organization: Organization,
    view: AllowanceView,
    items: Sequence[Mapping[str, Any]],
    images: Images,
    at: datetime,
) -> dict[str, Any]:
    """What the mail says to every reader; JSON can hold it."""
    since = view.period_start or at
    between = forecast_range(view, at) if view.forecast_at else None
    return {
        "organization": organization.name,
        "items": list(items),
        "burn": view.burn_compute_seconds_per_hour,
        "forecast_at": view.forecast_at,
        "earliest": between[0] if between else None,
        "latest": between[1] if between else None,
        "has_range": between is not None,
        "users": [_leading(one) for one in leading_members(organization, since, at)],
        "images": [_leading(one) for one in images(organization, since)],
    }


def _leading(one: LeadingUse) -> dict[str, Any]:
    return {"name": one.name, "amount": one.amount}


def for_reader(organization: Organization, *, can_act: bool) -> dict[str, Any]:
    """Owners get the page that solves it, others learn whom to ask."""
    page = "pages:limits" if can_act else "pages:billing"
    asked = [] if can_act else [contact.name for contact in contacts(organization)]
    link = portal_link(page, organization.slug)
    return {"can_act": can_act, "ask": ", ".join(asked), "link": link}


def _tell_normal(organization: Organization, news: News, at: datetime) -> None:
    people = [person for person, _acts in warned_people(organization, alert_choice(organization))]
    facts = {
        "organization": organization.name,
        "is_new_period": news.is_new_period,
        "items": list(news.normal),
        "link": portal_link("pages:billing", organization.slug),
    }
    notify(
        kind=NewsKind.USAGE_NORMAL,
        at=at,
        organization=organization,
        people=people,
        context=lambda _person: facts,
    )
    copy_to_billing_contact(
        kind=NewsKind.USAGE_NORMAL, at=at, organization=organization, people=people, facts=facts
    )


# Choosing


@transaction.atomic
def choose_alerts(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    thresholds: Collection[int] | None = None,
    recipients: Collection[uuid.UUID] | None = None,
) -> AlertChoice:
    """When and whom to warn; what is None stays. No recipients are all owners."""
    before = alert_choice(organization)
    after = AlertChoice(
        before.thresholds if thresholds is None else tuple(sorted(set(thresholds))),
        before.recipients if recipients is None else tuple(sorted(set(recipients))),
    )
    _check(organization, after, chosen=recipients is not None)
    if after == before:
        return after
    AlertSetting.objects.update_or_create(
        organization=organization,
        defaults={
            "thresholds": list(after.thresholds),
            "recipients": [str(key) for key in after.recipients],
        },
    )
    audit.record(
        event=Event.ALERTS_CHANGED,
        actor=actor,
        at=at,
        organization_id=organization.pk,
        subject=("organization", organization.pk),
        before=_values(before),
        after=_values(after),
    )
    return after


def _check(organization: Organization, choice: AlertChoice, *, chosen: bool) -> None:
    if not 1 <= len(choice.thresholds) <= MOST_THRESHOLDS:
        sentence = _("Choose from 1 to %(most)s thresholds.") % {"most": MOST_THRESHOLDS}
        raise refuse_field("alert_thresholds", sentence)
    if any(not 1 <= threshold <= 100 for threshold in choice.thresholds):
        raise refuse_field("alert_thresholds", _("A threshold is from 1 to 100 percent."))
    if not chosen:
        return
    there: set[uuid.UUID] = {row.person_id for row in may_be_warned(organization)}
    others = set(choice.recipients) - there
    if others:
        known = Membership.objects.for_organization(organization).filter(person_id__in=others)
        if known.count() < len(others):
            raise not_found()
        raise refuse_field(
            "alert_recipients", _("Owners, editors and billing managers can be warned.")
        )


def _values(choice: AlertChoice) -> dict[str, object]:
    return {
        "thresholds": list(choice.thresholds),
        "recipients": [str(key) for key in choice.recipients],
    }
