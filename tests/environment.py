"""The settings of a test run: the one settings file, after the surroundings are made harmless.

`offload_portal.settings` reads the environment when it is imported, so the data folder must be
named before: a test run never touches the one of a portal that runs beside it.
"""

import atexit
import os
import shutil
import tempfile

if "PORTAL_TEST_DATA" not in os.environ:
    _folder = tempfile.mkdtemp(prefix="portal-tests-")
    os.environ["PORTAL_TEST_DATA"] = _folder
    atexit.register(shutil.rmtree, _folder, ignore_errors=True)
# Each worker of pytest-xdist has a folder of its own, as it has a database.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
os.environ["DATA_DIR"] = os.path.join(os.environ["PORTAL_TEST_DATA"], WORKER)  # noqa: PTH118

from offload_portal.settings import *  # noqa: E402, F403
from offload_portal.settings import DATA_DIR, DATABASES, REDIS_URL  # noqa: E402

# argon2 is slow on purpose.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EVEN_ANSWER_MILLISECONDS = 0
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True
LOGGING_CONFIG = None

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, as in production: in memory there is neither WAL nor a second connection.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}

if REDIS_URL:
    # A numbered database for each worker, so that one may empty its own.
    _number = 10 + int(WORKER.removeprefix("gw")) if WORKER.startswith("gw") else 9
    REDIS_URL = f"{REDIS_URL.rstrip('/')}/{_number}"
    CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    }
    CELERY_BROKER_URL = REDIS_URL
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
