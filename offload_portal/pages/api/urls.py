"""The API's map, version 1."""

from django.urls import include, path, re_path

from offload_portal.api.problems import not_found_view
from offload_portal.pages.api import accounts, billing, caps, documents, members

app_name = "api"
urlpatterns = [
    # First, since reports come all the time and each pattern before them is tried in vain.
    path("", include("sessions.api.urls")),
    path("schema", documents.SchemaView.as_view(), name="schema"),
    path("docs", documents.docs, name="docs"),
    path("accounts", accounts.AccountsView.as_view()),
    path("organizations/<slug:slug>", accounts.OrganizationDetailView.as_view()),
    path("organizations/<slug:slug>/subscription", billing.SubscriptionView.as_view()),
    path("organizations/<slug:slug>/top-ups", billing.TopUpsView.as_view()),
    path("organizations/<slug:slug>/limits", billing.LimitsView.as_view()),
    path("organizations/<slug:slug>/limits/history", billing.LimitHistoryView.as_view()),
    path("organizations/<slug:slug>/caps", caps.CapsView.as_view()),
    path("organizations/<slug:slug>/caps/<uuid:cap_id>", caps.CapItemView.as_view()),
    path("organizations/<slug:slug>/members", members.MembersView.as_view()),
    path("organizations/<slug:slug>/members.csv", members.MembersCSVView.as_view()),
    path("organizations/<slug:slug>/members/actions", members.MemberActsView.as_view()),
    path(
        "organizations/<slug:slug>/members/actions/<uuid:change_id>/undo",
        members.UndoView.as_view(),
    ),
    path("organizations/<slug:slug>/members/<uuid:person_id>", members.MemberView.as_view()),
    path("", include("orgs.api.urls")),
    path("", include("usage.api.urls")),
    # The same body for a path that no route knows as for what is foreign.
    re_path(r"", not_found_view),
]
