from django.db import migrations, models
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat


def fill(apps, schema_editor):
    calls = apps.get_model("calls", "Call").objects.filter(party_key=None)
    key = Cast("customer_id", CharField(max_length=20))
    calls.filter(customer__isnull=False).update(
        party_key=Concat(Value("customer:"), key, output_field=CharField(max_length=40))
    )
    calls.filter(customer=None, number_token__isnull=False).update(
        party_key=Concat(Value("number:"), "number_token", output_field=CharField(max_length=40))
    )


class Migration(migrations.Migration):

    dependencies = [
        ("calls", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="call",
            name="party_key",
            field=models.CharField(blank=True, help_text="whom to count as one person: the customer, else the number's token", max_length=40, null=True),
        ),
        migrations.AlterField(
            model_name="queuevisit",
            name="reason",
            field=models.CharField(blank=True, help_text="the ACD's last word here: why who was rung, or why nobody was", max_length=40, null=True),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
