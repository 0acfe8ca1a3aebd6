"""One settings file. Every value that differs between installations comes from the environment.

docs/operators.md lists the variables; `offload_portal.common.env` says what is wrong with one.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url
import django_stubs_ext
from celery.schedules import crontab

from offload_portal.common import env, keys

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = env.folder("DATA_DIR", BASE_DIR / ".data")

# --- Where it runs ---------------------------------------------------------------------------

DEBUG = env.flag("DEBUG")
PORT = env.whole_number("PORT", 8000, least=1, most=65_535)
WEB_HOST = env.text("WEB_HOST", "127.0.0.1")
WEB_WORKERS = env.whole_number("WEB_WORKERS", 1, least=1, most=256)
WEB_THREADS = env.whole_number("WEB_THREADS", 1_088, least=2, most=8_192)
# Clients that wait for a session to change never take the threads that all others need.
MOST_WAITING = WEB_THREADS - min(64, WEB_THREADS // 2)
WEB_CONNECTIONS = env.whole_number("WEB_CONNECTIONS", 32, least=2, most=1_000)
PORTAL_URL = env.address("PORTAL_URL", f"http://localhost:{PORT}", ("https", "http")) or ""
BEHIND_HTTPS = PORTAL_URL.startswith("https://")
_own_host = PORTAL_URL.partition("://")[2].partition("/")[0].rpartition(":")[0]
ALLOWED_HOSTS = env.names(
    "ALLOWED_HOSTS",
    tuple({_own_host or PORTAL_URL.partition("://")[2], "localhost", "127.0.0.1", "[::1]"}),
)
CSRF_TRUSTED_ORIGINS = [PORTAL_URL] if BEHIND_HTTPS else []
DEVELOPMENT_PAGES = env.flag("DEVELOPMENT_PAGES", not BEHIND_HTTPS)
DEMO = env.flag("DEMO", not BEHIND_HTTPS)
SECRET_KEY = env.text("SECRET_KEY", keys.kept_secret(DATA_DIR / "secret_key"))
# Digests and the chain of the audit log hang on it; a change of SECRET_KEY must not break them.
AUDIT_KEY = env.text("AUDIT_KEY", SECRET_KEY)
TRUSTED_PROXIES = env.whole_number("TRUSTED_PROXIES", 0, least=0, most=10)

ROOT_URLCONF = "offload_portal.urls"
WSGI_APPLICATION = "offload_portal.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "offload_portal.common",
    "offload_portal.api",
    "orgs",
    "usage",
    "sessions",
    "offload_portal.pages",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.idp.oidc",
    "rest_framework",
    "drf_spectacular",
    "django_htmx",
]

MIDDLEWARE = [
    "offload_portal.common.middleware.answer_evenly",
    "django.middleware.security.SecurityMiddleware",
    "offload_portal.common.middleware.security_headers",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "offload_portal.common.middleware.PageCompression",
    "offload_portal.common.middleware.refuse_impossible_text",
    "offload_portal.common.middleware.refuse_what_no_form_sends",
    "offload_portal.common.middleware.PageSessions",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "offload_portal.common.middleware.PageForms",
    "offload_portal.common.middleware.PagePeople",
    "offload_portal.common.middleware.PageMessages",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "offload_portal.common.context.portal",
            ],
        },
    },
]

# --- Database, cache, broker -----------------------------------------------------------------

DATABASE_URL = env.address(
    "DATABASE_URL",
    f"sqlite:///{DATA_DIR / 'portal.sqlite3'}",
    ("postgres", "postgresql", "sqlite"),
)
# The role that owns the tables, for `manage.py prepare`; DATABASE_URL is then the application's.
MIGRATE_DATABASE_URL = env.address("MIGRATE_DATABASE_URL", None, ("postgres", "postgresql"))
REDIS_URL = env.address("REDIS_URL", None, ("redis", "rediss", "valkey", "unix"))

DATABASE_CONN_MAX_AGE = env.whole_number("DATABASE_CONN_MAX_AGE", 60, least=0)
# Off behind a proxy that gives each transaction another connection.
DATABASE_PREPARE = env.flag("DATABASE_PREPARE", default=True)
DATABASES: dict[str, Any] = {"default": dict(dj_database_url.parse(DATABASE_URL or ""))}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Immediate transactions and WAL: without them writers get "locked" by the hundred thousand.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = DATABASE_CONN_MAX_AGE
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

if REDIS_URL:
    CACHES: dict[str, Any] = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": "portal",
        }
    }
else:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "portal_cache",
            # Beyond that it forgets at random, device codes and the meter's heartbeat among it.
            "OPTIONS": {"MAX_ENTRIES": 100_000},
        }
    }

# --- Celery ----------------------------------------------------------------------------------

CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Mail that is shown in the terminal comes from a worker; it stays as it is printed.
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"
if REDIS_URL:
    CELERY_BROKER_URL = REDIS_URL
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
        "socket_connect_timeout": 2,
        # A message is a hint: while the broker is away no request waits for it.
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.1,
        "interval_max": 0.1,
    }
else:
    _queue = env.folder("BROKER_DIR", DATA_DIR / "broker")
    for _part in ("messages", "control"):
        (_queue / _part).mkdir(exist_ok=True)
    CELERY_BROKER_URL = "filesystem://localhost"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_queue / "messages"),
        "data_folder_out": str(_queue / "messages"),
        "control_folder": str(_queue / "control"),
        "store_processed": False,
    }
METER_EVERY_SECONDS = env.whole_number("METER_EVERY_SECONDS", 60, least=1, most=3_600)
# How late at most a session ends after the second in which nothing was left.
BOUNDS_EVERY_SECONDS = env.whole_number("BOUNDS_EVERY_SECONDS", 4, least=1, most=60)
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    "meter": {
        "task": "sessions.tasks.sweep",
        "schedule": timedelta(seconds=METER_EVERY_SECONDS),
        # A tick that waited longer than a minute is stale: the next one does its work.
        "options": {"expires": max(METER_EVERY_SECONDS, 10)},
    },
    "bounds": {
        "task": "sessions.tasks.meet_bounds",
        "schedule": timedelta(seconds=BOUNDS_EVERY_SECONDS),
        "options": {"expires": BOUNDS_EVERY_SECONDS},
    },
    # A forecast looks at a week, so that it needs no look each minute.
    "forecasts": {
        "task": "sessions.tasks.warn_of_forecasts",
        "schedule": timedelta(minutes=15),
        "options": {"expires": 900},
    },
    "forget-keys": {"task": "sessions.tasks.forget_keys", "schedule": timedelta(minutes=1)},
    # Sealing trails writing, so that writing never waits for it.
    "seal-audit": {
        "task": "orgs.tasks.seal_audit",
        "schedule": timedelta(minutes=1),
        "options": {"expires": 60},
    },
    "reconcile": {"task": "sessions.tasks.reconcile", "schedule": crontab(hour=3, minute=10)},
    "check-audit": {"task": "orgs.tasks.check_audit", "schedule": crontab(hour=2, minute=40)},
    "mail": {
        "task": "orgs.tasks.deliver_mail",
        "schedule": timedelta(minutes=1),
        "options": {"expires": 60},
    },
    "webhooks": {
        "task": "orgs.tasks.deliver_webhooks",
        "schedule": timedelta(minutes=1),
        "options": {"expires": 60},
    },
    "forget-mail": {"task": "orgs.tasks.forget_mail", "schedule": timedelta(hours=6)},
    "reports": {
        "task": "offload_portal.pages.tasks.send_reports",
        "schedule": timedelta(minutes=5),
        "options": {"expires": 300},
    },
    "tidy-sessions": {"task": "sessions.tasks.tidy", "schedule": timedelta(hours=1)},
    "tidy": {"task": "offload_portal.api.tasks.tidy", "schedule": timedelta(hours=1)},
}

# --- People ----------------------------------------------------------------------------------

AUTH_USER_MODEL = "orgs.Person"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "pages:home"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_SIGNUP_FORM_CLASS = "orgs.forms.SignUpNameForm"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = False
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
# Whoever asks for a new password gets a mail, known or not: the answer takes as long.
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_ADAPTER = "orgs.adapter.AccountAdapter"
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if BEHIND_HTTPS else "http"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXIES
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_ADAPTER = "orgs.adapter.MFAAdapter"
MFA_TOTP_ISSUER = "Offload Portal"
USERSESSIONS_TRACK_ACTIVITY = False

IDP_OIDC_ADAPTER = "orgs.oidc.OIDCAdapter"
IDP_OIDC_PRIVATE_KEY = keys.kept_rsa_key(DATA_DIR / "oidc_key.pem", env.text("OIDC_KEY", ""))
IDP_OIDC_USERINFO_ENDPOINT = None
IDP_OIDC_REFRESH_TOKEN_EXPIRES_IN = 60 * 60 * 24 * 90
# Typing a device's code and approving it count one each; an office shares an address.
IDP_OIDC_RATE_LIMITS = {"device_user_code": "30/m/ip"}

# --- Mail ------------------------------------------------------------------------------------

DEFAULT_FROM_EMAIL = env.text("MAIL_FROM", "Offload Portal <portal@localhost>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
EMAIL_HOST = env.text("SMTP_HOST", "")
if EMAIL_HOST:
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_PORT = env.whole_number("SMTP_PORT", 587, least=1, most=65_535)
    EMAIL_HOST_USER = env.text("SMTP_USER", "")
    EMAIL_HOST_PASSWORD = env.text("SMTP_PASSWORD", "")
    EMAIL_USE_TLS = env.flag("SMTP_STARTTLS", default=True)
    EMAIL_TIMEOUT = env.whole_number("SMTP_TIMEOUT_SECONDS", 20, least=1, most=120)
else:
    # Shown in the terminal and, while DEVELOPMENT_PAGES is on, at /development/mail/.
    EMAIL_BACKEND = "offload_portal.common.mail.TerminalAndPageBackend"
MAIL_DIR = DATA_DIR / "mail"

# --- Security --------------------------------------------------------------------------------

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_HTTPS
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "portal_session"
CSRF_COOKIE_NAME = "portal_csrf"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 14
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_SSL_REDIRECT = False
SECURE_HSTS_SECONDS = 63_072_000 if BEHIND_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = BEHIND_HTTPS
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# The address is unique in lower case, by a constraint that this check does not see.
SILENCED_SYSTEM_CHECKS = ["auth.W004"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5_000

# --- Language, time, files -------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "offload_portal" / "locale"]
LANGUAGE_COOKIE_HTTPONLY = True
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "offload_portal" / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "offload_portal.common.plotly_bundle.PlotlyFinder",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = False

# --- API -------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["orgs.api.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["offload_portal.api.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["offload_portal.api.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "offload_portal.api.schema.PortalSchema",
    "DEFAULT_THROTTLE_CLASSES": ["offload_portal.api.throttling.TokenThrottle"],
    "EXCEPTION_HANDLER": "offload_portal.api.problems.handle",
    "UNAUTHENTICATED_USER": None,
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%SZ",
    "URL_FORMAT_OVERRIDE": None,
}
API_REQUESTS_PER_MINUTE = env.whole_number("API_REQUESTS_PER_MINUTE", 1_200, least=1)
SPECTACULAR_SETTINGS = {
    "TITLE": "Offload Portal",
    "DESCRIPTION": "Sessions, usage and administration of an open Docker Offload service.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": True,
    "ENUM_NAME_OVERRIDES": {
        "SessionStateEnum": "sessions.enums.SessionState",
        "SubscriptionStateEnum": "usage.enums.SubscriptionState",
        "LicenseStateEnum": "orgs.enums.LicenseState",
        "StandingEnum": "orgs.api.shapes.LICENSE_STATES",
        "LimitStateEnum": "offload_portal.pages.api.shapes.LIMIT_STATES",
        "OnDemandEnum": "usage.enums.OnDemand",
        "RequestKindEnum": "orgs.enums.RequestKind",
        "RequestStateEnum": "orgs.enums.RequestState",
        "RequestChangeStateEnum": "orgs.api.requests.STATES_TO_SET",
    },
}

# --- The product: what product.md marks with † -----------------------------------------------

INVITATION_DAYS = env.whole_number("INVITATION_DAYS", 14, least=1, most=365)
SESSION_START_TIMEOUT_SECONDS = env.whole_number("SESSION_START_TIMEOUT_SECONDS", 120, least=1)
SESSION_IDLE_END_SECONDS = env.whole_number("SESSION_IDLE_END_SECONDS", 300, least=1)
SESSION_INACTIVITY_PROMPT_SECONDS = env.whole_number(
    "SESSION_INACTIVITY_PROMPT_SECONDS", 180, least=1
)
SESSION_PROMPT_SECONDS = env.whole_number("SESSION_PROMPT_SECONDS", 10_800, least=60)
SESSION_DAILY_LIMIT_SECONDS = env.whole_number("SESSION_DAILY_LIMIT_SECONDS", 28_800, least=60)
SESSION_DAILY_PROMPT_SECONDS = env.whole_number("SESSION_DAILY_PROMPT_SECONDS", 3_600, least=60)
SESSION_PROMPT_ANSWER_SECONDS = env.whole_number("SESSION_PROMPT_ANSWER_SECONDS", 60, least=1)
IDLE_TIMEOUT_DEFAULT_SECONDS = env.whole_number(
    "IDLE_TIMEOUT_DEFAULT_SECONDS", 300, least=10, most=3_600
)
KEEP_ALIVE_MOST_SECONDS = env.whole_number("KEEP_ALIVE_MOST_SECONDS", 14_400, least=60)
POLICY_REFRESH_SECONDS = env.whole_number("POLICY_REFRESH_SECONDS", 3_600, least=60)
# Signing in and up, and a new password, are answered at multiples of it; 0 answers at once.
EVEN_ANSWER_MILLISECONDS = env.whole_number("EVEN_ANSWER_MILLISECONDS", 250, least=0, most=5_000)
RESERVE_SECONDS = env.whole_number("RESERVE_SECONDS", 60, least=1)
LIMIT_NOTICE_SECONDS = env.whole_number("LIMIT_NOTICE_SECONDS", 600, least=0)
# Notices come so long before a session is stopped; the last of them is urgent.
NOTICE_SECONDS = tuple(
    sorted(env.numbers("NOTICE_SECONDS", (900, 300), least=1, most=86_400), reverse=True)
)
# Owners are warned at these shares of the commitment, the on-demand limit and each cap.
ALERT_PERCENT = tuple(sorted(env.numbers("ALERT_PERCENT", (50, 75, 90, 100), least=1, most=100)))
# Webhooks go to public addresses over https, unless the operator says otherwise.
WEBHOOK_ALLOW_HTTP = env.flag("WEBHOOK_ALLOW_HTTP")
WEBHOOK_ALLOWED_NETWORKS = env.names("WEBHOOK_ALLOWED_NETWORKS")
WEBHOOK_CA_FILE = env.text("WEBHOOK_CA_FILE", "")
SUBSCRIPTION_NOTICE_SECONDS = env.whole_number("SUBSCRIPTION_NOTICE_SECONDS", 86_400, least=0)
ON_DEMAND_RATE_MICROUSD = env.whole_number("ON_DEMAND_RATE_MICROUSD", 50, least=0)
TRIAL_DAYS = env.whole_number("TRIAL_DAYS", 14, least=1)
TRIAL_COMPUTE_HOURS = env.whole_number("TRIAL_COMPUTE_HOURS", 10, least=0)

# Samples stay as they were sent, then become one a minute, then one for five minutes, then go.
SAMPLES_FINE_HOURS = env.whole_number("SAMPLES_FINE_HOURS", 48, least=1)
SAMPLES_MINUTE_DAYS = env.whole_number(
    "SAMPLES_MINUTE_DAYS", max(14, -(-SAMPLES_FINE_HOURS // 24)), least=-(-SAMPLES_FINE_HOURS // 24)
)
SAMPLES_KEPT_DAYS = env.whole_number(
    "SAMPLES_KEPT_DAYS", max(90, SAMPLES_MINUTE_DAYS), least=SAMPLES_MINUTE_DAYS
)
RUNS_KEPT_MONTHS = env.whole_number("RUNS_KEPT_MONTHS", 13, least=1, most=1_200)

# --- Engines -----------------------------------------------------------------------------------

# auto: local while an engine host lives, else the client's own.
ENGINE_PROVIDER = env.one_of("ENGINE_PROVIDER", "auto", ("auto", "external", "local"))

# --- The engines' door -----------------------------------------------------------------------

# "*.engines.example.com": each session has a name of its own. Else all share this one.
ENGINE_PUBLIC_HOST = env.text("ENGINE_PUBLIC_HOST", "localhost")
ENGINE_PUBLIC_PORT = env.whole_number("ENGINE_PUBLIC_PORT", 2376, least=1, most=65_535)
# Where the door listens: host:port.
ENGINE_BIND = env.text("ENGINE_BIND", f"127.0.0.1:{ENGINE_PUBLIC_PORT}")

# --- The engine host (manage.py engines) -----------------------------------------------------

ENGINE_HOST_DIR = Path(env.text("ENGINE_HOST_DIR", str(DATA_DIR / "engines")))
# The name under which the host takes sessions; the machine's own by default.
ENGINE_HOST_NAME = env.text("ENGINE_HOST_NAME", "")
ENGINE_LOCAL_CAPACITY = env.optional_whole_number("ENGINE_LOCAL_CAPACITY")
# A plain dockerd as root instead of the wall: whoever has a session is root on this machine.
ENGINE_LOCAL_TRUSTED = env.flag("ENGINE_LOCAL_TRUSTED")

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"terminal": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["terminal"], "level": env.text("LOG_LEVEL", "INFO")},
}
