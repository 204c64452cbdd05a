from django.apps import AppConfig


class MembershipConfig(AppConfig):
    name = "web.membership"
    label = "membership"

    def ready(self) -> None:
        from web.customers import hooks

        from . import services

        hooks.register(account_of=services.card_facts, beside=("member__level",))
