from django.apps import AppConfig


class MembershipConfig(AppConfig):
    name = "web.membership"
    label = "membership"
