"""Celery only wakes workers: what must be done stands in rows of web.jobs."""

from __future__ import annotations

import os

from celery import Celery
from celery.beat import Scheduler
from celery.signals import beat_init, celeryd_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "web.config.settings")

app = Celery("zuoxi")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect
@beat_init.connect
def may_start(**kwargs: object) -> None:
    from web.config import checks

    checks.may_start()


class MemoryScheduler(Scheduler):
    """The schedule of the embedded default: it stands in the settings, nothing to remember between starts."""

    def setup_schedule(self) -> None:
        self.install_default_entries({})
        self.merge_inplace(self.app.conf.beat_schedule)
