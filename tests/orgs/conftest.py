"""Worlds of organizations: bare ones, without a subscription unless a pool is set."""

from collections.abc import Callable
from datetime import datetime

import pytest
from django.core.mail import EmailMessage, EmailMultiAlternatives

from offload_portal.common.actors import PORTAL
from orgs import services
from orgs.enums import Role
from orgs.models import Membership, Organization, Person
from tests import factories


def html_of(message: EmailMessage) -> str:
    """The HTML part of a mail that has one."""
    assert isinstance(message, EmailMultiAlternatives)
    return str(message.alternatives[0][0])


Join = Callable[..., Person]


@pytest.fixture
def place(owner: Person, at: datetime) -> Organization:
    """An organization of the owner's, without licenses."""
    return services.create_organization(
        actor=factories.actor(owner), at=at, person=owner, name="Northwind", zone="Europe/Berlin"
    )


@pytest.fixture
def join(at: datetime) -> Join:
    """`join(place, "Ada", role, at)`: another member, without the way over an invitation."""

    def joined(
        place: Organization, name: str, role: str = Role.MEMBER, when: datetime = at
    ) -> Person:
        person = factories.person(name)
        Membership.objects.create(organization=place, person=person, role=role, joined_at=when)
        return person

    return joined


@pytest.fixture
def pool(at: datetime) -> Callable[..., services.Settled]:
    """`pool(place, 2)` sets the number of licenses."""

    def size(place: Organization, licenses: int, when: datetime = at) -> services.Settled:
        return services.set_license_pool(
            actor=PORTAL, at=when, organization=place, licenses=licenses
        )

    return size
