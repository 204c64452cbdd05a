from django.apps import AppConfig


class TicketsConfig(AppConfig):
    name = "web.tickets"
    label = "tickets"

    def ready(self) -> None:
        from web.customers import hooks as customers
        from web.messaging import hooks as messaging
        from web.routing import hooks as routing
        from web.workflow import hooks as workflow

        from . import handlers, links, scoping, verbs  # noqa: F401 - they register what they lend

        workflow.register(subject_of=links.subject_of, decorate=links.decorate, on_end=links.close_with_flow)
        customers.register(customer_of=links.customer_of)
        routing.register(number_of=links.number_of)
        messaging.register(recipient_of=links.recipient_of)
