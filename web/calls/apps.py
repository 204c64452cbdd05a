from django.apps import AppConfig


class CallsConfig(AppConfig):
    name = "web.calls"
    label = "calls"

    def ready(self) -> None:
        from . import scoping  # noqa: F401  registers its rules
