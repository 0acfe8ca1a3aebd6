"""The benchmarks' data set is a world that could have come about."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db import transaction

from offload_portal.common.periods import to_seconds
from orgs.models import Membership, Token
from orgs.services import tokens
from sessions import clock, services
from sessions.models import Session
from sessions.selectors.facts import facts_of
from sessions.selectors.reconciliation import differences
from tests.benchmarks.data import DataSet, make
from tests.sessions.lives import seen
from usage.models import Allowance

pytestmark = pytest.mark.django_db
SMALL = DataSet(organizations=3, sessions=14)


@pytest.fixture
def made(at):
    make(SMALL, at)
    return SMALL


def test_sessions_are_active_and_the_ledger_explains_them(made, at):
    running = list(Session.objects.with_facts().running().order_by("id"))
    assert [row.pk for row in running] == [made.identifier("session", n) for n in range(14)]
    assert Counter(row.organization.slug for row in running) == {
        "bench-0": 5,
        "bench-1": 5,
        "bench-2": 4,
    }
    later = at + timedelta(hours=1)
    for row in running:
        assert str(clock.state_at(facts_of(row), to_seconds(at)).state) == "active"
        assert str(clock.state_at(facts_of(row), to_seconds(later)).state) != "ended"
        view = seen(row, at)
        assert sum(use.seconds for use in view.by_source.values()) == view.billed_seconds
    for allowance in Allowance.objects.all():
        services.meter_organization(organization_id=allowance.pk, at=at + timedelta(hours=3))
    assert not Session.objects.running().exists()
    assert list(differences()) == []


def test_its_tokens_open_what_their_people_may(made, at):
    for number in range(14):
        value = made.token(number)
        assert tokens.is_well_formed(value)
        token = Token.objects.get(digest=tokens.digest(value))
        assert token.person_id == made.identifier("person", number)
    owners = Membership.objects.owners().filter(organization__slug__startswith="bench-")
    assert owners.count() == 3


def test_the_same_arguments_give_the_same_rows(at):
    def rows():
        make(SMALL, at)
        found = Session.objects.running().order_by("id")
        return list(found.values_list("id", "created_at", "multiplier", "person__tokens__digest"))

    savepoint = transaction.savepoint()
    before = rows()
    transaction.savepoint_rollback(savepoint)
    assert len(before) == 14
    assert rows() == before
