"""Who gives levels and cards and says what points are good for (W-28, W-42); an administrator may change it."""

from django.db import migrations

ROLES = ("supervisor", "manager", "director")


def seed(apps, schema_editor):
    role_model, permission_model = apps.get_model("accounts", "Role"), apps.get_model("accounts", "RolePermission")
    for role in role_model.objects.filter(key__in=ROLES):
        permission_model.objects.get_or_create(role=role, code="membership.maintain")


class Migration(migrations.Migration):
    dependencies = [("membership", "0002_from_customers"), ("accounts", "0002_roles")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
