"""PostgreSQL refuses to change or delete audit entries and seals, whoever asks (R18).

The tables' owner can lift it (ALTER TABLE … DISABLE TRIGGER), the application's own role can't:
docs/operators.md, "Two database roles".
"""

from django.db import migrations

TABLES = ("orgs_auditentry", "orgs_auditseal")
FUNCTION = """
CREATE OR REPLACE FUNCTION portal_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'Rows of %% are only ever added.', TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;
"""
TRIGGER = """
CREATE TRIGGER {table}_never_changes BEFORE UPDATE OR DELETE ON {table}
FOR EACH ROW EXECUTE FUNCTION portal_refuse_change();
"""


def guard(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute(FUNCTION, ())
    for table in TABLES:
        schema_editor.execute(TRIGGER.format(table=table))


def lift(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    for table in TABLES:
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {table}_never_changes ON {table}")
    schema_editor.execute("DROP FUNCTION IF EXISTS portal_refuse_change()")


class Migration(migrations.Migration):
    dependencies = [("orgs", "0005_audit_texts_and_seals")]

    operations = [migrations.RunPython(guard, lift)]
