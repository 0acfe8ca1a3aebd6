"""Where a person arrives: their organization, the list of them, or the first step."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from orgs.enums import Role
from orgs.frames import person_of
from orgs.selectors import OrganizationRef, organizations_of

LAST_USED = "last_organization"


def remember(request: HttpRequest, slug: str) -> None:
    if request.session.get(LAST_USED) != slug:
        request.session[LAST_USED] = slug


def preferred_of(
    request: HttpRequest, organizations: tuple[OrganizationRef, ...]
) -> OrganizationRef | None:
    """The last one used in this browser, else the default one, else the only one."""
    last = request.session.get(LAST_USED)
    default = person_of(request).default_organization_id
    for organization in organizations:
        if organization.slug == last:
            return organization
    for organization in organizations:
        if organization.id == default:
            return organization
    return organizations[0] if len(organizations) == 1 else None


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    organizations = organizations_of(person_of(request))
    preferred = preferred_of(request, organizations)
    if preferred is not None:
        return redirect("pages:overview", slug=preferred.slug)
    return redirect("pages:organizations")


@require_safe
@login_required
def organizations(request: HttpRequest) -> HttpResponse:
    """All of a person's organizations; without any, the welcome."""
    found = organizations_of(person_of(request))
    template = "pages/organizations.html" if found else "pages/welcome.html"
    rows = [(ref, Role(ref.role).label) for ref in found]
    return render(request, template, {"rows": rows, "organization": None})
