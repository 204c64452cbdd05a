from django.apps import AppConfig


class RoutingConfig(AppConfig):
    name = "web.routing"
    label = "routing"

    def ready(self) -> None:
        from web.customers import hooks

        from . import handlers, scoping, services, verbs  # noqa: F401  they register what they lend

        hooks.register(is_blocked=services.any_blocked)
