from django.apps import AppConfig


class TicketsConfig(AppConfig):
    name = "web.tickets"
    label = "tickets"

    def ready(self) -> None:
        from web.calls import services as calls
        from web.customers import hooks as customers
        from web.messaging import hooks as messaging
        from web.routing import services as routing
        from web.workflow import services as workflow

        from . import links, scoping  # noqa: F401 - the scope rule registers itself

        workflow.register(
            subject_of=links.subject_of,
            decorate=links.decorate,
            on_ended=links.close_with_flow,
            caller_at=links.caller_at,
        )
        calls.flows_from(links.startable_flows)
        customers.register(customer_of=links.customer_of)
        customers.history_source(links.history)
        routing.number_of(links.number_of)
        routing.concern_of(links.concern_of)
        messaging.register(recipient_of=links.recipient_of)
