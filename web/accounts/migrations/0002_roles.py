"""Roles and what they may do are data that every installation starts with (REQUIREMENTS 6.3); an administrator may change them."""

from django.db import migrations

ROLES = [
    ("agent", "坐席", "Agent"),
    ("team_leader", "组长", "Team leader"),
    ("supervisor", "主管", "Supervisor"),
    ("manager", "经理", "Manager"),
    ("director", "总监", "Director"),
    ("analyst", "流程分析员", "Process analyst"),
    ("clinic", "医馆前台", "Clinic front desk"),
    ("doctor", "医生", "Doctor"),
    ("pharmacy", "药房", "Pharmacy"),
    ("finance", "财务", "Finance"),
    ("admin", "系统管理员", "Administrator"),
    ("system", "系统", "System"),
]
AT_THE_PHONE = ["tickets.open", "customers.register", "customers.reveal", "telephony.dial", "telephony.demo"]
LEADS = [*AT_THE_PHONE, "tasks.reassign", "routing.approve", "routing.lift", "telephony.floor", "reports.view"]
SUPERVISES = [*LEADS, "customers.assign", "customers.view_all", "reports.export", "workflow.incidents", "announcements.publish"]
PERMISSIONS = {
    "agent": AT_THE_PHONE,
    "team_leader": LEADS,
    "supervisor": SUPERVISES,
    "manager": [*SUPERVISES, "tickets.view_all", "tasks.view_all"],
    "director": [*SUPERVISES, "tickets.view_all", "tasks.view_all"],
    "analyst": ["workflow.deploy", "workflow.incidents", "reports.view"],
    "clinic": ["tickets.open"],
    "doctor": [],
    "pharmacy": [],
    "finance": ["reports.view", "reports.export"],
    "admin": ["workflow.incidents", "workflow.deploy", "announcements.publish", "telephony.demo"],
    "system": [],
}


def seed(apps, schema_editor):
    role_model, permission_model = apps.get_model("accounts", "Role"), apps.get_model("accounts", "RolePermission")
    for key, name, name_en in ROLES:
        role, _ = role_model.objects.get_or_create(key=key, defaults={"name": name, "name_en": name_en})
        for code in PERMISSIONS[key]:
            permission_model.objects.get_or_create(role=role, code=code)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
