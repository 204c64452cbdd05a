from django.apps import AppConfig


class AnnouncementsConfig(AppConfig):
    name = "web.announcements"
    label = "announcements"

    def ready(self) -> None:
        from . import scoping  # noqa: F401  it registers its rule
