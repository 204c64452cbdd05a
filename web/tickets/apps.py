from django.apps import AppConfig


class TicketsConfig(AppConfig):
    name = "web.tickets"
    label = "tickets"
