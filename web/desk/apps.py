from django.apps import AppConfig


class DeskConfig(AppConfig):
    name = "web.desk"
    label = "desk"
