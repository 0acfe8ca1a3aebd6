"""On-demand usage and its monthly limit (product.md rule 19)."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from orgs.enums import Event
from orgs.models import Organization
from orgs.services import audit
from usage.enums import OnDemand
from usage.models import Allowance, LimitVersion
from usage.selectors.limit_effects import Setting, effective_instant, setting_of
from usage.services import metering
from usage.services.contract import MOST_MICROUSD, contract_of, refuse_field

MOST_REASON = 200


@transaction.atomic
def set_on_demand(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    mode: str,
    limit_microusd: int | None = None,
    let_finish: bool = False,
    reason: str = "",
    at_once: bool = False,
) -> LimitVersion:
    """Set on-demand off, limited or unlimited; the version says from when on it holds.

    Neither touches committed time or top-ups, and a limit of 0 behaves as off. It replaces a
    change that is still to come, where it holds before that.
    """
    contract = contract_of(organization, at)
    after = _read(mode, limit_microusd, let_finish=let_finish)
    check_setting(after, reason)
    allowance = contract.allowance
    before = setting_of(allowance)
    effective_at = effective_instant(
        before, after, allowance.on_demand_used_microusd, at, at_once=at_once
    )
    version = LimitVersion.objects.create(
        organization=organization,
        recorded_at=at,
        effective_at=effective_at,
        actor_id=actor.id,
        mode=after.mode,
        limit_microusd=after.limit_microusd,
        let_finish=after.let_finish,
        reason=reason.strip(),
    )
    if effective_at == at:
        _put_in_force(allowance, after)
    _record(actor, at, version, before, after)
    metering.refresh_left(allowance, at)
    return version


def _read(mode: str, limit_microusd: int | None, *, let_finish: bool) -> Setting:
    if mode not in OnDemand.values:
        raise refuse_field("mode", _("On-demand is off, limited or unlimited."))
    return Setting(OnDemand(mode), limit_microusd, let_finish)


def check_setting(setting: Setting, reason: str = "") -> None:
    """Raise the refusal that the setting would meet."""
    limit, limited = setting.limit_microusd, setting.mode == OnDemand.LIMITED
    if limited and limit is None:
        raise refuse_field("limit_microusd", _("Give the monthly limit; 0 behaves as off."))
    if not limited and limit is not None:
        sentence = _("An amount goes with a monthly limit, and only with it.")
        raise refuse_field("limit_microusd", sentence)
    if limit is not None and not 0 <= limit <= MOST_MICROUSD:
        raise refuse_field("limit_microusd", _("A limit is from $0 to $1,000,000,000."))
    if setting.let_finish and setting.bound == 0:
        sentence = _("Running sessions can finish past the limit only while on-demand is on.")
        raise refuse_field("let_finish", sentence)
    if len(reason) > MOST_REASON:
        sentence = _("Give the reason in at most %(most)s characters.") % {"most": MOST_REASON}
        raise refuse_field("reason", sentence)


def _put_in_force(allowance: Allowance, setting: Setting) -> None:
    allowance.on_demand_mode = setting.mode
    allowance.on_demand_limit_microusd = setting.limit_microusd
    allowance.let_finish = setting.let_finish
    allowance.save(update_fields=["on_demand_mode", "on_demand_limit_microusd", "let_finish"])


def _record(
    actor: Actor, at: datetime, version: LimitVersion, before: Setting, after: Setting
) -> None:
    audit.record(
        event=Event.LIMIT_CHANGED,
        actor=actor,
        at=at,
        organization_id=version.organization_id,
        subject=("limit", version.pk),
        before=_values(before),
        after={
            **_values(after),
            "effective_at": version.effective_at.isoformat(),
            # Free words may name somebody.
            "reason": audit.Named(version.reason, actor.id) if version.reason else "",
        },
    )


def _values(setting: Setting) -> dict[str, object]:
    return {
        "mode": str(setting.mode),
        "limit_microusd": setting.limit_microusd,
        "let_finish": setting.let_finish,
    }
