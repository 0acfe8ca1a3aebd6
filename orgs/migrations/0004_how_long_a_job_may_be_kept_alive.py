from django.db import migrations, models

import orgs.models.access


class Migration(migrations.Migration):
    dependencies = [
        ("orgs", "0003_key_given_event"),
    ]

    operations = [
        migrations.AddField(
            model_name="policy",
            name="keep_alive_most_seconds",
            field=models.PositiveIntegerField(default=orgs.models.access.default_keep_alive),
        ),
    ]
