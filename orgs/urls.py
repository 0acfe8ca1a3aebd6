"""Addresses of people, organizations and access."""

from django.urls import path

from orgs.views import (
    access,
    account,
    audit,
    identity,
    invitations,
    members,
    news,
    organizations,
    overrides,
    policy,
    teams,
    tokens,
)

app_name = "orgs"

HERE = "organizations/<slug:slug>"
urlpatterns = [
    path("organizations/new/", organizations.create, name="create"),
    path(f"{HERE}/settings/", organizations.settings, name="settings"),
    path(f"{HERE}/members/invite/", invitations.invite, name="invite"),
    path(f"{HERE}/members/invitations/", invitations.invitations, name="invitations"),
    path(f"{HERE}/members/invitations/act/", invitations.act, name="act_on_invitations"),
    path(
        f"{HERE}/members/invitations/<uuid:invitation_id>/resend/",
        invitations.resend,
        name="resend_invitation",
    ),
    path(
        f"{HERE}/members/invitations/<uuid:invitation_id>/revoke/",
        invitations.revoke,
        name="revoke_invitation",
    ),
    path(f"{HERE}/members/<uuid:person_id>/role/", members.change_role, name="change_role"),
    path(f"{HERE}/members/<uuid:person_id>/remove/", members.remove, name="remove_member"),
    path(f"{HERE}/access/", access.access, name="access"),
    path(f"{HERE}/access/all/", access.give_to_all, name="give_to_all"),
    path(f"{HERE}/access/selected/", access.select_members, name="select_members"),
    path(f"{HERE}/teams/", teams.teams, name="teams"),
    path(f"{HERE}/teams/<uuid:team_id>/", teams.team, name="team"),
    path(f"{HERE}/teams/<uuid:team_id>/rename/", teams.rename, name="rename_team"),
    path(f"{HERE}/teams/<uuid:team_id>/add/", teams.add, name="add_to_team"),
    path(f"{HERE}/teams/<uuid:team_id>/grant/", teams.grant, name="grant_to_team"),
    path(f"{HERE}/teams/<uuid:team_id>/take/", teams.take, name="take_from_team"),
    path(f"{HERE}/teams/<uuid:team_id>/delete/", teams.delete, name="delete_team"),
    path(f"{HERE}/policy/", policy.policy, name="policy"),
    path(f"{HERE}/policy/mine/", overrides.own, name="own_policy"),
    path(f"{HERE}/policy/add/", overrides.add, name="add_override"),
    path(f"{HERE}/policy/of/<uuid:person_id>/", overrides.of_member, name="policy_of"),
    path(f"{HERE}/policy/<uuid:policy_id>/", overrides.change, name="change_override"),
    path(f"{HERE}/policy/<uuid:policy_id>/remove/", overrides.remove, name="remove_override"),
    path(f"{HERE}/mail/", news.mail, name="mail"),
    path(f"{HERE}/audit/", audit.audit, name="audit"),
    path(f"{HERE}/audit.csv", audit.audit_csv, name="audit_csv"),
    path("invitations/open/", invitations.invitation, name="invitation"),
    path("invitations/<str:token>/", invitations.follow, name="accept_invitation"),
    path("notifications/", news.notifications, name="notifications"),
    path("notifications/read/", news.read_all, name="read_notifications"),
    path(
        "notifications/<uuid:notification_id>/open/",
        news.open_notification,
        name="open_notification",
    ),
    path("unsubscribe/<str:token>/", news.unsubscribe, name="unsubscribe"),
    path("account/notifications/", news.mail_choices, name="mail_choices"),
    path("account/me/", account.account, name="account"),
    path("account/tokens/", tokens.tokens, name="tokens"),
    path("account/tokens/<uuid:token_id>/revoke/", tokens.revoke, name="revoke_token"),
    path(f"{HERE}/tokens/", tokens.organization_tokens, name="organization_tokens"),
    path(
        f"{HERE}/tokens/<uuid:token_id>/revoke/",
        tokens.revoke_of_organization,
        name="revoke_organization_token",
    ),
    # In front of allauth's own views at these addresses.
    path("identity/o/authorize", identity.AuthorizeView.as_view()),
    path("identity/o/device", identity.DeviceView.as_view()),
    path("identity/o/api/token", identity.PortalTokenView.as_view()),
    path("identity/o/api/revoke", identity.PortalRevokeView.as_view()),
]
