"""What every template may name."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def portal(request: HttpRequest) -> dict[str, Any]:
    return {"portal_url": settings.PORTAL_URL, "development_pages": settings.DEVELOPMENT_PAGES}
