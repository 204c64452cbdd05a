"""Who may extend a wrap-up (S-07): those who lead; an administrator may give it to agents."""

from django.db import migrations

CODE = "telephony.extend_wrap_up"
ROLES = ("team_leader", "supervisor", "manager", "director")


def seed(apps, schema_editor):
    permission_model = apps.get_model("accounts", "RolePermission")
    for role in apps.get_model("accounts", "Role").objects.filter(key__in=ROLES):
        permission_model.objects.get_or_create(role=role, code=CODE)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_roles")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
