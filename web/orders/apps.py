from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "web.orders"
    label = "orders"
