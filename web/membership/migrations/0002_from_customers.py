"""Two level schemes at delivery (W-28); what stood on the customer's card so far becomes an account with opening entries."""

from django.db import migrations
from django.db.models import Q

from web.common import clock

LEVELS = [  # scheme, key, name, name_en, percent off, threshold in fen, in orders, rank
    ("ordinary", "normal", "普卡会员", "Regular", 0, 0, 0, 1),
    ("ordinary", "silver", "银卡会员", "Silver", 3, 200_000, 5, 2),
    ("ordinary", "gold", "金卡会员", "Gold", 5, 800_000, 15, 3),
    ("ordinary", "platinum", "白金会员", "Platinum", 8, 2_000_000, 40, 4),
    ("ordinary", "diamond", "钻石会员", "Diamond", 10, 5_000_000, 100, 5),
    ("vip", "gold", "贵宾金卡", "VIP gold", 10, 0, 0, 11),
    ("vip", "platinum", "贵宾白金卡", "VIP platinum", 12, 3_000_000, 60, 12),
    ("vip", "diamond", "贵宾钻石卡", "VIP diamond", 15, 8_000_000, 150, 13),
]
OTHER_WORDS = {"regular": "normal"}


def seed(apps, schema_editor):
    level_model = apps.get_model("membership", "Level")
    for scheme, key, name, name_en, percent, fen, orders, rank in LEVELS:
        facts = {"name": name, "name_en": name_en, "discount_percent": percent, "rank": rank}
        facts |= {"threshold_fen": fen, "threshold_orders": orders}
        level_model.objects.get_or_create(scheme=scheme, key=key, defaults=facts)


def move(apps, schema_editor):
    customer_model = apps.get_model("customers", "Customer")
    level_model, account_model = apps.get_model("membership", "Level"), apps.get_model("membership", "Account")
    ledgers = {"points": apps.get_model("membership", "PointsEntry"), "fund": apps.get_model("membership", "FundEntry")}
    moved = customer_model.objects.filter(Q(level__isnull=False) | Q(is_vip=True) | ~Q(points=0) | ~Q(balance_fen=0))
    columns = ("pk", "level", "is_vip", "points", "balance_fen")
    for pk, word, is_vip, points, fen in moved.order_by("pk").values_list(*columns).iterator(chunk_size=2000):
        points, fen = max(points, 0), max(fen, 0)
        account = {"points": points, "fund_fen": fen, "level": _level(level_model, word, is_vip)}
        account_model.objects.create(customer_id=pk, **account)
        for name, amount in (("points", points), ("fund", fen)):
            if amount:
                more = {"channel": "opening"} if name == "fund" else {}
                ledgers[name].objects.create(
                    customer_id=pk, change=amount, balance=amount, reason="opening", key=f"opening:{pk}", at=clock.now(), **more
                )  # fmt: skip


def _level(level_model, word, is_vip):
    """The level of that word in his scheme, in the other one, or a new one: no word is lost."""
    word = OTHER_WORDS.get(word, word) or ("gold" if is_vip else None)
    if word is None:
        return None
    scheme = "vip" if is_vip else "ordinary"
    found = level_model.objects.filter(scheme=scheme, key=word).first()
    if found is None:
        facts = {"name": word, "rank": 11 if is_vip else 1}
        found = level_model.objects.create(scheme=scheme, key=word, **facts)
    return found


class Migration(migrations.Migration):
    dependencies = [("membership", "0001_initial")]
    run_before = [("customers", "0003_account_moved")]
    operations = [
        migrations.RunPython(seed, migrations.RunPython.noop),
        migrations.RunPython(move, migrations.RunPython.noop),
    ]
