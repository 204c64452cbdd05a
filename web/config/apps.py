from __future__ import annotations

from pathlib import Path

from django.apps import AppConfig
from django.conf import settings

from web.common import clock


class ConfigApp(AppConfig):
    name = "web.config"
    label = "config"

    def ready(self) -> None:
        from web.config import checks  # noqa: F401  registers the start-up checks

        if settings.CLOCK_FILE and not settings.PRODUCTION:
            clock.use(clock.shifted(Path(settings.CLOCK_FILE)))

        from web.common import publishing
        from web.config import demo, wiring
        from web.telephony import scenarios

        publishing.wire(wiring.ROUTES)
        scenarios.numbers_from(demo.numbers)
