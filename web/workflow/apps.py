from django.apps import AppConfig


class WorkflowConfig(AppConfig):
    name = "web.workflow"
    label = "workflow"
