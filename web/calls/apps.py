from django.apps import AppConfig


class CallsConfig(AppConfig):
    name = "web.calls"
    label = "calls"

    def ready(self) -> None:
        from web.customers import hooks

        from . import scoping, services  # noqa: F401  scoping registers its rules

        hooks.register(
            number_of_call=services.number_of_call,
            attach_to_call=services.attach_customer,
            current_call=services.current_call,
        )
        hooks.history_source(services.history)
