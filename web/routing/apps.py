from django.apps import AppConfig


class RoutingConfig(AppConfig):
    name = "web.routing"
    label = "routing"
