"""How far use has come towards each bound, and what was said of it (product.md rule 20).

A fixed number of statements, whatever the number of organizations.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q, Sum

from offload_portal.common.periods import DAY, from_seconds, hour_of, to_seconds
from orgs.enums import Role, pays, sees_usage
from orgs.models import Membership, Organization, Person
from usage.alerts import (
    CAP,
    COMMITMENT,
    DAYS,
    MOVED,
    ON_DEMAND,
    Bound,
    Range,
    Warned,
    lasts_between,
)
from usage.enums import CapScope, OnDemand, PoolKind
from usage.models import Alert, AlertSetting, Allowance, Cap, LedgerEntry, Pool
from usage.selectors.allowances import AllowanceView
from usage.selectors.caps import cap_names


@dataclass(frozen=True, slots=True)
class AlertChoice:
    """When and whom to warn; no recipients are all owners."""

    thresholds: tuple[int, ...]
    recipients: tuple[uuid.UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertState:
    """One organization in its present period. `open` are alerts that held so far, of any period."""

    organization_id: uuid.UUID
    period_start: datetime | None
    bounds: tuple[Bound, ...]
    thresholds: tuple[int, ...]
    has_moved: bool
    warned: tuple[Warned, ...]
    open: tuple[Alert, ...]

    @property
    def has_said_moved(self) -> bool:
        return any(one.bound == MOVED for one in self.warned)


def alert_choice(organization: Organization) -> AlertChoice:
    row = AlertSetting.objects.filter(organization=organization).first()
    return _choice(row)


def _choice(row: AlertSetting | None) -> AlertChoice:
    if row is None:
        return AlertChoice(tuple(settings.ALERT_PERCENT))
    return AlertChoice(tuple(row.thresholds), tuple(uuid.UUID(key) for key in row.recipients))


def may_be_warned(organization: Organization) -> list[Membership]:
    """Those who see everybody's use, of which alerts tell (rule 2). By name."""
    rows = Membership.objects.for_organization(organization).select_related("person")
    found = rows.filter(
        role__in=[role for role in Role if sees_usage(role)], person__is_active=True
    )
    return list(found.order_by("person__name", "person_id"))


def warned_people(organization: Organization, choice: AlertChoice) -> list[tuple[Person, bool]]:
    """Whom to tell, and whether they can act; all owners where nobody chosen is left."""
    rows = may_be_warned(organization)
    chosen = [row for row in rows if row.person_id in choice.recipients]
    told = chosen or [row for row in rows if row.is_owner]
    return [(row.person, pays(row.role)) for row in told]


def open_alerts(organization: Organization) -> list[Alert]:
    """What holds now: of each bound the highest threshold. One statement."""
    found: dict[str, Alert] = {}
    rows = Alert.objects.open().filter(organization=organization).select_related("person")
    for row in rows:
        found.setdefault(row.bound, row)
    return list(found.values())


def with_open_alerts() -> list[uuid.UUID]:
    rows = Alert.objects.filter(over_at=None).order_by("organization_id")
    return list(rows.values_list("organization_id", flat=True).distinct())


def alert_states(keys: Collection[uuid.UUID], at: datetime) -> list[AlertState]:
    """Those of `keys` that have an allowance, by identifier.

    Four statements, and at most three more where there are caps.
    """
    allowances = list(Allowance.objects.filter(pk__in=keys).order_by("pk"))
    rows = AlertSetting.objects.filter(pk__in=keys)
    choices = {row.organization_id: row for row in rows}
    pools, alerts = _committed(keys, at), _alerts(keys)
    caps = _caps([row.pk for row in allowances if row.has_caps])
    return [
        _state(
            row,
            choices.get(row.pk),
            (*_bounds(row, *pools.get(row.pk, (0, 0))), *caps.get(row.pk, ())),
            alerts.get(row.pk, ()),
        )
        for row in allowances
    ]


def _caps(keys: Collection[uuid.UUID]) -> dict[uuid.UUID, list[Bound]]:
    """The caps that hold, as bounds."""
    found: dict[uuid.UUID, list[Bound]] = defaultdict(list)
    if not keys:
        return found
    rows = list(Cap.objects.binding().filter(organization_id__in=keys).order_by("id"))
    names = cap_names(rows)
    for row in rows:
        bound = Bound(
            key=f"{CAP}{row.pk}",
            used=row.used_compute_seconds,
            limit=row.limit_compute_seconds or 0,
            name=names[row.pk],
            person=row.subject_id if row.scope == CapScope.PERSON else None,
        )
        found[row.organization_id].append(bound)
    return found


def _committed(keys: Collection[uuid.UUID], at: datetime) -> dict[uuid.UUID, tuple[int, int]]:
    """Used and total of the commitment that holds at the instant."""
    rows = (
        Pool.objects.filter(
            organization_id__in=keys, kind=PoolKind.COMMITTED, starts_at__lte=at, expires_at__gt=at
        )
        .values("organization_id")
        .annotate(used=Sum("used_compute_seconds"), total=Sum("compute_seconds"))
        .order_by("organization_id")
    )
    return {row["organization_id"]: (row["used"], row["total"]) for row in rows}


def _alerts(keys: Collection[uuid.UUID]) -> Mapping[uuid.UUID, Sequence[Alert]]:
    """Of the present period, and those of earlier ones that still stand open."""
    present = Q(period_start=F("organization__allowance__period_start"))
    found: dict[uuid.UUID, list[Alert]] = defaultdict(list)
    rows = Alert.objects.filter(Q(over_at=None) | present, organization_id__in=keys)
    for row in rows.order_by("organization_id", "id"):
        found[row.organization_id].append(row)
    return found


def _state(
    allowance: Allowance,
    choice: AlertSetting | None,
    bounds: tuple[Bound, ...],
    alerts: Sequence[Alert],
) -> AlertState:
    start = allowance.period_start
    mine = [row for row in alerts if row.period_start == start]
    return AlertState(
        organization_id=allowance.pk,
        period_start=start,
        bounds=() if start is None else bounds,
        thresholds=_choice(choice).thresholds,
        has_moved=_has_moved(allowance, bounds),
        warned=tuple(
            Warned(row.bound, row.threshold, row.limit, row.over_at is not None) for row in mine
        ),
        open=tuple(row for row in alerts if row.over_at is None),
    )


def _has_moved(allowance: Allowance, bounds: Sequence[Bound]) -> bool:
    """From committed time to on-demand: without a commitment there is nothing to move from."""
    had_commitment = any(bound.key == COMMITMENT for bound in bounds)
    used = allowance.on_demand_used_microusd > 0
    return allowance.period_start is not None and had_commitment and used


def _bounds(allowance: Allowance, used: int, total: int) -> list[Bound]:
    found = [Bound(COMMITMENT, used, total)] if total else []
    if allowance.on_demand_mode == OnDemand.LIMITED and allowance.on_demand_limit_microusd:
        limit = allowance.on_demand_limit_microusd
        found.append(Bound(ON_DEMAND, allowance.on_demand_used_microusd, limit, in_money=True))
    return found


def forecast_range(view: AllowanceView, at: datetime) -> tuple[datetime, datetime | None] | None:
    """Between which instants it runs out, by how much the last seven days differ; one statement."""
    if view.left_compute_seconds is None:
        return None
    days = _last_days(view, at)
    lasts = lasts_between(view.left_compute_seconds, days, DAY)
    return None if lasts is None else _instants(lasts, view.as_of)


def _instants(lasts: Range, since: datetime) -> tuple[datetime, datetime | None]:
    begins = to_seconds(since)
    latest = None if lasts.latest is None else from_seconds(begins + lasts.latest)
    return from_seconds(begins + lasts.earliest), latest


def _last_days(view: AllowanceView, at: datetime) -> list[int]:
    """Compute-seconds of each of the last whole days, counted back from the running hour's end."""
    end = hour_of(to_seconds(at)) + DAY // 24
    start = end - DAYS * DAY
    began = view.subscription.started_at if view.subscription else at
    whole = min(DAYS, (end - to_seconds(began)) // DAY)
    entries = LedgerEntry.objects.filter(
        organization_id=view.organization_id,
        hour__gte=from_seconds(start),
        hour__lt=from_seconds(start) + timedelta(days=DAYS),
    )
    sums = [0] * DAYS
    rows = entries.values("hour").annotate(used=Sum("compute_seconds")).order_by("hour")
    for row in rows:
        sums[(end - 1 - to_seconds(row["hour"])) // DAY] += row["used"]
    return sums[:whole]
