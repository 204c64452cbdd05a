from __future__ import annotations

from django.apps import AppConfig


class ConfigApp(AppConfig):
    name = "web.config"
    label = "config"

    def ready(self) -> None:
        from web.config import checks  # noqa: F401  registers the start-up checks
