from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "web.messaging"
    label = "messaging"

    def ready(self) -> None:
        from web.customers import hooks as customers

        from . import services

        customers.history_source(services.history)
