"""Changes of organizations, people and access: keyword-only, atomic, with an audit entry."""

from orgs.services.access import (
    grant_to_all,
    grant_to_person,
    grant_to_persons,
    grant_to_team,
    revoke_all,
    revoke_grant,
    revoke_person,
    revoke_persons,
    revoke_team,
    set_license_pool,
)
from orgs.services.bulk import (
    BulkDone,
    act_on_members,
    add_many_to_team,
    change_roles,
    grant_many,
    remove_many_from_team,
    remove_members,
    take_many,
    undo,
)
from orgs.services.expiry import expire_grants
from orgs.services.following import end_overrides_everywhere
from orgs.services.invitations import (
    Invited,
    SentInvitation,
    accept_invitation,
    invite,
    resend_invitation,
    resend_invitations,
    revoke_invitation,
    revoke_invitations,
)
from orgs.services.licensing import Settled
from orgs.services.members import change_role, leave, remove_member
from orgs.services.organizations import create_organization, update_organization
from orgs.services.people import update_person
from orgs.services.policies import PolicyChange, update_policy
from orgs.services.teams import (
    add_to_team,
    create_team,
    delete_team,
    remove_from_team,
    rename_team,
)

__all__ = [
    "BulkDone",
    "Invited",
    "PolicyChange",
    "SentInvitation",
    "Settled",
    "accept_invitation",
    "act_on_members",
    "add_many_to_team",
    "add_to_team",
    "change_role",
    "change_roles",
    "create_organization",
    "create_team",
    "delete_team",
    "end_overrides_everywhere",
    "expire_grants",
    "grant_many",
    "grant_to_all",
    "grant_to_person",
    "grant_to_persons",
    "grant_to_team",
    "invite",
    "leave",
    "remove_from_team",
    "remove_many_from_team",
    "remove_member",
    "remove_members",
    "rename_team",
    "resend_invitation",
    "resend_invitations",
    "revoke_all",
    "revoke_grant",
    "revoke_invitation",
    "revoke_invitations",
    "revoke_person",
    "revoke_persons",
    "revoke_team",
    "set_license_pool",
    "take_many",
    "undo",
    "update_organization",
    "update_person",
    "update_policy",
]
