from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "web.orders"
    label = "orders"

    def ready(self) -> None:
        from web.customers import hooks as customers
        from web.messaging import hooks as messaging

        from . import links, scoping, verbs  # noqa: F401  they register what they lend

        customers.history_source(links.history)
        messaging.names_from(links.names_of)
