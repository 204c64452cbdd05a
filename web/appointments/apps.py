from django.apps import AppConfig


class AppointmentsConfig(AppConfig):
    name = "web.appointments"
    label = "appointments"
