"""The URL map."""

from django.contrib import admin
from django.urls import include, path

from orgs.admin import show_own_records_only

show_own_records_only()

urlpatterns = [
    # First: each pattern that is tried in vain costs a report some microseconds.
    path("api/v1/", include("offload_portal.pages.api.urls")),
    path("", include("offload_portal.pages.urls")),
    path("", include("orgs.urls")),
    path("", include("usage.urls")),
    path("account/", include("allauth.urls")),
    path("", include("allauth.idp.urls")),
    path("operators/", admin.site.urls),
]
