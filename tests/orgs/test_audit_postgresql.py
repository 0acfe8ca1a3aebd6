"""The audit log on PostgreSQL: entries that commit late, two sealers at once, two roles (R18)."""

import os
import secrets
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.conf import settings
from django.db import DatabaseError, connection, connections, transaction

from orgs import services
from orgs.models import AuditEntry, AuditSeal, AuditText
from orgs.selectors.audit_chain import verdict_of
from orgs.selectors.audit_guard import unguarded
from orgs.services import sealing
from tests.factories import actor
from tests.roles import application_role

pytestmark = [
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
    pytest.mark.postgresql,
]
WAIT = 20


@pytest.fixture(autouse=True)
def _on_postgresql():
    if connection.vendor != "postgresql":
        pytest.fail("run by the PostgreSQL pass only")


def change(place, owner, at, zone):
    services.update_organization(actor=actor(owner), at=at, organization=place, zone=zone)


def in_thread(work):
    def run():
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_an_entry_that_commits_after_later_ones_were_sealed_gets_a_later_number(
    place, stranger, owner, at
):
    other = services.create_organization(
        actor=actor(stranger), at=at, person=stranger, name="Other"
    )
    written, may_commit = threading.Event(), threading.Event()

    def slow():
        with transaction.atomic():
            AuditEntry.objects.create(
                organization_id=place.pk, at=at, event="policy.changed", subject_kind="policy"
            )
            written.set()
            assert may_commit.wait(WAIT)

    thread = in_thread(slow)
    assert written.wait(WAIT)
    change(place, owner, at, "Asia/Tokyo")
    sealing.seal_entries(at=at)
    before = verdict_of(place.pk)
    assert (before.sealed, before.findings) == (2, ()), "nobody waited for the slow one"
    may_commit.set()
    thread.join()
    assert verdict_of(place.pk).unsealed == 1
    change(place, owner, at, "UTC")
    sealing.seal_entries(at=at)
    after = verdict_of(place.pk)
    assert (after.sealed, after.unsealed, after.findings) == (4, 0, ())
    late = AuditEntry.objects.get(event="policy.changed")
    assert AuditSeal.objects.get(entry_id=late.pk).number == 3
    assert verdict_of(other.pk).findings == ()


def test_writing_does_not_wait_for_a_sealer_that_is_at_work(place, owner, at):
    sealed, may_commit = threading.Event(), threading.Event()

    def slow():
        with transaction.atomic():
            sealing.seal_entries(at=at)
            sealed.set()
            assert may_commit.wait(WAIT)

    thread = in_thread(slow)
    assert sealed.wait(WAIT)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '2s'")
    change(place, owner, at, "Asia/Tokyo")
    may_commit.set()
    thread.join()
    sealing.seal_entries(at=at)
    assert verdict_of(place.pk).findings == ()


def test_sealers_and_writers_at_once_leave_one_whole_chain(place, owner, at):
    def write():
        for zone in ("Asia/Tokyo", "UTC") * 10:
            change(place, owner, at, zone)

    def seal():
        for _ in range(15):
            sealing.seal_entries(at=at)

    def closing(work):
        try:
            work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(closing, (write, seal, write, seal, seal, seal)))
    sealing.seal_entries(at=at)
    verdict = verdict_of(place.pk)
    entries = AuditEntry.objects.filter(organization_id=place.pk).count()
    assert (verdict.sealed, verdict.unsealed, verdict.findings) == (entries, 0, ())


# Roles


@pytest.fixture
def application(place, owner, at):
    """A connection as the application's own role, which `grant_to` has just given its rights."""
    change(place, owner, at, "Asia/Tokyo")
    sealing.seal_entries(at=at)
    with application_role() as link:
        yield link


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE orgs_auditentry SET event = 'x'",
        "UPDATE orgs_auditentry SET origin = origin",
        "DELETE FROM orgs_auditentry",
        "TRUNCATE orgs_auditentry",
        "UPDATE orgs_auditseal SET number = number + 1000",
        "DELETE FROM orgs_auditseal",
        "TRUNCATE orgs_auditseal",
        "ALTER TABLE orgs_auditentry DISABLE TRIGGER USER",
        "DROP TRIGGER orgs_auditentry_never_changes ON orgs_auditentry",
        "DROP TABLE orgs_auditseal",
        "SET session_replication_role = replica",
        "DELETE FROM django_migrations",
        (
            "CREATE OR REPLACE FUNCTION portal_refuse_change() RETURNS trigger LANGUAGE plpgsql "
            "AS $$ BEGIN RETURN NEW; END $$"
        ),
    ],
)
def test_the_applications_role_can_change_nothing_of_the_log(application, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute(statement)


def test_the_applications_role_does_everything_else(application, at):
    columns = [str(field.column) for field in AuditEntry._meta.fields if field.column != "id"]
    names = ", ".join(columns)
    copied = f"gen_random_uuid(), {names} FROM orgs_auditentry LIMIT 1"
    application.execute(f"INSERT INTO orgs_auditentry (id, {names}) SELECT {copied}")
    application.execute("UPDATE orgs_organization SET name = 'Renamed'")
    application.execute("DELETE FROM orgs_audittext")
    assert not AuditText.objects.exists(), "what names a person can be erased"


@pytest.mark.parametrize("table", [AuditEntry, AuditSeal])
def test_not_even_the_owner_changes_a_row_by_accident(place, owner, at, table):
    change(place, owner, at, "Asia/Tokyo")
    sealing.seal_entries(at=at)
    with pytest.raises(DatabaseError, match="only ever added"), transaction.atomic():
        table.objects.all().delete()
    field = "origin" if table is AuditEntry else "hash"
    with pytest.raises(DatabaseError, match="only ever added"), transaction.atomic():
        table.objects.all().update(**{field: "x"})


def test_a_role_that_may_change_the_log_is_named():
    assert any("may DELETE orgs_auditentry" in sentence for sentence in unguarded())


def test_prepare_migrates_as_the_owner_and_the_application_works_under_its_role(tmp_path):
    name = f"portal_roles_{secrets.token_hex(4)}"
    role, password = f"{name}_app", secrets.token_hex(8)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        cursor.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    owner_url = urlsplit(str(settings.DATABASE_URL))._replace(path=f"/{name}")
    place = owner_url.netloc.rpartition("@")[2]
    surroundings = {
        **os.environ,
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": urlunsplit(owner_url._replace(netloc=f"{role}:{password}@{place}")),
        "MIGRATE_DATABASE_URL": urlunsplit(owner_url),
        "DJANGO_SETTINGS_MODULE": "offload_portal.settings",
    }

    def manage(*arguments):
        done = subprocess.run(
            [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments],
            env=surroundings,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    try:
        assert manage("prepare")[0] == 0
        code, said = manage("verify_audit")
        assert (code, "Note:" in said) == (0, False), said
        assert "must be owner" in manage("migrate", "orgs", "zero")[1]
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}")
            cursor.execute(f"DROP ROLE {role}")
