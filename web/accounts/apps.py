from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "web.accounts"
    label = "accounts"

    def ready(self) -> None:
        from web.common import scope

        from . import scoping, services  # noqa: F401  scoping registers its rules

        scope.grants_from(services.open_grants)
