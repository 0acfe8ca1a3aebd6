"""Downloading one's data, deleting oneself and an organization (product.md rules 1, 5, 11, 27)."""

import json
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.db.models import Sum
from django.test import Client
from django.urls import reverse

from offload_portal.common.refusals import Refusal
from orgs.enums import Event, Role
from orgs.models import AuditEntry, AuditText, Invitation, Membership, Person, Token
from orgs.selectors import AuditFilter, audit_export
from orgs.selectors.audit_chain import verdict_of
from orgs.services import change_role, invite, sealing, tokens
from sessions import services
from sessions.models import Session
from tests import factories
from tests.factories import PASSWORD, actor
from tests.sessions import worlds
from usage.models import Allowance, LedgerEntry, Subscription

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
MINUTE = timedelta(minutes=1)


def signed_in(person):
    """Signed in, with the password given once more, as these pages ask."""
    client = Client()
    client.post("/account/login/", {"login": person.email, "password": PASSWORD})
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    return client


def worked(organization, member, at):
    """A session that has been active for ten minutes, and still is."""
    session = worlds.start(organization, member, at)
    worlds.report(session, at + MINUTE, 1)
    return session


def totals(organization):
    sums = LedgerEntry.objects.filter(organization=organization).aggregate(
        seconds=Sum("seconds"), compute=Sum("compute_seconds"), cost=Sum("cost_microusd")
    )
    return sums, Allowance.objects.get(pk=organization.pk).on_demand_used_microusd


# One's own data


def test_the_download_has_everything_of_oneself_and_nothing_of_others(
    organization, owner, member, colleague, at, clock
):
    session = worked(organization, member, at)
    services.meter_organization(organization_id=organization.pk, at=at + 5 * MINUTE)
    client = signed_in(member)
    answer = client.post("/account/data/download/")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    text = b"".join(answer.streaming_content).decode()
    told = json.loads(text)
    assert told["person"][0]["email"] == member.email
    assert [row["id"] for row in told["sessions"]] == [str(session.pk)]
    assert told["usage_entries"]
    assert told["memberships"][0]["organization_name"] == organization.name
    assert told["browsers"][0]["ip"] == "127.0.0.1"
    for other in (owner, colleague):
        assert other.email not in text
    assert "digest" not in text
    assert "password" not in text.replace("password_", "")
    assert AuditEntry.objects.get(event=Event.PERSON_EXPORTED).subject_id == member.pk


def test_the_download_and_the_deletion_ask_for_the_password_once_more(member, client_of):
    browser = client_of(member)
    for path in ("/account/data/download/", "/account/delete/"):
        answer = browser.post(path)
        assert answer.headers["Location"].startswith("/account/reauthenticate/")
    assert Person.objects.get(pk=member.pk).is_active


def test_signed_out_people_find_neither(db):
    for path in ("/account/data/", "/account/delete/"):
        assert Client().get(path).headers["Location"].startswith("/account/login/")
    assert Client().get("/account/data/download/").status_code == 405


# Deleting oneself


def test_deleting_oneself_takes_name_and_addresses_from_everywhere(
    organization, owner, member, at, clock
):
    name, email = member.name, member.email
    services_before = totals(organization)
    issued = tokens.issue_token(
        actor=actor(member), at=at, name="laptop", scopes=["sessions"], person=member
    )
    client = signed_in(member)
    page = client.get("/account/delete/").content.decode()
    assert organization.name in page
    wrong = client.post("/account/delete/", {"email": "someone@else.example"})
    assert wrong.status_code == 400
    assert client.post("/account/delete/", {"email": email.upper()}).status_code == 302
    member.refresh_from_db()
    assert member.is_erased
    assert str(member) == "Erased person"
    assert not member.is_active
    assert not member.has_usable_password()
    everything = [
        *Person.objects.values_list("email", "name"),
        *Invitation.objects.values_list("email"),
        *AuditText.objects.values_list("text"),
        *EmailAddress.objects.values_list("email"),
    ]
    assert email not in str(everything)
    assert name not in str(everything)
    assert not Token.objects.filter(person=member).exists()
    assert not UserSession.objects.filter(user=member).exists()
    assert client.get("/account/me/").status_code == 302
    dead = Client().get("/api/v1/me", headers={"Authorization": f"Bearer {issued.value}"})
    assert dead.status_code == 401
    assert not Membership.objects.filter(person=member).exists()
    assert totals(organization) == services_before


def test_signing_up_again_with_the_address_is_a_new_person(member):
    email = member.email
    signed_in(member).post("/account/delete/", {"email": email})
    again = Person.objects.create_user(email, PASSWORD, name="Max again")
    assert again.pk != member.pk


def test_running_sessions_end_at_the_instant_and_every_total_stays(organization, member, at, clock):
    session = worked(organization, member, at)
    later = at + 3 * MINUTE
    services.meter_organization(organization_id=organization.pk, at=later)
    before = totals(organization)
    services.erase_person(actor=actor(member), at=later, person=member)
    session.refresh_from_db()
    assert (session.ended_at, session.end_reason) == (later, "access_revoked")
    assert session.person_id == member.pk, "the session keeps its identifier"
    assert totals(organization) == before
    services.meter_organization(organization_id=organization.pk, at=later + MINUTE)
    assert totals(organization) == before


def test_the_last_owner_stays_until_there_is_another(organization, owner, member, at):
    client = signed_in(owner)
    page = client.get("/account/delete/").content.decode()
    assert "First, an owner for what you own alone" in page
    refused = client.post("/account/delete/", {"email": owner.email})
    assert refused.status_code == 400
    assert "you are the only one of Acme" in refused.content.decode()
    owner.refresh_from_db()
    assert not owner.is_erased
    assert Membership.objects.filter(person=owner).exists()
    change_role(
        actor=actor(owner), at=at, organization=organization, person=member, role=Role.OWNER
    )
    services.erase_person(actor=actor(owner), at=at, person=owner)
    assert Membership.objects.get(person=member).is_owner


def test_erasing_twice_changes_nothing(member, at):
    services.erase_person(actor=actor(member), at=at, person=member)
    first = Person.objects.filter(pk=member.pk).values().get()
    services.erase_person(actor=actor(member), at=at + MINUTE, person=member)
    assert Person.objects.filter(pk=member.pk).values().get() == first
    assert AuditEntry.objects.filter(event=Event.PERSON_ERASED).count() == 1


def test_the_audit_log_says_erased_person_and_its_chain_stays_whole(
    organization, owner, member, at
):
    change_role(
        actor=actor(owner), at=at, organization=organization, person=member, role=Role.EDITOR
    )
    sealing.seal_entries(at=at)
    services.erase_person(actor=actor(member), at=at, person=member)
    sealing.seal_entries(at=at)
    assert verdict_of(organization.pk).findings == ()
    rows = [
        row
        for row in audit_export(organization, AuditFilter())
        if member.pk in (row.subject_id, row.actor_id)
    ]
    assert rows
    assert all("Erased person" in (row.subject, row.actor) for row in rows)


def test_an_open_invitation_to_the_address_names_it_no_more(organization, owner, stranger, at):
    invite(actor=actor(owner), at=at, organization=organization, emails=[stranger.email])
    services.erase_person(actor=actor(stranger), at=at, person=stranger)
    assert not Invitation.objects.filter(email=stranger.email).exists()


def test_nobody_writes_to_someone_who_was_erased(member, at, outbox):
    services.erase_person(actor=actor(member), at=at, person=member)
    assert not [message for message in outbox if "erased.invalid" in str(message.to)]


# Deleting an organization


def test_everybody_who_belonged_is_told_who_deleted_it(
    organization, owner, member, at, outbox, client_of
):
    name = organization.name
    services.delete_organization(actor=actor(owner), at=at, organization=organization)
    told = {message.to[0]: message for message in outbox}
    assert set(told) >= {owner.email, member.email}
    assert f"Olga Owner deleted {name}" in str(told[member.email].body)
    page = client_of(member).get(reverse("orgs:notifications")).content.decode()
    assert f"{name} is deleted" in page


def test_deleting_an_organization_ends_everything_and_keeps_the_book(
    organization, owner, member, at, clock
):
    session = worked(organization, member, at)
    token = tokens.issue_token(
        actor=actor(owner), at=at, name="ci", scopes=["org:read"], organization=organization
    )
    clock.move_to(at + 3 * MINUTE)
    slug, name = organization.slug, organization.name
    client = signed_in(owner)
    page = client.get(f"/organizations/{slug}/settings/delete/").content.decode()
    assert "2 members lose access" in page
    assert "One running session ends" in page
    wrong = client.post(f"/organizations/{slug}/settings/delete/", {"slug": "other"})
    assert wrong.status_code == 400
    assert client.post(f"/organizations/{slug}/settings/delete/", {"slug": slug}).status_code == 302
    organization.refresh_from_db()
    session.refresh_from_db()
    assert organization.deleted_at == at + 3 * MINUTE
    assert name not in (organization.name, organization.slug)
    assert (session.ended_at, session.end_reason) == (at + 3 * MINUTE, "stopped_by_owner")
    assert LedgerEntry.objects.filter(organization=organization).exists()
    assert Subscription.objects.get(organization=organization).ended_at == at + 3 * MINUTE
    for person in (owner, member):
        assert signed_in(person).get(f"/organizations/{slug}/").status_code == 404
    header = {"Authorization": f"Bearer {token.value}"}
    assert Client().get(f"/api/v1/organizations/{slug}", headers=header).status_code == 401
    assert not Membership.objects.filter(organization=organization).exists()
    left = AuditText.objects.filter(organization_id=organization.pk)
    assert not left.exclude(text="127.0.0.1").exists()
    before = totals(organization)
    services.sweep(at=at + 60 * MINUTE)
    assert totals(organization) == before
    assert not Session.objects.running().exists()


def test_only_owners_delete_an_organization(organization, editor, member, stranger, at, client_of):
    path = f"/organizations/{organization.slug}/settings/delete/"
    for person, status in ((editor, 403), (member, 403), (stranger, 404)):
        assert client_of(person).get(path).status_code == status
        assert client_of(person).post(path, {"slug": organization.slug}).status_code == status
    assert Client().get(path).status_code == 302
    with pytest.raises(Refusal) as refused:
        services.delete_organization(actor=actor(editor), at=at, organization=organization)
    assert refused.value.code == "not_an_owner"


def test_the_address_of_a_deleted_organization_is_free_again(organization, owner, at):
    slug = organization.slug
    services.delete_organization(actor=actor(owner), at=at, organization=organization)
    from orgs.services import create_organization

    made = create_organization(actor=actor(owner), at=at, person=owner, name="Again", slug=slug)
    assert made.pk != organization.pk


def test_the_entries_of_a_deleted_organization_stay_and_verify(organization, owner, at):
    sealing.seal_entries(at=at)
    services.delete_organization(actor=actor(owner), at=at, organization=organization)
    sealing.seal_entries(at=at)
    assert verdict_of(organization.pk).findings == ()
    last = AuditEntry.objects.filter(organization_id=organization.pk).order_by("-id")[0]
    assert last.event == Event.ORGANIZATION_DELETED


def test_a_person_without_other_organizations_can_go_after_deleting_theirs(organization, owner, at):
    services.delete_organization(actor=actor(owner), at=at, organization=organization)
    services.erase_person(actor=actor(owner), at=at, person=owner)
    owner.refresh_from_db()
    assert owner.is_erased
    assert at == factories.AT
