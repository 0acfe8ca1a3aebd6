"""Computing an organization's ledger afresh from what was recorded (product.md rule 17)."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from offload_portal.common.periods import to_seconds
from offload_portal.common.refusals import Refusal
from orgs.models import Organization
from sessions import clock
from sessions.models import Keeping, Session
from sessions.selectors.caps import caps_of_sessions
from sessions.selectors.facts import ends_from_below, facts_of
from sessions.services.metering import meter_organization
from usage import drawdown
from usage.models import Allowance
from usage.selectors.afresh import Fresh, computed, stretches
from usage.services import metering
from usage.services.remetering import Differing, correct_ledger, differing

MOST_REASON = 200


@dataclass(frozen=True, slots=True)
class Remetered:
    """What a fresh computation found; `written` says whether the corrections were."""

    differences: tuple[Differing, ...]
    written: bool = False

    @property
    def compute_seconds(self) -> int:
        """By how much the ledger has to grow; negative where it says too much."""
        return sum(one.missing[2] for one in self.differences)

    @property
    def cost_microusd(self) -> int:
        return sum(one.missing[3] for one in self.differences)


def remeter(
    *, actor: Actor, at: datetime, organization: Organization, reason: str, dry_run: bool
) -> Remetered:
    """Compare the ledger with a fresh computation and, unless `dry_run`, correct it.

    The organization is metered to `at` first and stays locked. Doing it again finds nothing.
    """
    if not dry_run and not 0 < len(reason.strip()) <= MOST_REASON:
        sentence = _("Give a reason of at most %(most)s characters; it stands in the ledger.")
        raise Refusal("invalid", sentence % {"most": MOST_REASON}, 400)
    with transaction.atomic():
        meter_organization(organization_id=organization.pk, at=at)
        allowance = metering.lock(organization.pk)
        if allowance is None:
            return Remetered(())
        _check_kept(organization)
        sessions = _sessions(organization)
        fresh = computed(stretches(allowance), _metered(sessions, allowance))
        found = differing(organization.pk, fresh)
        if dry_run or not found:
            return Remetered(tuple(found))
        _write(actor, at, allowance, (fresh, found), sessions, reason.strip())
    return Remetered(tuple(found), written=True)


def _write(
    actor: Actor,
    at: datetime,
    allowance: Allowance,
    compared: tuple[Fresh, Sequence[Differing]],
    sessions: Sequence[Session],
    reason: str,
) -> None:
    if allowance.period_start is None:
        sentence = _("No billing period is open, so no correction can be written. Subscribe first.")
        raise Refusal("no_open_period", sentence, 409)
    fresh, found = compared
    correct_ledger(
        actor=actor,
        at=at,
        allowance=allowance,
        fresh=fresh,
        found=found,
        whose=_whose(allowance.pk, sessions, found),
        reason=reason,
    )


def _whose(
    organization_id: uuid.UUID, sessions: Sequence[Session], found: Sequence[Differing]
) -> dict[uuid.UUID, tuple[uuid.UUID, str]]:
    """Of sessions that there are, and of entries of none what those entries say."""
    known = {one.pk: (one.person_id, one.engine_size) for one in sessions}
    strays = {one.key[0] for one in found} - known.keys()
    return known | metering.people_of_entries(organization_id, strays)


def _check_kept(organization: Organization) -> None:
    """What was recorded of old sessions is deleted with age; then nothing can be computed."""
    keeping = Keeping.objects.filter(pk=organization.pk).first()
    if keeping is not None and keeping.runs_gone_until is not None:
        sentence = _(
            "What was recorded of sessions before %(day)s is deleted with age, so the ledger can't "
            "be computed from its beginning."
        )
        day = f"{keeping.runs_gone_until:%Y-%m-%d}"
        raise Refusal("facts_deleted", sentence % {"day": day}, 409)


def _sessions(organization: Organization) -> list[Session]:
    rows = Session.objects.with_facts().for_organization(organization)
    return list(rows.order_by("created_at", "id"))


def _metered(sessions: Sequence[Session], allowance: Allowance) -> list[drawdown.Metered]:
    """Ends that were written down stay: a session was gone then, whatever should have been."""
    until = to_seconds(allowance.metered_until)
    ends = ends_from_below(sessions, {allowance.pk: until})
    under = caps_of_sessions(metering.caps_of(allowance), sessions)
    found = []
    for number, session in enumerate(sessions):
        facts = facts_of(session, ends.get(session.id, ()))
        billing = clock.billing(facts, 0, until)
        end = clock.end_of(facts)
        found.append(
            drawdown.Metered(
                id=str(session.id),
                order=(facts.created_at, number),
                multiplier=session.multiplier,
                spans=billing.spans,
                lumps=tuple((lump.at, lump.seconds) for lump in billing.lumps),
                caps=tuple(str(cap) for cap in under.get(session.id, ())),
                ended_at=end.at if end.at <= until else None,
            )
        )
    return found
