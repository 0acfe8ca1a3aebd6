"""How a route finds its organization and checks the caller's role (product.md rule 2)."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.api import throttling
from offload_portal.api.callers import not_a_person
from offload_portal.api.views import PortalView
from offload_portal.common.refusals import Refusal, moved, not_found
from orgs.enums import Role
from orgs.models import Membership, Organization, Person
from orgs.policies import check_second_factor
from orgs.selectors import Place, contacts, find_organization
from orgs.selectors.second_factor import lacks_second_factor

T = TypeVar("T")


class OrganizationView(PortalView):
    """A view whose route, query or body names an organization by its slug."""

    @property
    def person(self) -> Person:
        """The person who calls; an organization's token is refused."""
        if not isinstance(self.request.user, Person):
            raise not_a_person()
        return self.request.user

    def place(self, slug: str) -> Place:
        """Where the caller stands; 404 for what is unknown or foreign.

        403 `second_factor_required` where the organization asks for one that the person lacks.
        An organization's token sees what an editor sees, in its own organization only.
        """
        found = self.place_of_start(slug)
        if isinstance(self.request.user, Person):
            check_has_factor(found.organization, self.request.user)
        return found

    def place_of_start(self, slug: str) -> Place:
        """The same before anything is asked: a start has an order of its own (rule 26)."""
        organization: Organization | None = self.caller.organization
        if organization is None:
            found = find_organization(self.person, slug)
        elif slug == organization.slug or organization.addresses.filter(slug=slug).exists():
            found = Place(organization, Membership(organization=organization, role=Role.EDITOR))
        else:
            raise not_found()
        self._follow(slug, found.organization.slug)
        throttling.count_organization(self.request, found.organization.pk)
        return found

    def tried(self, work: Callable[[], T]) -> T:
        """Do it; with `?dry_run=true` undo it afterwards, so that nothing was changed."""
        with transaction.atomic():
            result = work()
            if self.query.get("dry_run"):
                transaction.set_rollback(True)
        return result

    def _follow(self, asked: str, slug: str) -> None:
        """A route with an old address leads to the present one; elsewhere old ones just work."""
        if asked != slug and self.kwargs.get("slug") == asked:
            whole = self.request.get_full_path()
            raise moved(whole.replace(f"/organizations/{asked}", f"/organizations/{slug}", 1))

    def seen_by_editors(self, slug: str) -> Organization:
        """The organization, for its owners and editors; 403 for its members."""
        found = self.place(slug)
        if not found.membership.sees_everything:
            raise role_missing(found.organization)
        return found.organization

    def seen_by_payers(self, slug: str) -> Organization:
        """The organization, for whoever sees what it uses and pays; 403 for its members."""
        found = self.place(slug)
        if not found.membership.sees_usage:
            raise role_missing(found.organization)
        return found.organization

    def paying(self, slug: str) -> Organization:
        """The organization, for its owners and billing managers; 403 for the others."""
        found = self.place(slug)
        if not found.membership.pays:
            sentence = _("Only owners and billing managers of the organization can do this.")
            raise Refusal("not_a_payer", sentence, 403, whom_to_ask(found.organization))
        return found.organization

    def owned(self, slug: str) -> Organization:
        """The organization, for its owners; 403 for its editors and members."""
        found = self.place(slug)
        if not found.membership.is_owner:
            sentence = _("Only an owner of the organization can do this.")
            raise Refusal("not_an_owner", sentence, 403, whom_to_ask(found.organization))
        return found.organization


def check_has_factor(organization: Organization, person: Person) -> None:
    """One statement more where the organization asks for a second factor."""
    if lacks_second_factor(organization, person):
        check_second_factor(lacks=True, contacts=contacts(organization))


def role_missing(organization: Organization) -> Refusal:
    sentence = _("Owners and editors of the organization see this; you are a member.")
    return Refusal("not_an_editor", sentence, 403, whom_to_ask(organization))


def whom_to_ask(organization: Organization) -> dict[str, Any]:
    people = [{"name": owner.name, "email": owner.email} for owner in contacts(organization)]
    return {"contacts": people}
