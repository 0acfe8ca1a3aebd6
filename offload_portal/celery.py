"""The Celery application. Tasks are doors: they load by id and make one call."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "offload_portal.settings")

app = Celery("offload_portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
