"""What was metered stays: the application's role can't change closed hours (R18, rule 17)."""

from datetime import timedelta

import psycopg
import pytest
from django.db import connection

from sessions import services
from tests.roles import application_role
from tests.sessions import worlds
from usage.models import LedgerEntry

pytestmark = [
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
    pytest.mark.postgresql,
]
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _on_postgresql():
    if connection.vendor != "postgresql":
        pytest.fail("run by the PostgreSQL pass only")


NEVER = (
    "DELETE FROM usage_ledgerentry",
    "TRUNCATE usage_ledgerentry",
    "DELETE FROM usage_unpaidtime",
    "DROP TRIGGER usage_ledgerentry_stays ON usage_ledgerentry",
    "ALTER TABLE usage_ledgerentry DISABLE TRIGGER USER",
)
CHANGE = "UPDATE usage_ledgerentry SET engine_size = engine_size WHERE hour = %s"


def test_an_hour_is_open_until_the_watermark_has_passed_its_end(organization, member, at):
    session = worlds.start(organization, member, at)
    for number in range(62):
        worlds.report(session, at + number * MINUTE, number + 1)
    with application_role() as link:
        for past, may in ((-1, True), (0, False), (1, False)):
            until = at + timedelta(seconds=3_600 + past)
            services.meter_organization(organization_id=organization.pk, at=until)
            if may:
                assert link.execute(CHANGE, [at]).rowcount == 1
                continue
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="hour is closed"):
                link.execute(CHANGE, [at])
        assert link.execute(CHANGE, [at + 60 * MINUTE]).rowcount == 1, "the hour that runs is open"
        for statement in NEVER:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                link.execute(statement)
    assert LedgerEntry.objects.get(hour=at).seconds == 3_600
