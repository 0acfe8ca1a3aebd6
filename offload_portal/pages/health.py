"""For load balancers and operators: does the process live, and can it do its work?"""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from offload_portal.pages import readiness


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process lives. Asks nothing of the database, so that its absence restarts nobody."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when all is in order, else 503 with each check that is not."""
    trouble = readiness.trouble(timezone.now())
    checks = {name: trouble.get(name, "ok") for name in readiness.CHECKS}
    status = "not ready" if trouble else "ok"
    return JsonResponse({"status": status, "checks": checks}, status=503 if trouble else 200)
