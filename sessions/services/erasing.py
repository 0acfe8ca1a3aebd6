"""Erasing a person or an organization that may have sessions (product.md rules 5, 11 and 27).

Sessions end first, at their exact second, so that the bill is whole; then `orgs` takes the
personal data away. Sessions, ledger and statements keep their identifiers, and every total.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from offload_portal.common.actors import Actor
from offload_portal.common.locks import lock_alone
from orgs.models import Organization, Person
from orgs.policies import check_can_delete_organization
from orgs.services import erasing
from orgs.services.locking import viewer
from sessions.enums import EndReason
from sessions.models import ScheduledReport, Session
from sessions.services.metering import meter_organization
from sessions.services.settling import EndOrder
from usage.services import end_now


def erase_person(*, actor: Actor, at: datetime, person: Person) -> None:
    """Their running sessions end as access that is lost; see `orgs.services.erasing`."""
    with transaction.atomic():
        ScheduledReport.objects.filter(Q(person=person) | Q(about=person)).delete()
        left = erasing.erase_person(actor=actor, at=at, person=person)
        for organization_id in left:
            meter_organization(organization_id=organization_id, at=at)


def delete_organization(*, actor: Actor, at: datetime, organization: Organization) -> None:
    """Stop its sessions, end its subscription, take its people and names away. Owners only."""
    with transaction.atomic():
        lock_alone(organization.pk)
        check_can_delete_organization(viewer(actor, organization))
        running = Session.objects.for_organization(organization).running()
        orders = {pk: _order(actor) for pk in running.values_list("id", flat=True)}
        until = meter_organization(organization_id=organization.pk, at=at, orders=orders).until
        end_now(actor=actor, at=until, organization=organization)
        ScheduledReport.objects.for_organization(organization).delete()
        erasing.delete_organization(actor=actor, at=until, organization=organization)


def _order(actor: Actor) -> EndOrder:
    return EndOrder(EndReason.STOPPED_BY_OWNER, actor.id)
