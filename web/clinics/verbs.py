"""What clinics lend to flows."""

from __future__ import annotations

from engine.verbs import verb

from . import services
from .models import ClinicContact

TEXT = {"type": "string"}


@verb(
    "clinics.staff_of",
    params={
        "properties": {"clinic": TEXT, "kind": {"enum": list(ClinicContact.KINDS)}},
        "required": ["clinic", "kind"],
    },
    result={"properties": {"user": TEXT, "group": TEXT}, "required": ["user", "group"]},
)
def staff_of(context, *, clinic: str, kind: str) -> dict:
    """Who does work of `kind` for the clinic: the person named for it (工号, "" when nobody is) and the group he would be in. An unknown
    clinic is answered by those who do it for all."""
    place = services.clinic_by_key(clinic)
    user = services.contact_of(place, kind)
    return {"user": user.number if user else "", "group": services.group_of(place, kind)}
