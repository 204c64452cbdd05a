"""The clinics' own people keep the schedules of their doctors (REQUIREMENTS 6.3, W-100); an administrator may change it."""

from django.db import migrations

ROLES = ("clinic",)


def seed(apps, schema_editor):
    role_model, permission_model = apps.get_model("accounts", "Role"), apps.get_model("accounts", "RolePermission")
    for role in role_model.objects.filter(key__in=ROLES):
        permission_model.objects.get_or_create(role=role, code="appointments.schedule")


class Migration(migrations.Migration):
    dependencies = [("appointments", "0001_initial"), ("accounts", "0002_roles")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
