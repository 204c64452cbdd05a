"""The 13 clinics and their regions are loaded at delivery (W-54…W-56); new ones are added as rows."""

from django.db import migrations

REGIONS = [
    ("beijing", "北京市", "Beijing", None),
    ("guangdong", "广东省", "Guangdong", None),
    ("jiangsu", "江苏省", "Jiangsu", None),
    ("foshan", "佛山市", "Foshan", "guangdong"),
    ("guangzhou", "广州市", "Guangzhou", "guangdong"),
    ("shenzhen", "深圳市", "Shenzhen", "guangdong"),
    ("wuxi", "无锡市", "Wuxi", "jiangsu"),
]
CLINICS = [
    ("foshan-nanhai", "固生堂佛山南海分院", "foshan"),
    ("guangzhou-haizhu", "固生堂海珠分院", "guangzhou"),
    ("shenzhen-luohu", "固生堂深圳罗湖分院", "shenzhen"),
    ("beijing-chongwenmen", "固生堂中医北京崇文门分院", "beijing"),
    ("guangzhou-donghu", "广州固生堂岭南东湖分院", "guangzhou"),
    ("guangzhou-dongshan", "广州固生堂岭南东山分院", "guangzhou"),
    ("guangzhou-shuiyin", "广州固生堂岭南水荫分院", "guangzhou"),
    ("guangzhou-taojin", "广州固生堂岭南淘金分院", "guangzhou"),
    ("guangzhou-guoyiguan", "广州中医药大学国医馆", "guangzhou"),
    ("shenzhen-nanshan", "深圳固生堂中医南山分院", "shenzhen"),
    ("shenzhen-zhuzilin", "深圳固生堂中医竹子林分院", "shenzhen"),
    ("wuxi-chongansi", "无锡固生葆元春堂崇安寺馆", "wuxi"),
    ("wuxi-nanchansi", "无锡固生葆元春堂南禅寺馆", "wuxi"),
]


def seed(apps, schema_editor):
    region_model, clinic_model = apps.get_model("places", "Region"), apps.get_model("places", "Clinic")
    regions = {}
    for key, name, name_en, parent in REGIONS:
        facts = {"name": name, "name_en": name_en, "parent": regions.get(parent)}
        regions[key], _ = region_model.objects.get_or_create(key=key, defaults=facts)
    for key, name, region in CLINICS:
        clinic_model.objects.get_or_create(key=key, defaults={"name": name, "region": regions[region]})


class Migration(migrations.Migration):
    dependencies = [("places", "0001_initial")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
