"""The audit log: what an entry holds, how it is found, sealed and verified (rules 7 and 27)."""

import csv
import io
import re
import uuid
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from offload_portal.common.actors import PORTAL, Actor
from orgs import chain, services
from orgs.enums import Event, Role
from orgs.models import AuditCheck, AuditEntry, AuditSeal, AuditText
from orgs.selectors import AuditFilter, audit_export, audit_page
from orgs.selectors.audit_chain import verdict_of
from orgs.services import audit, sealing
from tests.factories import actor

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

ADDRESS = "203.0.113.9"


def changed(place, owner, at, zone, origin=ADDRESS):
    services.update_organization(
        actor=Actor(owner.pk, origin), at=at, organization=place, zone=zone
    )


def rows_of(place, **wanted):
    return list(audit_export(place, AuditFilter(**wanted)))


def everything_stored():
    return str(list(AuditEntry.objects.order_by("id").values()))


def test_an_address_stands_beside_the_entry_and_its_digest_in_it(place, owner, at):
    changed(place, owner, at, "UTC")
    entry = AuditEntry.objects.get(event=Event.ORGANIZATION_CHANGED)
    assert chain.is_digest(entry.origin)
    assert ADDRESS not in everything_stored()
    assert rows_of(place)[0].origin == ADDRESS


def test_the_word_of_a_door_stays_a_word(place, owner, at):
    changed(place, owner, at, "UTC", origin="sweep")
    assert AuditEntry.objects.get(event=Event.ORGANIZATION_CHANGED).origin == "sweep"


def test_the_same_address_of_two_people_gives_two_digests(place, owner, at):
    other = uuid.uuid4()
    digests = {chain.digest_of(ADDRESS, place.pk, each) for each in (owner.pk, other)}
    digests |= {chain.digest_of(ADDRESS, uuid.uuid4(), owner.pk)}
    assert len(digests) == 3


def test_another_key_gives_another_digest(place, owner, settings):
    first = chain.digest_of(ADDRESS, place.pk, owner.pk)
    settings.AUDIT_KEY = "another"
    assert chain.digest_of(ADDRESS, place.pk, owner.pk) != first


def test_a_value_that_names_somebody_is_kept_as_a_digest(place, owner, at):
    audit.record(
        event=Event.LIMIT_CHANGED,
        actor=actor(owner),
        at=at,
        organization_id=place.pk,
        subject=("limit", None),
        before={"reason": audit.Named("Ada asked")},
        after={"reason": audit.Named("Bob asked"), "mode": "off"},
    )
    assert "Ada" not in everything_stored()
    row = rows_of(place, event=Event.LIMIT_CHANGED)[0]
    assert (row.before, row.after) == (
        {"reason": "Ada asked"},
        {"reason": "Bob asked", "mode": "off"},
    )
    assert ("reason", "Ada asked", "Bob asked") in [
        (each.name, each.before, each.after) for each in row.differences
    ]


def test_an_invitations_address_is_shown_as_long_as_its_text_stands(place, owner, at):
    services.invite(actor=actor(owner), at=at, organization=place, emails=["ada@example.com"])
    assert "ada@" not in everything_stored()
    assert rows_of(place, event=Event.INVITATION_SENT)[0].subject == "ada@example.com"
    AuditText.objects.filter(text="ada@example.com").delete()
    assert rows_of(place, event=Event.INVITATION_SENT)[0].subject == "erased"


# Finding


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Asia/Tokyo", True),
        ("asia/tok", True),
        ("Olga", True),
        (ADDRESS, True),
        ("organization.changed", True),
        ("Organization changed", True),
        ("nothing like it", False),
        ("%", False),
    ],
)
def test_a_text_is_found_in_names_addresses_events_and_values(place, owner, at, text, found):
    changed(place, owner, at, "Asia/Tokyo")
    events = [row.event for row in rows_of(place, text=text)]
    assert (Event.ORGANIZATION_CHANGED in events) == found


def test_letters_beyond_ascii_are_found_in_values(place, owner, at):
    services.update_organization(actor=actor(owner), at=at, organization=place, name="北风 ü")
    assert [row.event for row in rows_of(place, text="北风")] == [Event.ORGANIZATION_CHANGED]


def test_an_identifier_finds_what_it_did_and_what_was_done_to_it(place, owner, join, at):
    max_ = join(place, "Max")
    services.change_role(
        actor=actor(owner), at=at, organization=place, person=max_, role=Role.EDITOR
    )
    assert len(rows_of(place, text=str(max_.pk))) == 1
    assert len(rows_of(place, subject_id=max_.pk)) == 1


def test_since_is_included_and_until_is_not(place, owner, at):
    later = at + timedelta(seconds=1)
    changed(place, owner, later, "UTC")
    assert len(rows_of(place, event=Event.ORGANIZATION_CHANGED, since=later)) == 1
    assert not rows_of(place, since=later + timedelta(seconds=1))
    assert not rows_of(place, event=Event.ORGANIZATION_CHANGED, until=later)
    assert rows_of(place, event=Event.ORGANIZATION_CHANGED, until=later + timedelta(seconds=1))


def test_pages_by_key_show_each_entry_once(place, owner, at):
    for number in range(7):
        changed(place, owner, at, "UTC" if number % 2 else "Asia/Tokyo")
    total = AuditEntry.objects.filter(organization_id=place.pk).count()
    seen, key = [], None
    while True:
        page = audit_page(place, AuditFilter(), older_than=key, size=3)
        seen += [row.id for row in page.rows]
        key = page.older
        if key is None:
            break
    assert len(seen) == len(set(seen)) == total


def test_another_organizations_entries_are_never_found(place, owner, stranger, at):
    other = services.create_organization(
        actor=Actor(stranger.pk, ADDRESS), at=at, person=stranger, name="Other"
    )
    changed(place, owner, at, "UTC")
    found = rows_of(place, text=str(other.pk)) + rows_of(place, actor_id=stranger.pk)
    assert found == []
    assert (
        audit_page(
            place,
            AuditFilter(),
            older_than=AuditEntry.objects.filter(organization_id=other.pk).order_by("id")[0].pk,
        ).newer
        is None
    )


def test_the_page_filters_by_days_of_the_readers_zone(place, owner, at, client_of):
    # 22:30 UTC on the 10th is the 11th in Berlin, where the organization lies.
    changed(place, owner, at.replace(day=10, hour=23, minute=30), "Europe/Berlin")
    changed(place, owner, at.replace(day=10, hour=23, minute=30), "UTC")
    place.zone = "Europe/Berlin"
    place.save()
    browser = client_of(owner)
    there = browser.get(f"/organizations/{place.slug}/audit/?from=2026-03-11&event={CHANGED}")
    assert "Organization changed" in body(there)
    gone = browser.get(f"/organizations/{place.slug}/audit/?to=2026-03-10&event={CHANGED}")
    assert "Nothing matches" in gone.content.decode()
    odd = browser.get(f"/organizations/{place.slug}/audit/?from=0001-01-01&to=99999&subject=x")
    assert odd.status_code == 200


CHANGED = "organization.changed"


def body(response):
    return response.content.decode().partition("<tbody>")[2].partition("</tbody>")[0]


def test_the_download_has_the_pages_rows_and_no_live_formulas(place, owner, at, client_of):
    services.update_organization(actor=actor(owner), at=at, organization=place, name="=1+1")
    owner.name = "=cmd()"
    owner.save()
    response = client_of(owner).get(f"/organizations/{place.slug}/audit.csv?event={CHANGED}")
    assert response.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode())))
    assert len(rows) == 2
    assert rows[1][4] == "'=cmd()"
    assert rows[1][3] == CHANGED


def test_a_page_asks_as_many_statements_for_one_entry_as_for_fifty(
    place, owner, at, client_of, django_assert_max_num_queries
):
    browser = client_of(owner)
    path = f"/organizations/{place.slug}/audit/?q=zone"
    counts = []
    for number in (1, 49):
        for each in range(number):
            changed(place, owner, at, "UTC" if each % 2 else "Asia/Tokyo")
        with django_assert_max_num_queries(15) as asked:
            browser.get(path)
        counts.append(len(asked))
    assert counts[0] == counts[1]


# Sealing


def test_entries_are_numbered_from_one_in_each_organization(place, owner, stranger, at):
    services.create_organization(actor=actor(stranger), at=at, person=stranger, name="Other")
    changed(place, owner, at, "UTC")
    assert sealing.seal_entries(at=at) == 3
    numbers = AuditSeal.objects.filter(chain_id=place.pk).order_by("number")
    assert list(numbers.values_list("number", flat=True)) == [1, 2]
    assert sealing.seal_entries(at=at) == 0, "sealing twice changes nothing"
    assert rows_of(place)[0].number == 2


def test_a_whole_log_verifies_and_what_is_unsealed_is_counted(place, owner, at):
    sealing.seal_entries(at=at)
    changed(place, owner, at, "UTC")
    verdict = verdict_of(place.pk)
    assert (verdict.sealed, verdict.unsealed, verdict.findings) == (1, 1, ())
    sealing.seal_entries(at=at)
    assert verdict_of(place.pk).unsealed == 0


def test_what_concerns_no_organization_has_a_chain_of_its_own(owner, at):
    audit.record(
        event=Event.TOKEN_CREATED,
        actor=actor(owner),
        at=at,
        organization_id=None,
        subject=("token", uuid.uuid4()),
    )
    sealing.seal_entries(at=at)
    assert verdict_of(chain.CHAIN_OF_NONE).sealed == 1


@pytest.fixture
def tampering(place, owner, at):
    """Lets a test do what PostgreSQL refuses: the tables' owner lifts the guard."""
    for zone in ("UTC", "Asia/Tokyo", "UTC"):
        changed(place, owner, at, zone)
    sealing.seal_entries(at=at)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for table in ("orgs_auditentry", "orgs_auditseal"):
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    return AuditEntry.objects.filter(organization_id=place.pk).order_by("id")


@pytest.mark.parametrize(
    "change",
    [
        {"event": "member.removed"},
        {"actor_id": uuid.UUID(int=1)},
        {"origin": "elsewhere"},
        {"after": {"zone": "Mars"}},
        {"before": {}},
        {"subject_id": None},
        {"subject_kind": "person"},
        {"subject_name": "hmac:0"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_altered_row_is_found(place, tampering, change):
    AuditEntry.objects.filter(pk=tampering[1].pk).update(**change)
    (finding,) = verdict_of(place.pk).findings
    assert "number 2" in finding
    assert "altered" in finding


def test_a_moved_instant_is_found(place, tampering, at):
    AuditEntry.objects.filter(pk=tampering[0].pk).update(at=at + timedelta(seconds=1))
    assert "altered" in verdict_of(place.pk).findings[0]


def test_a_missing_row_is_found_with_and_without_its_seal(place, tampering):
    gone = tampering[1].pk
    AuditEntry.objects.filter(pk=gone).delete()
    assert "missing" in verdict_of(place.pk).findings[0]
    AuditSeal.objects.filter(entry_id=gone).delete()
    assert "seals 2 to 2 are missing" in verdict_of(place.pk).findings


def test_a_row_moved_to_another_organization_is_found(place, tampering):
    AuditEntry.objects.filter(pk=tampering[2].pk).update(organization_id=uuid.uuid4())
    assert "moved" in verdict_of(place.pk).findings[0]


def test_two_rows_that_changed_places_are_found(place, tampering):
    first, second = AuditSeal.objects.filter(chain_id=place.pk).order_by("number")[:2]
    AuditSeal.objects.filter(pk=first.pk).update(entry_id=uuid.uuid4())
    AuditSeal.objects.filter(pk=second.pk).update(entry_id=first.entry_id)
    AuditSeal.objects.filter(pk=first.pk).update(entry_id=second.entry_id)
    assert len(verdict_of(place.pk).findings) == 2


def test_a_chain_made_with_another_key_is_told_apart_from_an_altered_row(
    place, tampering, settings
):
    settings.AUDIT_KEY = "another"
    assert all("another AUDIT_KEY" in each for each in verdict_of(place.pk).findings)


def test_erasing_texts_leaves_the_chain_whole(place, owner, at):
    changed(place, owner, at, "UTC")
    sealing.seal_entries(at=at)
    AuditText.objects.all().delete()
    assert verdict_of(place.pk).findings == ()
    assert rows_of(place)[0].origin == "erased"


def test_the_command_says_what_it_finds(place, tampering, capsys):
    call_command("verify_audit", organization=place.slug)
    assert "4 sealed entries in 1 chains, 0 not yet sealed" in capsys.readouterr().out
    AuditEntry.objects.filter(pk=tampering[0].pk).update(origin="elsewhere")
    with pytest.raises(CommandError, match="not whole"):
        call_command("verify_audit")
    assert "altered" in capsys.readouterr().err
    with pytest.raises(CommandError, match="No organization"):
        call_command("verify_audit", organization="nowhere")


def test_the_nightly_check_seals_verifies_and_writes_down_what_it_found(place, tampering, at):
    assert sealing.check_audit(at=at).findings == 0
    AuditEntry.objects.filter(pk=tampering[0].pk).update(origin="elsewhere")
    assert sealing.check_audit(at=at + timedelta(days=1)).findings == 1
    assert AuditCheck.objects.count() == 2


def test_every_event_of_the_list_has_the_form_subject_dot_act():
    assert all(re.fullmatch(r"[a-z_]+\.[a-z_]+", value) for value in Event.values)
    assert PORTAL.id is None
