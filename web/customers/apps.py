from django.apps import AppConfig


class CustomersConfig(AppConfig):
    name = "web.customers"
    label = "customers"

    def ready(self) -> None:
        from . import scoping, verbs  # noqa: F401  they register their rules and what they lend
