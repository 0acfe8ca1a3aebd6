"""What an activity report leans on in its one statement, on PostgreSQL.

A statement there sees what was committed before it began, so that one that waits for a lock goes by
what was there before the wait. A statement inside a volatile function begins when its turn comes:
after the lock is held.
"""

from django.db import migrations

MAKE = """
CREATE OR REPLACE FUNCTION offload_sessions_stand(
    the_session uuid,
    its_version integer,
    its_organization uuid,
    its_mark timestamptz,
    its_lock bigint
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(its_lock);
    RETURN EXISTS (
        SELECT 1
        FROM offload_sessions_session AS s, usage_allowance AS a
        WHERE s.id = the_session
            AND s.version = its_version
            AND a.organization_id = its_organization
            AND a.metered_until = its_mark
    );
END
$$
"""
DROP = "DROP FUNCTION IF EXISTS offload_sessions_stand(uuid, integer, uuid, timestamptz, bigint)"


def make(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(MAKE)


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(DROP)


class Migration(migrations.Migration):
    dependencies = [
        ("offload_sessions", "0006_lost_answers_of_keys_are_given_again"),
        ("usage", "0003_plan_catalog"),
    ]

    operations = [migrations.RunPython(make, drop)]
