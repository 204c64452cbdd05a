from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "web.jobs"
    label = "jobs"

    def ready(self):
        from django.utils.module_loading import autodiscover_modules

        autodiscover_modules("handlers")
