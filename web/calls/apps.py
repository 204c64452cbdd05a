from django.apps import AppConfig


class CallsConfig(AppConfig):
    name = "web.calls"
    label = "calls"
