from django.apps import AppConfig


class AppointmentsConfig(AppConfig):
    name = "web.appointments"
    label = "appointments"

    def ready(self) -> None:
        from web.customers import hooks as customers
        from web.messaging import hooks as messaging

        from . import links, scoping  # noqa: F401 - the scope rules register themselves

        customers.history_source(links.history)
        messaging.names_from(links.names_of)
