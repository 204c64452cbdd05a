"""医馆分类 and English names of the 13 clinics of the delivery (W-55)."""

from django.db import migrations

CLINICS = {
    "foshan-nanhai": ("Foshan Nanhai", "branch"),
    "guangzhou-haizhu": ("Guangzhou Haizhu", "branch"),
    "shenzhen-luohu": ("Shenzhen Luohu", "branch"),
    "beijing-chongwenmen": ("Beijing Chongwenmen", "branch"),
    "guangzhou-donghu": ("Guangzhou Lingnan Donghu", "branch"),
    "guangzhou-dongshan": ("Guangzhou Lingnan Dongshan", "branch"),
    "guangzhou-shuiyin": ("Guangzhou Lingnan Shuiyin", "branch"),
    "guangzhou-taojin": ("Guangzhou Lingnan Taojin", "branch"),
    "guangzhou-guoyiguan": ("Guangzhou University Clinic", "university"),
    "shenzhen-nanshan": ("Shenzhen Nanshan", "branch"),
    "shenzhen-zhuzilin": ("Shenzhen Zhuzilin", "branch"),
    "wuxi-chongansi": ("Wuxi Chong'an Temple", "partner"),
    "wuxi-nanchansi": ("Wuxi Nanchan Temple", "partner"),
}


def seed(apps, schema_editor):
    clinic_model = apps.get_model("places", "Clinic")
    for key, (name_en, category) in CLINICS.items():
        clinic_model.objects.filter(key=key).update(name_en=name_en, category=category)


class Migration(migrations.Migration):
    dependencies = [("places", "0003_kind_and_address")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
