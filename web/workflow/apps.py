from django.apps import AppConfig


class WorkflowConfig(AppConfig):
    name = "web.workflow"
    label = "workflow"

    def ready(self):
        from django.utils.module_loading import autodiscover_modules

        from web.workflow import scoping  # noqa: F401  the standing rules

        autodiscover_modules("verbs")
