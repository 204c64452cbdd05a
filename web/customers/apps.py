from django.apps import AppConfig


class CustomersConfig(AppConfig):
    name = "web.customers"
    label = "customers"
