from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "web.agents"
    label = "agents"
