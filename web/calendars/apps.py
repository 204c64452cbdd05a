from django.apps import AppConfig


class CalendarsConfig(AppConfig):
    name = "web.calendars"
    label = "calendars"
