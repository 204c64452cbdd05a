from django.apps import AppConfig


class DeskConfig(AppConfig):
    name = "web.desk"
    label = "desk"

    def ready(self) -> None:
        from web.workflow import services as workflow

        from . import presence

        workflow.register(viewers=presence.viewers)
