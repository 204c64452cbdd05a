"""Who comes, and the row of a case. A flow knows an appointment by its business key; names stay here."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction

from web.appointments.models import Appointment
from web.common import seals
from web.common.masking import mask_name
from web.customers.models import Customer, PhoneNumber
from web.routing import services as routing
from web.tickets import services as tickets
from web.workflow import services as workflow

NAME, RELATION = "patient_name", "relation"


def of(business_key: str) -> Appointment:
    """The appointment of a case. LookupError when the flow has not asked for one yet."""
    found = Appointment.objects.filter(business_key=business_key).first()
    if found is None:
        raise LookupError(f"no appointment behind {business_key}")
    return found


def wish(business_key: str, submission: Any = None, *, customer: Customer | None = None) -> Appointment:
    """The row of this case, made at the first question about a place; the patient's name and relation come from the form's answers, the
    last one that says them. `customer` of a case without a ticket."""
    found = Appointment.objects.filter(business_key=business_key).first()
    answers = (getattr(submission, "data", None) or {}) if submission else {}
    if found is not None and not answers.get(NAME):
        return found
    ticket = found.ticket if found else tickets.by_key(business_key)
    customer = ticket.customer if ticket else customer
    name = answers.get(NAME) or workflow.answer_of(business_key, NAME) or (customer.name if customer else "")
    token = token_of(customer, name, business_key)
    if found is not None and token == found.patient_token:
        return found
    relation = answers.get(RELATION) or (None if answers.get(NAME) else workflow.answer_of(business_key, RELATION))
    facts = {
        "customer": customer,
        "patient_name": name or None,
        "patient_masked": mask_name(name) or None,
        "patient_token": token,
        "relation": relation or None,
    }
    if found is None:
        try:
            with transaction.atomic():
                return Appointment.objects.create(business_key=business_key, ticket=ticket, **facts)
        except IntegrityError:  # another act of the same case was quicker
            return Appointment.objects.get(business_key=business_key)
    for column, value in facts.items():
        setattr(found, column, value)
    found.save(update_fields=list(facts))
    return found


def token_of(customer: Customer | None, name: str, business_key: str) -> str:
    """The same for the same patient: a family member is another one (W-64). Nobody known: the case itself."""
    said = f"{customer.pk if customer else ''}:{name}" if name else business_key
    return seals.blind(said, kind="patient")


def is_blocked(appointment: Appointment) -> bool:
    """Whether a number behind this case is on the black list."""
    ticket = appointment.ticket
    tokens = [ticket.caller_token] if ticket and ticket.caller_token else []
    if appointment.customer_id:
        tokens += PhoneNumber.objects.filter(customer=appointment.customer_id).values_list("token", flat=True)
    return routing.any_blocked(tokens)


def visit_kind(appointment: Appointment, doctor_id: int) -> str:
    """First visit, return to the same doctor, or 回诊: a known patient with another doctor (W-36)."""
    seen = Appointment.objects.filter(patient_token=appointment.patient_token, state=Appointment.CHECKED_IN)
    doctors = set(seen.exclude(pk=appointment.pk).values_list("doctor", flat=True))
    if doctors:
        return Appointment.RETURN if doctor_id in doctors else Appointment.OTHER_DOCTOR
    customer = appointment.customer
    is_himself = customer is not None and token_of(customer, customer.name, "") == appointment.patient_token
    return Appointment.RETURN if is_himself and customer.identity == "return_visit" else Appointment.FIRST
