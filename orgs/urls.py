"""Addresses of people, organizations and access. An address outside the list is a 404."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

app_name = "orgs"


def soon(request: HttpRequest, **_: object) -> HttpResponse:
    return HttpResponse()


urlpatterns = [
    path("invitations/<str:token>/", soon, name="accept_invitation"),
    path("organizations/<slug:slug>/access/", soon, name="access"),
]
