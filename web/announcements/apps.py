from django.apps import AppConfig


class AnnouncementsConfig(AppConfig):
    name = "web.announcements"
    label = "announcements"
