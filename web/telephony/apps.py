from django.apps import AppConfig


class TelephonyConfig(AppConfig):
    name = "web.telephony"
    label = "telephony"
