"""Worlds for tests, made through the services: what can't happen in the portal can't stand here.

Plain functions with an instant; nothing here reads a clock. Sessions: tests/sessions/worlds.py.
"""

from datetime import UTC, datetime
from itertools import count

from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP

from offload_portal.common.actors import Actor
from orgs import services as orgs_services
from orgs.enums import Role
from orgs.models import Organization, Person
from usage import services as usage_services
from usage.models import Plan

AT = datetime(2026, 3, 11, 12, 0, tzinfo=UTC)
PASSWORD = "a long test password"

_number = count(1)


def actor(person: Person) -> Actor:
    return Actor(person.pk, "test")


def person(name: str = "Pat Person", email: str = "") -> Person:
    """Somebody with a confirmed address who can sign in with PASSWORD."""
    address = email or f"{name.split()[0].lower()}-{next(_number)}@example.com"
    made = Person.objects.create_user(address, PASSWORD, name=name)
    EmailAddress.objects.create(user=made, email=made.email, verified=True, primary=True)
    return made


def second_factor(person: Person) -> Person:
    """Gives the person an authenticator app."""
    TOTP.activate(person, "JBSWY3DPEHPK3PXP")
    return person


def operator(name: str = "Otto Operator") -> Person:
    """Staff, with the second factor that is asked of them."""
    made = person(name)
    made.is_staff = made.is_superuser = True
    made.save()
    return second_factor(made)


def organization(owner: Person, *, at: datetime = AT, name: str = "Acme") -> Organization:
    """An empty organization with its first owner: no subscription yet."""
    return orgs_services.create_organization(
        actor=actor(owner), at=at, person=owner, name=name, slug=f"acme-{next(_number)}"
    )


def subscribe(
    organization: Organization, owner: Person, *, at: datetime = AT, plan: str = "team"
) -> None:
    usage_services.subscribe(
        actor=actor(owner), at=at, organization=organization, plan=Plan.objects.get(slug=plan)
    )
    organization.refresh_from_db()


def subscribed_organization(
    owner: Person, *, at: datetime = AT, name: str = "Acme", plan: str = "team"
) -> Organization:
    """An organization that has a subscription since `at`, and an owner who holds a license."""
    made = organization(owner, at=at, name=name)
    subscribe(made, owner, at=at, plan=plan)
    license_for(made, owner, at=at)
    return made


def first_owner(organization: Organization) -> Person:
    owners = organization.memberships.owners().order_by("joined_at", "id")
    return owners.select_related("person")[0].person


def invitation_token(
    organization: Organization, email: str, role: Role = Role.MEMBER, *, at: datetime = AT
) -> str:
    """The token in the link of an invitation's e-mail."""
    invited = orgs_services.invite(
        actor=actor(first_owner(organization)),
        at=at,
        organization=organization,
        emails=[email],
        role=role,
    )
    return invited.sent[0].token


def colleague(
    organization: Organization,
    name: str = "Cora Colleague",
    role: Role = Role.MEMBER,
    *,
    at: datetime = AT,
) -> Person:
    """Somebody who was invited and accepted; without a license unless everybody has one."""
    made = person(name)
    token = invitation_token(organization, made.email, role, at=at)
    orgs_services.accept_invitation(actor=actor(made), at=at, token=token, person=made)
    return made


def license_for(organization: Organization, person: Person, *, at: datetime = AT) -> None:
    orgs_services.grant_to_person(
        actor=actor(first_owner(organization)), at=at, organization=organization, person=person
    )


def licensed_member(
    organization: Organization, name: str = "Max Member", *, at: datetime = AT
) -> Person:
    made = colleague(organization, name, at=at)
    license_for(organization, made, at=at)
    return made
