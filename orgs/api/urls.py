from django.urls import path

from orgs.api import audit, organizations, people, policies

urlpatterns = [
    path("me", people.MeView.as_view()),
    path("me/preferences", people.PreferencesView.as_view()),
    path("organizations", organizations.OrganizationsView.as_view()),
    path("organizations/<slug:slug>/policy", organizations.PolicyView.as_view()),
    path("organizations/<slug:slug>/policies", policies.PoliciesView.as_view()),
    path("organizations/<slug:slug>/policies/<uuid:policy_id>", policies.PolicyItemView.as_view()),
    path("organizations/<slug:slug>/members", organizations.MembersView.as_view()),
    path("organizations/<slug:slug>/licenses", organizations.LicensesView.as_view()),
    path("organizations/<slug:slug>/invitations", organizations.InvitationsView.as_view()),
    path("organizations/<slug:slug>/audit", audit.AuditView.as_view()),
    path("organizations/<slug:slug>/audit.csv", audit.AuditCSVView.as_view()),
]
