from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "web.payments"
    label = "payments"

    def ready(self) -> None:
        from web.messaging import hooks as messaging

        from . import handlers, links, scoping, verbs  # noqa: F401  they register what they lend

        messaging.names_from(links.names_of)
