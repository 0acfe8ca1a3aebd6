"""Creating and changing organizations (product.md rule 1)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from offload_portal.common.refusals import Refusal
from orgs.enums import Event, Role
from orgs.models import Address, Membership, Organization, Person, Policy
from orgs.policies import check_can_change_settings, check_has_one_too
from orgs.selectors.second_factor import has_second_factor
from orgs.services import audit
from orgs.services.checking import (
    MOST_SLUG_LETTERS,
    RESERVED_SLUGS,
    clean_contact,
    clean_name,
    clean_privacy,
    clean_slug,
    clean_zone,
    invalid,
)
from orgs.services.locking import lock, viewer

TRIES = 20


def create_organization(
    *,
    actor: Actor,
    at: datetime,
    person: Person,
    name: str,
    slug: str = "",
    zone: str = "UTC",
) -> Organization:
    """A new organization with its policy; the person is its first owner.

    The address comes from the name and gets a number where it is taken; one that was given must
    be free. Refuses with 400 and the field to blame.
    """
    name, zone = clean_name(name), clean_zone(zone)
    with transaction.atomic():
        organization = _insert(name, clean_slug(slug) if slug.strip() else "", zone, at)
        Membership.objects.create(
            organization=organization, person=person, role=Role.OWNER, joined_at=at
        )
        Policy.objects.create(
            organization=organization,
            changed_at=at,
            idle_timeout_seconds=settings.IDLE_TIMEOUT_DEFAULT_SECONDS,
        )
        audit.record(
            event=Event.ORGANIZATION_CREATED,
            actor=actor,
            at=at,
            organization_id=organization.pk,
            subject=("organization", organization.pk),
            after={"owner": str(person.pk), "slug": organization.slug, "zone": zone},
        )
    return organization


def _second_factor(actor: Actor, row: Organization, wanted: bool | None) -> bool:
    """Whether it is asked from now on; only somebody who has one can ask it of everyone."""
    if wanted is None:
        return row.requires_second_factor
    if wanted and not row.requires_second_factor and actor.id is not None:
        check_has_one_too(has_second_factor(Person.objects.get(pk=actor.id)))
    return wanted


def _take_address(organization: Organization, slug: str, at: datetime) -> None:
    """Make the address the organization's, unless another has it or once had it."""
    taken = Address.objects.filter(slug=slug).first()
    if taken is None:
        try:
            with transaction.atomic():
                Address.objects.create(slug=slug, organization=organization, taken_at=at)
        except IntegrityError:
            raise _taken() from None
    elif taken.organization_id != organization.pk:
        raise _taken()


def _taken() -> Refusal:
    return invalid("slug", _("This address is taken. Choose another."))


def _insert(name: str, slug: str, zone: str, at: datetime) -> Organization:
    """The row; the database decides whether an address is free, also between two who ask."""
    for candidate in [slug] if slug else _candidates(name):
        if Address.objects.filter(slug=candidate).exists():
            continue
        try:
            with transaction.atomic():
                made = Organization.objects.create(
                    name=name, slug=candidate, zone=zone, created_at=at
                )
                Address.objects.create(slug=candidate, organization=made, taken_at=at)
                return made
        except IntegrityError:
            continue
    raise _taken()


def _candidates(name: str) -> list[str]:
    """Addresses made of the name: itself, then with numbers behind it."""
    stem = slugify(name).replace("_", "-").strip("-")[:MOST_SLUG_LETTERS].strip("-")
    stem = stem or "organization"
    first = [] if stem in RESERVED_SLUGS else [stem]
    short = stem[: MOST_SLUG_LETTERS - 7].strip("-")
    taken = Address.objects.filter(slug__startswith=short).count()
    numbers = (*range(2, TRIES), *range(taken + 2, taken + 2 + TRIES))
    return [*first, *(f"{short}-{number}" for number in numbers)]


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    """An address names somebody, so it stands beside the entry (rule 7)."""
    address = values.get("billing_contact")
    return {**values, "billing_contact": audit.Named(address)} if address else dict(values)


def update_organization(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    name: str | None = None,
    zone: str | None = None,
    slug: str | None = None,
    requires_second_factor: bool | None = None,
    billing_contact: str | None = None,
    privacy: str | None = None,
) -> Organization:
    """Change the name, zone, address, what is asked at sign-in, who gets mail about money, or how
    insights show people (`orgs.privacy`).

    None leaves it; an empty billing contact takes it away. Owners only.

    An old address goes on leading here, and nobody else can have it.
    """
    with transaction.atomic():
        row = lock(organization.pk)
        check_can_change_settings(viewer(actor, row))
        wanted = {
            "name": row.name if name is None else clean_name(name),
            "zone": row.zone if zone is None else clean_zone(zone),
            "slug": row.slug if slug is None else clean_slug(slug),
            "requires_second_factor": _second_factor(actor, row, requires_second_factor),
            "billing_contact": row.billing_contact
            if billing_contact is None
            else clean_contact(billing_contact),
            "privacy": row.privacy if privacy is None else clean_privacy(privacy),
        }
        before = {key: getattr(row, key) for key in wanted if getattr(row, key) != wanted[key]}
        if not before:
            return row
        if "slug" in before:
            _take_address(row, str(wanted["slug"]), at)
        for key in before:
            setattr(row, key, wanted[key])
        row.save(update_fields=[*before])
        audit.record(
            event=Event.ORGANIZATION_CHANGED,
            actor=actor,
            at=at,
            organization_id=row.pk,
            subject=("organization", row.pk),
            before=_told(before),
            after=_told({key: wanted[key] for key in before}),
        )
    return row
