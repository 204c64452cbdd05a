"""A clinic with a doctor, a pharmacy and something on its shelves."""

from __future__ import annotations

from tests.support.cast import a_group
from web.clinics.models import Department, Doctor, Post, Product, Stock
from web.places.models import Clinic


def a_clinic(key: str = "guangzhou-donghu") -> Clinic:
    """One of the delivered clinics; made when a test with real transactions has emptied the tables."""
    return Clinic.objects.get_or_create(key=key, defaults={"name": key})[0]


def a_product(key: str = "moxa", *, price_fen: int = 3600, **stock: int) -> Product:
    """a_product("moxa", guangzhou_donghu=5): five pieces in that clinic."""
    facts = {"name": key.title(), "category": "device", "unit": "box", "price_fen": price_fen}
    product = Product.objects.get_or_create(key=key, defaults=facts)[0]
    for clinic, quantity in stock.items():
        Stock.objects.create(product=product, clinic=a_clinic(clinic.replace("_", "-")), quantity=quantity)
    return product


def a_post(doctor: str, clinic: str, department: str, **terms) -> Post:
    who = Doctor.objects.get_or_create(key=doctor, defaults={"name": doctor.title()})[0]
    where = Department.objects.get_or_create(key=department, defaults={"name": department.title()})[0]
    return Post.objects.create(doctor=who, clinic=a_clinic(clinic), department=where, **terms)


def the_organisation() -> None:
    """centre → clinics → clinic-guangzhou-donghu, clinic-shenzhen-luohu; centre → pharmacy → pharmacy-guangzhou-donghu, finance."""
    for key, above in [
        ("centre", None),
        ("clinics", "centre"),
        ("clinic-guangzhou-donghu", "clinics"),
        ("clinic-shenzhen-luohu", "clinics"),
        ("pharmacy", "centre"),
        ("pharmacy-guangzhou-donghu", "pharmacy"),
        ("finance", "centre"),
    ]:
        a_group(key, above)


def shelf(product: Product, clinic: Clinic) -> tuple[int, int]:
    """(quantity, reserved) as the row says now."""
    row = Stock.objects.get(product=product, clinic=clinic)
    return row.quantity, row.reserved
