from datetime import timedelta

from django.db import migrations, models
from django.db.models import F


def fill(apps, schema_editor):
    """Entries from before were made under these limits."""
    entries = apps.get_model("routing", "BlockEntry").objects
    entries.filter(state="active").exclude(business_key=None).update(review_after=10)
    entries.filter(state="pending").update(decide_by=F("created_at") + timedelta(days=7))


class Migration(migrations.Migration):

    dependencies = [
        ("routing", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="blockentry",
            name="decide_by",
            field=models.DateTimeField(blank=True, help_text="undecided by then = refused; empty: never by itself", null=True),
        ),
        migrations.AddField(
            model_name="blockentry",
            name="review_after",
            field=models.IntegerField(blank=True, help_text="refused calls after which somebody should look", null=True),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
