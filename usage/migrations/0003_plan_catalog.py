from django.conf import settings
from django.db import migrations

from usage import catalog


def add_plans(apps, schema_editor):
    catalog.install(
        apps.get_model("usage", "Plan").objects.using(schema_editor.connection.alias),
        trial_days=settings.TRIAL_DAYS,
        trial_hours=settings.TRIAL_COMPUTE_HOURS,
        rate=settings.ON_DEMAND_RATE_MICROUSD,
    )


class Migration(migrations.Migration):
    dependencies = [("usage", "0002_subscription_next_plan")]

    operations = [migrations.RunPython(add_plans, migrations.RunPython.noop)]
