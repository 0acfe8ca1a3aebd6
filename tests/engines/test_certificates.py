"""Certificates as a client with a wrong clock sees them, both ways."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from sessions.engines.certificates import (
    BACKDATED,
    door_authority,
    door_certificate,
    make_certificates,
    server_name,
)

NOW = datetime(2026, 3, 11, 12, 0, tzinfo=UTC)
UNTIL = NOW + timedelta(hours=2)
TEN_MINUTES = timedelta(minutes=10)
SECOND = timedelta(seconds=1)


def load(pem):
    return x509.load_pem_x509_certificate(pem.encode())


def trusts_server(authority, certificate, name, at):
    """What `docker --tlsverify` checks when its own clock says `at`."""
    builder = PolicyBuilder().store(Store([load(authority)])).time(at)
    verifier = builder.build_server_verifier(x509.DNSName(name))
    try:
        verifier.verify(load(certificate), [])
    except VerificationError:
        return False
    return True


def is_current(certificate, at):
    found = load(certificate)
    return found.not_valid_before_utc <= at <= found.not_valid_after_utc


@pytest.mark.parametrize("off", [-TEN_MINUTES, timedelta(0), TEN_MINUTES])
def test_a_clock_ten_minutes_off_finds_a_sessions_certificates_good(off):
    session = uuid.uuid4()
    name = server_name(session, "*.engines.test")
    made = make_certificates(session, [name], at=NOW, until=UNTIL)
    assert trusts_server(made.authority, made.server.certificate, name, NOW + off)
    assert is_current(made.client.certificate, NOW + off)
    # At the end of the longest session there is an hour left for a clock that is ahead.
    assert trusts_server(made.authority, made.server.certificate, name, UNTIL - TEN_MINUTES + off)


@pytest.mark.parametrize("off", [-TEN_MINUTES, timedelta(0), TEN_MINUTES])
def test_a_clock_ten_minutes_off_finds_the_doors_certificate_good(off):
    authority = door_authority(at=NOW, until=UNTIL)
    shown = door_certificate(["localhost"], at=NOW, until=NOW + timedelta(days=30))
    assert trusts_server(authority, shown.certificate, "localhost", NOW + off)


@pytest.mark.parametrize(
    ("at", "good"),
    [
        (NOW - BACKDATED - SECOND, False),
        (NOW - BACKDATED, True),
        (UNTIL, True),
        (UNTIL + SECOND, False),
    ],
)
def test_a_clock_an_hour_behind_is_the_bound(at, good):
    made = make_certificates(uuid.uuid4(), ["localhost"], at=NOW, until=UNTIL)
    assert trusts_server(made.authority, made.server.certificate, "localhost", at) is good


def test_another_sessions_authority_vouches_for_nobody_else():
    names = ["a.engines.test", "b.engines.test"]
    first, second = (make_certificates(uuid.uuid4(), [name], at=NOW, until=UNTIL) for name in names)
    assert not trusts_server(second.authority, first.server.certificate, names[0], NOW)
    assert not trusts_server(first.authority, first.server.certificate, names[1], NOW)


def test_the_longest_public_host_still_makes_a_name():
    name = server_name(uuid.uuid4(), "*." + "x" * 60 + ".test")
    made = make_certificates(uuid.uuid4(), [name], at=NOW, until=UNTIL)
    assert trusts_server(made.authority, made.server.certificate, name, NOW)
