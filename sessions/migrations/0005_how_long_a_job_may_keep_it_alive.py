from django.db import migrations, models

from orgs.models.access import default_keep_alive


class Migration(migrations.Migration):
    dependencies = [
        ("offload_sessions", "0004_jobs_that_declare_themselves_alive"),
    ]

    operations = [
        migrations.AddField(
            model_name="session",
            name="keep_alive_most_seconds",
            # Sessions that run go on with what the portal allowed when they started.
            field=models.PositiveIntegerField(default=default_keep_alive),
            preserve_default=False,
        ),
    ]
