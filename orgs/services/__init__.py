"""Changes of organizations, people and access: keyword-only, atomic, with an audit entry."""

from orgs.services.access import (
    grant_to_all,
    grant_to_person,
    grant_to_persons,
    grant_to_team,
    revoke_all,
    revoke_person,
    revoke_persons,
    revoke_team,
    set_license_pool,
)
from orgs.services.invitations import (
    Invited,
    SentInvitation,
    accept_invitation,
    invite,
    resend_invitation,
    revoke_invitation,
)
from orgs.services.licensing import Settled
from orgs.services.members import change_role, leave, remove_member
from orgs.services.organizations import create_organization, update_organization
from orgs.services.people import update_person
from orgs.services.policies import PolicyChange, update_policy

__all__ = [
    "Invited",
    "PolicyChange",
    "SentInvitation",
    "Settled",
    "accept_invitation",
    "change_role",
    "create_organization",
    "grant_to_all",
    "grant_to_person",
    "grant_to_persons",
    "grant_to_team",
    "invite",
    "leave",
    "remove_member",
    "resend_invitation",
    "revoke_all",
    "revoke_invitation",
    "revoke_person",
    "revoke_persons",
    "revoke_team",
    "set_license_pool",
    "update_organization",
    "update_person",
    "update_policy",
]
