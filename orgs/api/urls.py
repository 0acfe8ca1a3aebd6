from django.urls import path

from orgs.api import (
    audit,
    invitations,
    licenses,
    organizations,
    people,
    policies,
    requests,
    teams,
    webhooks,
)

urlpatterns = [
    path("me", people.MeView.as_view()),
    path("me/preferences", people.PreferencesView.as_view()),
    path("organizations", organizations.OrganizationsView.as_view()),
    path("organizations/<slug:slug>/policy", organizations.PolicyView.as_view()),
    path("organizations/<slug:slug>/requests", requests.RequestsView.as_view()),
    path("organizations/<slug:slug>/requests/<uuid:request_id>", requests.RequestView.as_view()),
    path("organizations/<slug:slug>/policies", policies.PoliciesView.as_view()),
    path("organizations/<slug:slug>/policies/<uuid:policy_id>", policies.PolicyItemView.as_view()),
    path("organizations/<slug:slug>/licenses", licenses.LicensesView.as_view()),
    path("organizations/<slug:slug>/licenses/pool", licenses.PoolView.as_view()),
    path("organizations/<slug:slug>/licenses/grants", licenses.GrantsView.as_view()),
    path("organizations/<slug:slug>/licenses/grants/<uuid:grant_id>", licenses.GrantView.as_view()),
    path("organizations/<slug:slug>/teams", teams.TeamsView.as_view()),
    path("organizations/<slug:slug>/teams/<uuid:team_id>", teams.TeamView.as_view()),
    path("organizations/<slug:slug>/invitations", invitations.InvitationsView.as_view()),
    path(
        "organizations/<slug:slug>/invitations/<uuid:invitation_id>",
        invitations.InvitationView.as_view(),
    ),
    path(
        "organizations/<slug:slug>/invitations/<uuid:invitation_id>/resend",
        invitations.ResendView.as_view(),
    ),
    path("organizations/<slug:slug>/audit", audit.AuditView.as_view()),
    path("organizations/<slug:slug>/audit.csv", audit.AuditCSVView.as_view()),
    path("organizations/<slug:slug>/webhooks", webhooks.WebhooksView.as_view()),
    path(
        "organizations/<slug:slug>/webhooks/<uuid:webhook_id>", webhooks.WebhookItemView.as_view()
    ),
    path(
        "organizations/<slug:slug>/webhooks/<uuid:webhook_id>/secret",
        webhooks.WebhookSecretView.as_view(),
    ),
    path(
        "organizations/<slug:slug>/webhooks/<uuid:webhook_id>/test",
        webhooks.WebhookTestView.as_view(),
    ),
    path(
        "organizations/<slug:slug>/webhooks/<uuid:webhook_id>/deliveries",
        webhooks.DeliveriesView.as_view(),
    ),
    path(
        "organizations/<slug:slug>/webhooks/deliveries/<uuid:delivery_id>/replay",
        webhooks.ReplayView.as_view(),
    ),
]
