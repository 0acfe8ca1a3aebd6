"""Grants that end by themselves (product.md rules 4 and 5).

A grant has ended at `until`, whenever that is written down: the license says it in `ends_at`, and
a session's clock takes it from there. Writing it down deletes the grant, at its own instant.
"""

import logging
import uuid
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from django.db import transaction

from offload_portal.common.actors import PORTAL, Actor
from orgs.enums import Event, GrantKind
from orgs.models import LicenseGrant, Organization
from orgs.services import audit
from orgs.services.licensing import settle
from orgs.services.locking import lock
from orgs.services.notices import tell

logger = logging.getLogger(__name__)
SUBJECTS = (
    (GrantKind.ALL, "organization"),
    (GrantKind.TEAM, "team"),
    (GrantKind.PERSON, "person"),
)


def expire_grants(*, at: datetime) -> int:
    """Write down every grant that has ended by now; returns in how many organizations.

    Runs with each sweep; twice, late or from two workers at once changes nothing.
    """
    due = LicenseGrant.objects.filter(until__lte=at).order_by("organization_id")
    done = 0
    for organization_id in due.values_list("organization_id", flat=True).distinct():
        try:
            with transaction.atomic():
                lock_at(organization_id, at)
            done += 1
        except Exception:  # one organization's fault must not stop the others
            logger.exception("Grants of organization %s could not be ended", organization_id)
    return done


def lock_at(organization_id: uuid.UUID, at: datetime) -> Organization:
    """The locked organization as it is at the instant: grants that have ended are gone.

    Every change of access begins with it, so that a late sweep changes nothing.
    """
    row = lock(organization_id)
    due = LicenseGrant.objects.filter(organization=row, until__lte=at)
    grants = list(due.order_by("until", "id"))
    for instant, ended in groupby(grants, key=lambda grant: grant.until):
        if instant is not None:
            _end(row, instant, list(ended))
    return row


def _end(organization: Organization, at: datetime, grants: Sequence[LicenseGrant]) -> None:
    LicenseGrant.objects.filter(pk__in=[grant.pk for grant in grants]).delete()
    record_grants(Event.ACCESS_EXPIRED, PORTAL, at, organization, grants)
    done = settle(
        actor=PORTAL,
        at=at,
        organization=organization,
        cause="grant_expired",
        persons=concerned(grants),
    )
    tell(organization, done)


def concerned(grants: Sequence[LicenseGrant]) -> list[uuid.UUID] | None:
    """Whose licenses may change with the grants; None means everyone's."""
    single = [grant.person_id for grant in grants if grant.person_id]
    return single if len(single) == len(grants) else None


def record_grants(
    event: Event,
    actor: Actor,
    at: datetime,
    organization: Organization,
    grants: Sequence[LicenseGrant],
) -> None:
    """An entry for each grant: its subject is the person, the team, or the organization."""
    subjects = dict(SUBJECTS)
    by_fact = sorted(grants, key=lambda grant: (grant.kind, grant.until is not None, grant.until))
    for (kind, until), same in groupby(by_fact, key=lambda grant: (grant.kind, grant.until)):
        fact = {"grant": str(kind), **({"until": until.isoformat()} if until else {})}
        audit.record_many(
            event=event,
            actor=actor,
            at=at,
            organization_id=organization.pk,
            subjects=[
                (subjects[GrantKind(kind)], grant.person_id or grant.team_id or organization.pk)
                for grant in same
            ],
            before=None if event == Event.ACCESS_GRANTED else fact,
            after=fact if event == Event.ACCESS_GRANTED else None,
        )
