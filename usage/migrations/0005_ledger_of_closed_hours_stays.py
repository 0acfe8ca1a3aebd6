"""PostgreSQL refuses the application's role to change a usage entry of a closed hour (R18, rule 17).

An hour is open until the watermark has passed its end; the meter writes entries before it moves the
watermark. The tables' owner is let through, since it is who repairs and restores:
docs/operators.md, "Two database roles".
"""

from django.db import migrations

FUNCTION = """
CREATE OR REPLACE FUNCTION portal_refuse_closed_hour() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF pg_has_role(
    current_user, (SELECT relowner FROM pg_class WHERE pg_class.oid = TG_RELID), 'USAGE'
  ) THEN
    RETURN NEW;
  END IF;
  IF EXISTS (
    SELECT 1 FROM usage_allowance AS allowance
    WHERE allowance.organization_id = OLD.organization_id
      AND OLD.hour + interval '1 hour' <= allowance.metered_until
  ) THEN
    RAISE EXCEPTION 'The hour is closed: a correction is another entry.'
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
"""
TRIGGER = """
CREATE TRIGGER usage_ledgerentry_stays BEFORE UPDATE ON usage_ledgerentry
FOR EACH ROW EXECUTE FUNCTION portal_refuse_closed_hour();
"""


def guard(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute(FUNCTION, None)
    schema_editor.execute(TRIGGER, None)


def lift(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute("DROP TRIGGER IF EXISTS usage_ledgerentry_stays ON usage_ledgerentry")
    schema_editor.execute("DROP FUNCTION IF EXISTS portal_refuse_closed_hour()")


class Migration(migrations.Migration):
    dependencies = [("usage", "0004_when_time_runs_out")]

    operations = [migrations.RunPython(guard, lift)]
