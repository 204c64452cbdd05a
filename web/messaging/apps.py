from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "web.messaging"
    label = "messaging"

    def ready(self) -> None:
        from . import services, verbs  # noqa: F401 - they register what they lend
