"""Who may see, approve and handle money (REQUIREMENTS 6.3, W-99); an administrator may change it."""

from django.db import migrations

PERMISSIONS = {
    "payments.view": ["finance", "supervisor", "manager", "director"],
    "payments.approve": ["supervisor", "manager", "director"],
    "payments.handle": ["finance"],
}


def seed(apps, schema_editor):
    role_model, permission_model = apps.get_model("accounts", "Role"), apps.get_model("accounts", "RolePermission")
    for code, roles in PERMISSIONS.items():
        for role in role_model.objects.filter(key__in=roles):
            permission_model.objects.get_or_create(role=role, code=code)


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial"), ("accounts", "0002_roles")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
