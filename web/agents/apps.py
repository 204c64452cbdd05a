from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "web.agents"
    label = "agents"

    def ready(self) -> None:
        from . import scoping  # noqa: F401  it registers its rules
