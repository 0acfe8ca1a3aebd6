"""What requests bring, as values; what can't be one is not found."""

import uuid

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

from offload_portal.common.refusals import not_found
from orgs.enums import Role
from orgs.models import Membership, Organization, Person
from orgs.selectors import MemberFilter
from orgs.selectors.members import LICENSE_STATES

PAGE_SIZE = 50
MOST_SEARCHED = 200


def identifiers(request: HttpRequest, name: str = "person") -> list[uuid.UUID]:
    """The chosen identifiers of a form, each once."""
    found = [identifier_or_none(text) for text in request.POST.getlist(name)]
    if None in found:
        raise not_found()
    return list(dict.fromkeys(each for each in found if each is not None))


def identifier_or_none(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def member_filter(request: HttpRequest, membership: Membership) -> MemberFilter:
    """What the list was asked for; a member sees only themselves (rule 2)."""
    role, access = request.GET.get("role", ""), request.GET.get("access", "")
    return MemberFilter(
        search=request.GET.get("q", "").strip()[:MOST_SEARCHED],
        role=role if role in Role.values else "",
        access=access if access in LICENSE_STATES else "",
        person_id=None if membership.sees_everything else membership.person_id,
    )


def page_of(request: HttpRequest, rows: "QuerySet[Membership]") -> "Page[Membership]":
    return Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))


def member_or_404(organization: Organization, person_id: uuid.UUID) -> Person:
    """A person by identifier, if they belong to the organization."""
    row = (
        Membership.objects.filter(organization=organization, person_id=person_id)
        .select_related("person")
        .first()
    )
    if row is None:
        raise not_found()
    return row.person
