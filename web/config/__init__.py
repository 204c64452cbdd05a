"""Settings, addresses, servers, wiring. The Celery app is made here, so that every process that wakes a worker knows the broker."""

from web.config.celery import app as celery_app

__all__ = ["celery_app"]
