"""`GET /sessions/{id}/engine`: the key is given once, to its user, and leaves no trace."""

import threading
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.db import connection
from django.test import override_settings

from orgs.models import AuditEntry
from sessions import services
from sessions.models import EngineKeys, Session
from tests.factories import actor

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(organization, member, at):
    """A session on an engine of the portal's that is ready."""
    return on_an_engine(organization, member, at)


def on_an_engine(organization, member, at, **more):
    from tests.sessions.lives import start

    made = start(organization, member, at)
    Session.objects.filter(pk=made.pk).update(provider="local", **more)
    made = Session.objects.with_facts().get(pk=made.pk)
    services.make_keys(made, at)
    return made


def path(session):
    return f"sessions/{session.pk}/engine"


def test_its_user_gets_the_key_once(api, member, session, clock):
    caller = api(member)
    first = caller.get(path(session))
    assert first.status_code == 200, first.content
    assert first.headers["Cache-Control"] == "no-store"
    body = first.json()
    assert (body["host"], body["server_name"]) == ("tcp://localhost:2376", "localhost")
    assert body["key"].startswith("-----BEGIN PRIVATE KEY-----")
    assert body["note"] == ""
    clock.shift(30)
    again = caller.get(path(session)).json()
    assert again["key"] is None
    assert again["key_given_at"] == body["key_given_at"] == "2026-03-11T12:00:00Z"
    assert "start another" in again["note"]
    assert again["certificate"] == body["certificate"]


@pytest.mark.parametrize(("seconds", "again"), [(0, True), (29, True), (30, False), (31, False)])
def test_a_lost_answer_is_fetched_again_within_half_a_minute(
    api, member, session, clock, seconds, again
):
    caller = api(member)
    first = caller.get(path(session)).json()
    clock.shift(seconds)
    body = caller.get(path(session)).json()
    assert body["key"] == (first["key"] if again else None)
    assert body["key_given_at"] == first["key_given_at"]
    assert bool(body["note"]) is not again
    entries = AuditEntry.objects.filter(event="session.key_given")
    assert entries.count() == 1 + again


def test_fetching_it_again_does_not_prolong_the_half_minute(api, member, session, clock):
    caller = api(member)
    caller.get(path(session))
    clock.shift(20)
    assert caller.get(path(session)).json()["key"]
    clock.shift(10)
    assert caller.get(path(session)).json()["key"] is None


def test_another_token_of_the_same_person_gets_no_key_any_more(api, member, session):
    assert api(member).get(path(session)).json()["key"]
    assert api(member).get(path(session)).json()["key"] is None


def test_once_it_was_used_at_the_door_it_is_gone(api, member, session):
    caller = api(member)
    caller.get(path(session))
    services.note_key_used(session_id=session.pk)
    assert EngineKeys.objects.get(pk=session.pk).client_key == ""
    assert caller.get(path(session)).json()["key"] is None


def test_a_key_that_was_not_given_yet_can_not_have_been_used(api, member, session):
    services.note_key_used(session_id=session.pk)
    assert api(member).get(path(session)).json()["key"]


@pytest.mark.parametrize(("seconds", "kept"), [(29, True), (30, False)])
def test_after_half_a_minute_it_is_nowhere(api, member, session, at, seconds, kept):
    api(member).get(path(session))
    services.forget_keys(at=at + timedelta(seconds=seconds))
    assert bool(EngineKeys.objects.get(pk=session.pk).client_key) is kept


def test_forgetting_leaves_keys_that_nobody_has_fetched_yet(api, member, session, at, clock):
    services.forget_keys(at=at + timedelta(hours=1))
    assert api(member).get(path(session)).json()["key"]


def test_the_key_belongs_to_the_certificate_and_the_session(api, member, session):
    body = api(member).get(path(session)).json()
    certificate = x509.load_pem_x509_certificate(body["certificate"].encode())
    key = load_pem_private_key(body["key"].encode(), None)
    assert key.public_key() == certificate.public_key()
    authority = x509.load_pem_x509_certificate(
        EngineKeys.objects.get(pk=session.pk).ca_pem.encode()
    )
    certificate.verify_directly_issued_by(authority)


def test_the_key_is_sealed_before_and_afterwards(api, member, session):
    for _look in range(2):
        row = EngineKeys.objects.get(pk=session.pk)
        assert "PRIVATE KEY" not in row.client_key + row.server_key
        api(member).get(path(session))


def test_a_head_does_not_use_the_key_up(api, member, session):
    caller = api(member)
    assert caller.call("HEAD", path(session)).status_code == 405
    assert caller.get(path(session)).json()["key"]


def test_the_audit_log_has_no_secret(api, member, session):
    body = api(member).get(path(session)).json()
    entry = AuditEntry.objects.get(event="session.key_given")
    assert (entry.actor_id, entry.subject_id) == (member.pk, session.pk)
    assert body["key"] not in str(entry.after) + str(entry.before)
    assert list(entry.after) == ["expires_at"]


def test_owner_colleague_and_stranger_get_404(api, owner, colleague, stranger, session):
    for person in (owner, colleague, stranger):
        assert api(person).get(path(session)).status_code == 404
    assert EngineKeys.objects.get(pk=session.pk).key_given_at is None


def test_before_it_is_ready_it_is_409(api, member, organization, at):
    session = on_an_engine(organization, member, at, ready_at=None)
    answer = api(member).get(path(session))
    assert (answer.status_code, answer.json()["code"]) == (409, "session_not_ready")


def test_after_the_end_it_is_410(api, member, session, clock):
    clock.shift(session.idle_end_seconds - 1)
    assert api(member).get(path(session)).status_code == 200
    clock.shift(1)
    answer = api(member).get(path(session))
    assert (answer.status_code, answer.json()["code"]) == (410, "session_ended")
    assert answer.json()["end_reason"] == "idle"


def test_an_external_engine_is_409(api, member, organization):
    started = api(member).post("sessions", {"organization": organization.slug}).json()
    answer = api(member).get(f"sessions/{started['id']}/engine")
    assert (answer.status_code, answer.json()["code"]) == (409, "engine_is_external")


def test_a_name_of_its_own_comes_with_an_authority_of_its_own(api, member, organization, at):
    with override_settings(ENGINE_PUBLIC_HOST="*.engines.example.com"):
        session = on_an_engine(organization, member, at)
        body = api(member).get(path(session)).json()
    name = f"{session.pk.hex}.engines.example.com"
    assert body["host"] == f"tcp://{name}:2376"
    keys = EngineKeys.objects.get(pk=session.pk)
    assert body["ca"] == keys.ca_pem
    certificate = x509.load_pem_x509_certificate(keys.server_cert_pem.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == [name]


def test_keys_are_made_once(session, at):
    made = EngineKeys.objects.get(pk=session.pk)
    assert services.make_keys(session, at + timedelta(seconds=5)).ca_pem == made.ca_pem


def test_certificates_outlive_the_longest_session(member, organization, at):
    session = on_an_engine(organization, member, at)
    keys = EngineKeys.objects.get(pk=session.pk)
    assert keys.expires_at == at + timedelta(days=30)
    keys.delete()
    session.longest_seconds = 3_600
    assert services.make_keys(session, at).expires_at == at + timedelta(hours=2)


def test_expired_keys_are_forgotten(session, at):
    keys = EngineKeys.objects.get(pk=session.pk)
    assert services.forget_keys(at=keys.expires_at) == 0
    assert services.forget_keys(at=keys.expires_at + timedelta(seconds=1)) == 1


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_two_clients_at_once_get_one_key(organization, member, at):
    session = on_an_engine(organization, member, at)
    keys, ready = [], threading.Barrier(4)

    def ask(caller):
        ready.wait()
        given = services.give_keys(actor=actor(member), at=at, session=session, caller=caller)
        keys.append(given.key)
        connection.close()

    threads = [threading.Thread(target=ask, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 4
    assert sum(key is not None for key in keys) == 1
