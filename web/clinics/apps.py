from django.apps import AppConfig


class ClinicsConfig(AppConfig):
    name = "web.clinics"
    label = "clinics"
