"""What the portal knows of a person, for the person alone (product.md rule 27)."""

from collections.abc import Iterator, Mapping
from typing import Any

from allauth.account.models import EmailAddress
from allauth.idp.oidc.models import Token as ClientToken
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db.models import F

from offload_portal.common.json_stream import Section
from orgs.models import (
    AuditEntry,
    Invitation,
    License,
    LicenseGrant,
    MemberRequest,
    Membership,
    Person,
    TeamMember,
    Token,
)
from orgs.selectors.audit import audit_rows

BATCH = 500
Rows = Iterator[Mapping[str, Any]]


def own_sections(person: Person) -> Iterator[Section]:
    """Account, sign-in, belonging, access and acts; never a secret or a digest of one."""
    yield "person", _person(person)
    yield "email_addresses", _plain(EmailAddress, person, "email", "verified", "primary")
    yield "second_factors", _plain(Authenticator, person, "type", "created_at", "last_used_at")
    yield (
        "browsers",
        _plain(UserSession, person, "ip", "user_agent", "created_at", "last_seen_at"),
    )
    yield "clients", _plain(ClientToken, person, "client_id", "type", "created_at", "expires_at")
    yield "tokens", _tokens(person)
    yield "memberships", _belonging(Membership, person, "role", "joined_at")
    yield "teams", _belonging(TeamMember, person, "joined_at", team_name=F("team__name"))
    yield "licenses", _belonging(License, person, "state", "granted_at", "held_since")
    yield "grants", _belonging(LicenseGrant, person, "kind", "granted_at", "until")
    yield "requests", _belonging(MemberRequest, person, "kind", "state", "note", "created_at")
    yield "invitations", _invitations(person)
    yield "acts", _acts(person)


def _person(person: Person) -> Rows:
    names = ("id", "email", "name", "language", "zone", "idle_timeout_seconds", "joined_at")
    yield {name: getattr(person, name) for name in (*names, "last_login")}


def _plain(model: Any, person: Person, *names: str) -> Rows:
    yield from model.objects.filter(user_id=person.pk).order_by("pk").values(*names).iterator()


def _tokens(person: Person) -> Rows:
    rows = Token.objects.filter(person=person).order_by("pk")
    names = ("id", "name", "hint", "scopes", "created_at", "expires_at", "last_used_at")
    yield from rows.values(*names, "revoked_at").iterator()


def _belonging(model: Any, person: Person, *names: str, **more: F) -> Rows:
    rows = model.objects.filter(person=person).order_by("pk")
    named = {"organization_name": F("organization__name"), **more}
    yield from rows.values("organization_id", *names, **named).iterator()


def _invitations(person: Person) -> Rows:
    rows = Invitation.objects.filter(email__iexact=person.email).order_by("pk")
    names = ("role", "created_at", "expires_at", "accepted_at", "revoked_at")
    named = F("organization__name")
    yield from rows.values("organization_id", *names, organization_name=named).iterator()


def _acts(person: Person) -> Rows:
    """What they did, in batches by key, with the addresses that they did it from."""
    rows = AuditEntry.objects.filter(actor_id=person.pk).order_by("id")
    batch = list(rows[:BATCH])
    while batch:
        organizations = {entry.pk: entry.organization_id for entry in batch}
        for row in audit_rows(batch):
            yield {
                "at": row.at,
                "event": row.event,
                "organization_id": organizations[row.id],
                "subject_kind": row.subject_kind,
                "subject_id": row.subject_id,
                "origin": row.origin,
            }
        batch = list(rows.filter(pk__gt=batch[-1].pk)[:BATCH])
