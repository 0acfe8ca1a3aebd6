"""One change of an organization's people or access at a time."""

import uuid

from offload_portal.common.actors import Actor
from offload_portal.common.locks import lock_alone
from offload_portal.common.refusals import not_found
from orgs.models import Organization
from orgs.selectors.places import Viewer, viewer_of


def lock(organization_id: uuid.UUID) -> Organization:
    """The organization's row, locked until the transaction ends.

    The organization's own lock comes first, as the meter and a start take it: who starts a
    session while access is taken away comes before it or after it, never between.
    """
    lock_alone(organization_id)
    row = Organization.objects.select_for_update().filter(pk=organization_id).first()
    if row is None:
        raise not_found()
    return row


def viewer(actor: Actor, organization: Organization) -> Viewer:
    """The actor as policies take it; someone outside the organization finds nothing (rule 2)."""
    found = viewer_of(organization, actor.id)
    if not found.is_portal and found.role is None:
        raise not_found()
    return found
