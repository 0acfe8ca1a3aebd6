"""Settings, URL map and one view of a server that only asks `SELECT 1` (targets P3).

The portal's settings with its middleware, so that what differs is the view alone.
"""

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

from offload_portal.settings import *  # noqa: F403

ROOT_URLCONF = "tests.benchmarks.bare"


def one(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return HttpResponse(str(cursor.fetchone()[0]))


urlpatterns = [path("one", one)]
