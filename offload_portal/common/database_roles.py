"""Two database roles on PostgreSQL (R18): an owner who migrates, and the application's.

The application's role reads and writes rows; it can neither change tables nor touch those that
are only ever added to.
"""

from django.db import connection

ONLY_ADDED = ("orgs_auditentry", "orgs_auditseal")
# Usage entries grow while their hour is open, and a trigger refuses it afterwards.
NEVER_DELETED = ("usage_ledgerentry", "usage_unpaidtime")
ONLY_READ = ("django_migrations",)


def grant_to(role: str) -> None:
    """Give the role what the application needs and no more; again changes nothing.

    Runs on the owner's connection, after each migration: new tables need it, too.
    """
    if connection.vendor != "postgresql":
        raise ValueError("Only PostgreSQL has roles.")
    name = connection.ops.quote_name(role)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        schema = connection.ops.quote_name(cursor.fetchone()[0])
        for statement in (
            f"GRANT USAGE ON SCHEMA {schema} TO {name}",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {name}",
            f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {name}",
            *(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {name}" for table in ONLY_ADDED),
            *(f"REVOKE DELETE, TRUNCATE ON {table} FROM {name}" for table in NEVER_DELETED),
            *(f"REVOKE INSERT, UPDATE, DELETE ON {table} FROM {name}" for table in ONLY_READ),
        ):
            cursor.execute(statement)
