"""The Celery application. Tasks are doors: they load by id and make one call."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "offload_portal.settings")

app = Celery("offload_portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_ready.connect
def catch_up(sender: Any, **kwargs: Any) -> None:
    """Meter at once what happened while nothing ran, and send the mail that waits."""
    app.send_task("sessions.tasks.sweep")
    app.send_task("orgs.tasks.deliver_mail")
