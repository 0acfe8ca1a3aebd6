"""Whether the database itself refuses to change the audit log (R18)."""

from django.db import connection

from orgs.models import AuditEntry, AuditSeal

TABLES = (AuditEntry._meta.db_table, AuditSeal._meta.db_table)


def unguarded() -> list[str]:
    """What the role of DATABASE_URL could do to the log, as sentences; [] where nothing.

    On SQLite there are no roles: whoever can write the file can write every row.
    """
    if connection.vendor != "postgresql":
        return ["SQLite has no roles: only the chain tells whether a row was changed."]
    found = []
    with connection.cursor() as cursor:
        for table in TABLES:
            for privilege in ("UPDATE", "DELETE", "TRUNCATE"):
                cursor.execute("SELECT has_table_privilege(%s, %s)", [table, privilege])
                if cursor.fetchone() == (True,):
                    found.append(f"the database role may {privilege} {table}.")
    return found
