"""HTTP for the full stack: granian or gunicorn in front of Django's WSGI handler."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "web.config.settings")
application = get_wsgi_application()

from web.config import checks  # noqa: E402 - they ask the database for demo accounts: Django must be set up

checks.may_start()
