from __future__ import annotations

from django.db import models
from django.db.models import UniqueConstraint

from web.common import clock
from web.common.fields import SealedTextField


class Purpose(models.Model):
    """来电类型 = 来电目的 (REQUIREMENTS 12): purpose → (flow or none, tag, sub-types). The purpose radio is the router (UX 2.5)."""

    key = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=40)
    name_en = models.CharField(max_length=40)
    flow = models.CharField(max_length=60, blank=True, null=True)
    position = models.IntegerField(default=0)
    is_active = models.BooleanField(default=True)

    class Meta:
        db_table = "calls_purpose"


class PurposeSubtype(models.Model):
    purpose = models.ForeignKey(Purpose, on_delete=models.CASCADE, related_name="subtypes")
    key = models.CharField(max_length=40)
    name = models.CharField(max_length=40)
    name_en = models.CharField(max_length=40)
    position = models.IntegerField(default=0)
    is_active = models.BooleanField(default=True)

    class Meta:
        db_table = "calls_subtype"
        constraints = [UniqueConstraint(fields=["purpose", "key"], name="calls_subtype_uq")]


class Call(models.Model):
    """A fact (DATA A3): one call, inserted at first sight under the PBX's own id, closed by CallCleared."""

    IN, OUT, INTERNAL, DIALLER = "in", "out", "internal", "dialler"

    call_id = models.CharField(max_length=40, unique=True, help_text="ours, given to the driver")
    pbx_id = models.CharField(max_length=80, unique=True)
    direction = models.CharField(max_length=10, default=IN)
    outcome = models.CharField(max_length=12, blank=True, null=True)
    slot = models.IntegerField()
    started_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    number = SealedTextField(blank=True, null=True, help_text="the other party, E.164; empty when withheld")
    number_token = models.CharField(max_length=32, blank=True, null=True)
    number_masked = models.CharField(max_length=20, blank=True, null=True)
    called = models.CharField(max_length=30, blank=True, null=True, help_text="our number that was dialled or shown")
    first_queue = models.CharField(max_length=40, blank=True, null=True)
    last_queue = models.CharField(max_length=40, blank=True, null=True)
    owner_agent = models.CharField(
        max_length=20, blank=True, null=True, help_text="工号 of the customer's own agent then"
    )
    province = models.CharField(max_length=40, blank=True, null=True)
    city = models.CharField(max_length=40, blank=True, null=True)
    carrier = models.CharField(max_length=40, blank=True, null=True)
    purpose = models.CharField(max_length=40, blank=True, null=True)
    subtype = models.CharField(max_length=40, blank=True, null=True)
    relation = models.CharField(max_length=20, blank=True, null=True)
    identity = models.CharField(max_length=20, blank=True, null=True)
    customer = models.ForeignKey(
        "customers.Customer", null=True, blank=True, on_delete=models.SET_NULL, related_name="calls"
    )
    party_key = models.CharField(
        max_length=40,
        blank=True,
        null=True,
        help_text="whom to count as one person: the customer, else the number's token",
    )
    ticket_ref = models.CharField(
        max_length=30, blank=True, null=True, help_text="the ticket an outbound call was made for"
    )
    ivr_ms = models.BigIntegerField(default=0)
    wait_ms = models.BigIntegerField(default=0)
    ring_ms = models.BigIntegerField(default=0)
    talk_ms = models.BigIntegerField(default=0)
    hold_ms = models.BigIntegerField(default=0)
    acw_ms = models.BigIntegerField(default=0)
    holds = models.IntegerField(default=0)
    transfers = models.IntegerField(default=0)
    rating = models.IntegerField(null=True, blank=True)
    rated_at = models.DateTimeField(null=True, blank=True)
    decision = models.JSONField(default=dict, help_text="why it rang where it rang: the ACD's last decision")

    class Meta:
        db_table = "calls_call"
        indexes = [
            models.Index(fields=["slot", "id"], name="calls_call_slot_ix"),
            models.Index(fields=["last_queue", "slot"], name="calls_call_queue_ix"),
            models.Index(fields=["customer", "slot"], name="calls_call_customer_ix"),
            models.Index(fields=["number_token", "slot"], name="calls_call_number_ix"),
            models.Index(fields=["ended_at"], name="calls_call_ended_ix"),
        ]


class QueueVisit(models.Model):
    """A fact: one stay of a call in one queue; overflow and transfer make several."""

    call = models.ForeignKey(Call, on_delete=models.PROTECT, related_name="visits")
    queue = models.CharField(max_length=40)
    slot = models.IntegerField()
    entered_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)
    wait_ms = models.BigIntegerField(default=0)
    result = models.CharField(max_length=12, blank=True, null=True)
    position = models.IntegerField(default=0)
    reason = models.CharField(
        max_length=40, blank=True, null=True, help_text="the ACD's last word here: why who was rung, or why nobody was"
    )

    class Meta:
        db_table = "calls_visit"
        indexes = [
            models.Index(fields=["queue", "slot"], name="calls_visit_queue_ix"),
            models.Index(fields=["left_at"], name="calls_visit_open_ix"),
        ]


class CallLeg(models.Model):
    """A fact: one agent's segment of a call; a refused ring belongs to the agent it rang at (RONA)."""

    call = models.ForeignKey(Call, on_delete=models.PROTECT, related_name="legs")
    seq = models.IntegerField()
    connection = models.CharField(max_length=80)
    agent = models.ForeignKey("agents.AgentProfile", null=True, on_delete=models.PROTECT, related_name="legs")
    device = models.CharField(max_length=20)
    slot = models.IntegerField()
    offered_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    held_since = models.DateTimeField(null=True, blank=True)
    state_since = models.DateTimeField(null=True, blank=True)
    is_muted = models.BooleanField(default=False)
    ring_ms = models.BigIntegerField(default=0)
    talk_ms = models.BigIntegerField(default=0)
    hold_ms = models.BigIntegerField(default=0)
    acw_ms = models.BigIntegerField(default=0)
    result = models.CharField(max_length=16, blank=True, null=True)
    acw_ended_at = models.DateTimeField(null=True, blank=True)
    acw_extensions = models.IntegerField(default=0, help_text="how often its wrap-up was extended (S-07)")

    class Meta:
        db_table = "calls_leg"
        constraints = [
            UniqueConstraint(fields=["call", "seq"], name="calls_leg_seq_uq"),
            UniqueConstraint(fields=["connection"], name="calls_leg_conn_uq"),
        ]
        indexes = [
            models.Index(fields=["agent", "slot"], name="calls_leg_agent_ix"),
            models.Index(fields=["ended_at"], name="calls_leg_open_ix"),
        ]


class CallEvent(models.Model):
    """What the switch told us, append-only, in the order it was recorded; the Call row is its fold."""

    call = models.ForeignKey(Call, on_delete=models.PROTECT, related_name="events")
    seq = models.IntegerField()
    kind = models.CharField(max_length=30)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(default=clock.now)
    facts = models.JSONField(default=dict, help_text="connection, device, agent, cause …: never a customer's number")

    class Meta:
        db_table = "calls_event"
        constraints = [UniqueConstraint(fields=["call", "seq"], name="calls_event_seq_uq")]


class Command(models.Model):
    """A click on the phone bar, for telephony to carry out. The effect comes back as an event; a refusal stays here."""

    SENT, DONE, REFUSED, SILENT = "sent", "done", "refused", "silent"

    call = models.ForeignKey(Call, null=True, blank=True, on_delete=models.PROTECT, related_name="commands")
    agent = models.ForeignKey(
        "agents.AgentProfile", null=True, blank=True, on_delete=models.PROTECT, related_name="commands"
    )
    name = models.CharField(max_length=30)
    params = models.JSONField(default=dict)
    state = models.CharField(max_length=10, default=SENT)
    code = models.CharField(max_length=40, blank=True, null=True)
    reason = models.CharField(max_length=200, blank=True, null=True)
    created_at = models.DateTimeField(default=clock.now)
    taken_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "calls_command"
        indexes = [models.Index(fields=["state", "id"], name="calls_command_state_ix")]
