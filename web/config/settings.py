"""One settings module. What differs between the embedded default and the full stack is only the URLs."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import environ
from csp.constants import NONCE, NONE, SELF, UNSAFE_INLINE

from web.config import logging as _logging
from web.config.env import SetupRefused, data_folder, seal_keys, secret_key

BASE_DIR = Path(__file__).resolve().parent.parent.parent
environ.Env.read_env(BASE_DIR / ".env") if (BASE_DIR / ".env").exists() else None
env = environ.Env()

# development | test | production. Production is refused with demo accounts, the simulator or a missing setting.
ENVIRONMENT = env("ZUOXI_ENV", default="test" if "PYTEST_VERSION" in os.environ else "development")
if ENVIRONMENT not in ("development", "test", "production"):  # a slip of the pen must not mean "anything goes"
    raise SetupRefused(f"ZUOXI_ENV is {ENVIRONMENT!r}; it can be development, test or production")
PRODUCTION = ENVIRONMENT == "production"
TESTING = ENVIRONMENT == "test"

# --- what this installation keeps outside the repository -------------------------------------------------------
if TESTING and "ZUOXI_DATA" not in os.environ:
    DATA_DIR = Path(tempfile.mkdtemp(prefix="zuoxi-test-"))
    atexit.register(shutil.rmtree, DATA_DIR, ignore_errors=True)
else:
    DATA_DIR = data_folder(Path(env("ZUOXI_DATA", default=str(BASE_DIR / "var"))).absolute())

SECRET_KEY_IS_OWN = bool(env("SECRET_KEY", default=""))
SECRET_KEY = env("SECRET_KEY", default="") or secret_key(DATA_DIR / "secret.key")
SEAL_KEYS_FILE = seal_keys(Path(env("ZUOXI_SEAL_KEYS", default=str(DATA_DIR / "seal.keys"))))
DEMO_MARK = DATA_DIR / "demo"  # laid by `manage.py demo`: this data folder holds invented people only
DEMO = env.bool("ZUOXI_DEMO", default=DEMO_MARK.exists())
TOKEN_FILE = DATA_DIR / "scenario.token"  # lets `make scenario` in from this machine
MEDIA_ROOT = DATA_DIR / "files"

DEBUG = env.bool("DEBUG", default=False)
PUBLIC_HOSTS = env.list("ALLOWED_HOSTS", default=[])  # production names them
ALLOWED_HOSTS = [*PUBLIC_HOSTS, "localhost", "127.0.0.1", "[::1]"]  # health checks ask from this machine
if TESTING:
    ALLOWED_HOSTS = [*ALLOWED_HOSTS, "testserver"]
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])

# --- what the centre is ----------------------------------------------------------------------------------------
CENTRE_TITLE = env("CENTRE_TITLE", default="坐席")
CLOCK_FILE = env("ZUOXI_CLOCK", default="")  # seconds the product's clock is ahead; a trial's, never production's
CTI_DRIVER = env("CTI_DRIVER", default="simulator")
SCENARIO = env("SCENARIO", default="monday-morning" if DEMO else "")  # what the simulator plays by itself
SMS_URL = env("SMS_URL", default="")  # empty: no SMS channel (under demo data run_all starts a pretended provider)
SMS_SECRET = env("SMS_SECRET", default="")
SMS_CALLBACK = env("SMS_CALLBACK", default="")
PAYMENT_URL = env("PAYMENT_URL", default="")  # empty: nothing can be paid by link or keys (demo: a pretended provider)
PAYMENT_SECRET = env("PAYMENT_SECRET", default="")
PAYMENT_CALLBACK = env("PAYMENT_CALLBACK", default="")
PAYMENT_DEMO_PAYS = env.float("PAYMENT_DEMO_PAYS", default=20)  # seconds until an invented customer pays; below 0: never
POINTS_PER_YUAN = env.int("POINTS_PER_YUAN", default=1)  # points for each whole yuan of a completed order (W-39)
FLOWS_DIR = Path(env("FLOWS_DIR", default=str(BASE_DIR / "bpmn")))
UI_DIST = BASE_DIR / "web" / "ui" / "dist"

# --- database --------------------------------------------------------------------------------------------------
DATABASE_URL = env("DATABASE_URL", default="") or f"sqlite:///{DATA_DIR / 'zuoxi.sqlite3'}"
DATABASES = {"default": environ.Env.db_url_config(DATABASE_URL)}
DB_POOL = env.int("DB_POOL", default=8)
_db = DATABASES["default"]
_db["ATOMIC_REQUESTS"] = False  # each atomic() takes SQLite's write lock: services wrap their writes, reads stay free
if _db["ENGINE"].endswith("sqlite3"):
    # FULL survives a power cut; invented people need not, tests even less.
    _synchronous = "OFF" if TESTING else env("SQLITE_SYNCHRONOUS", default="NORMAL" if DEMO else "FULL")
    _db["CONN_MAX_AGE"] = 600
    _db["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": f"PRAGMA journal_mode=WAL;PRAGMA synchronous={_synchronous};PRAGMA mmap_size=134217728;"
        "PRAGMA journal_size_limit=67108864;PRAGMA cache_size=-20000;PRAGMA temp_store=MEMORY",
    }
    # A file, not memory: races between threads must meet the real locks.
    _db["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
elif _db["ENGINE"].endswith("postgresql"):
    _db["OPTIONS"] = {"pool": {"min_size": 2, "max_size": DB_POOL, "timeout": 10}} if DB_POOL else {}
    _db["CONN_MAX_AGE"] = 0 if DB_POOL else env.int("DB_CONN_MAX_AGE", default=60)
elif _db["ENGINE"].endswith("oracle"):
    _db["OPTIONS"] = {"pool": {"min": 2, "max": DB_POOL}} if DB_POOL else {}
    _db["CONN_MAX_AGE"] = 0
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- rooms -----------------------------------------------------------------------------------------------------
ROOMS = [
    "common", "jobs", "places", "calendars", "accounts", "agents", "customers", "clinics", "calls", "routing", "workflow",
    "messaging", "membership", "tickets", "payments", "appointments", "orders", "announcements", "desk", "telephony",
]  # fmt: skip
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "django_filters",
    "channels",
    "axes",
    "csp",
    "web.config",
    *[f"web.{room}" for room in ROOMS],
    "reports",
]
MIDDLEWARE = [
    "web.config.logging.Trace",
    "web.config.security.RealAddress",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "web.config.security.NoStore",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "web.config.security.SessionLife",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "axes.middleware.AxesMiddleware",
]
if CLOCK_FILE:
    MIDDLEWARE.insert(0, "web.config.security.TrialTime")
ROOT_URLCONF = "web.config.urls"
WSGI_APPLICATION = "web.config.wsgi.application"
ASGI_APPLICATION = "web.config.asgi.application"
APPEND_SLASH = False
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

# --- language and time -----------------------------------------------------------------------------------------
LANGUAGE_CODE = "zh-hans"
TIME_ZONE = env("TIME_ZONE", default="Asia/Shanghai")
USE_TZ = True
USE_I18N = False  # the server says codes; the browser says them in the reader's language

# --- people, passwords, sessions -------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = ["web.config.hashers.Argon2id"]
ARGON2_MEMORY_KIB = 64 if TESTING else 19 * 1024
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]  # an attacker elsewhere cannot lock the whole shift out
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True  # accounts keeps the login log
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
AXES_USERNAME_CALLABLE = "web.config.security.login_name"
AXES_LOCKOUT_CALLABLE = "web.config.security.locked_out"

HTTPS = env.bool("HTTPS", default=PRODUCTION)
SESSION_COOKIE_AGE = 30 * 60
SESSION_ABSOLUTE_AGE = 12 * 60 * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "__Host-zuoxi" if HTTPS else "zuoxi"
SESSION_SERIALIZER = "django.contrib.sessions.serializers.JSONSerializer"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "web.config.pages.csrf_failed"
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_SSL_REDIRECT = False  # nginx redirects; behind it, a health check over plain HTTP must pass
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = False
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "style-src-elem": [SELF, NONCE],
        "style-src-attr": [UNSAFE_INLINE],  # Element Plus and bpmn-js place things by style attributes
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF, "data:"],  # bpmn-js carries its symbol font in its stylesheet
        "connect-src": [SELF, "wss:"] if HTTPS else [SELF],
        "worker-src": [SELF, "blob:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- files of the UI -------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
STATICFILES_DIRS = [("ui", UI_DIST)] if UI_DIST.exists() else []
WHITENOISE_USE_FINDERS = True
WHITENOISE_IMMUTABLE_FILE_TEST = r"/assets/.+-[\w-]{8,}\.\w+(\.(gz|br))?$"

# --- API -------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["web.config.rest.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser", "rest_framework.parsers.MultiPartParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["web.config.rest.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PAGINATION_CLASS": "web.common.paging.KeysetPagination",
    "PAGE_SIZE": 50,
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "web.common.errors.handle",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Zuoxi",
    "DESCRIPTION": "A call centre whose work is drawn, not coded.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": [],  # choices stand where they are used: a name for each set would be an invention
}

# --- waking, caching, pushing ----------------------------------------------------------------------------------
REDIS_URL = env("REDIS_URL", default="")
BROKER_URL = env("BROKER_URL", default=REDIS_URL)
EMBEDDED = not BROKER_URL  # one process does everything
if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}
    }
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    # Live topics count in the cache: evicting one would make its readers fetch everything anew.
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "OPTIONS": {"MAX_ENTRIES": 200_000},
        }
    }

# Work lives in database rows; a Celery message only wakes somebody to look. Losing one costs a second.
CELERY_BROKER_URL = BROKER_URL or "memory://"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Celery's default of 1 s between looks at the memory broker would be 1 s on every task.
CELERY_BROKER_TRANSPORT_OPTIONS = {"polling_interval": 0.05} if EMBEDDED else {}
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ALWAYS_EAGER = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = TIME_ZONE
CELERY_WORKER_THREADS = env.int("WORKER_THREADS", default=4)
CELERY_BEAT_SCHEDULER = "web.config.celery:MemoryScheduler" if EMBEDDED else "celery.beat:PersistentScheduler"
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "web.jobs.tasks.sweep", "schedule": 1.0, "options": {"expires": 2}},
    "seal": {"task": "web.config.tasks.seal", "schedule": 1.0, "options": {"expires": 2}},
}

LOGGING = _logging.configure(level=env("LOG_LEVEL", default="WARNING" if TESTING else "INFO"), as_json=PRODUCTION)

# The host part of the broker for messages and the health page; never the password in it.
BROKER_HOST = urlsplit(CELERY_BROKER_URL).hostname or "memory"
