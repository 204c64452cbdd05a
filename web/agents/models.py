from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import UniqueConstraint

from web.common import clock


class Skill(models.Model):
    key = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=40)
    name_en = models.CharField(max_length=40, blank=True, null=True)

    class Meta:
        db_table = "agents_skill"


class SkillGroup(models.Model):
    """技能组: whom a queue rings. `group` is the organisation's group whose leaders watch it."""

    key = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=60)
    name_en = models.CharField(max_length=60, blank=True, null=True)
    group = models.ForeignKey("accounts.Group", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        db_table = "agents_skill_group"


class Extension(models.Model):
    number = models.CharField(max_length=20, unique=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        db_table = "agents_extension"


class AgentProfile(models.Model):
    """What makes a user an agent: may sit at a phone. One state row with a capacity for voice and for chat."""

    NULL, NOT_READY, READY, BUSY, ACW = "null", "not_ready", "ready", "busy", "acw"
    STATES = [(s, s) for s in (NULL, NOT_READY, READY, BUSY, ACW)]

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="agent")
    extension = models.CharField(max_length=20, blank=True, null=True, help_text="where this agent sits now")
    skill_groups = models.ManyToManyField(SkillGroup, related_name="agents", db_table="agents_profile_group")
    skills = models.ManyToManyField(Skill, related_name="agents", db_table="agents_profile_skill")
    signed_in = models.JSONField(default=list, help_text="keys of the skill groups signed in to")
    active_skills = models.JSONField(default=list)
    state = models.CharField(max_length=12, choices=STATES, default=NULL)
    reason = models.CharField(max_length=40, blank=True, null=True)
    since = models.DateTimeField(default=clock.now)
    ready_since = models.DateTimeField(null=True, blank=True, help_text="longest idle is served first")
    planned_until = models.DateTimeField(null=True, blank=True)
    wrap_up_until = models.DateTimeField(null=True, blank=True)
    wrap_up_extended = models.BooleanField(default=False)
    wrap_up_seconds = models.IntegerField(default=30)
    voice_capacity = models.IntegerField(default=1)
    chat_capacity = models.IntegerField(default=3)
    voice_load = models.IntegerField(default=0)
    chat_load = models.IntegerField(default=0)
    after_call_state = models.CharField(
        max_length=12, blank=True, null=True, help_text="asked for during a call: taken when it ends"
    )
    after_call_reason = models.CharField(max_length=40, blank=True, null=True)
    resume_state = models.CharField(
        max_length=12, blank=True, null=True, help_text="where the contact at hand, and its wrap-up, lead back to"
    )
    resume_reason = models.CharField(max_length=40, blank=True, null=True)
    contacts = models.JSONField(default=list, help_text="[channel, identifier] of what is at hand")
    is_paused = models.BooleanField(default=False, help_text="by the leader; only he lifts it")
    changed_by = models.CharField(max_length=20, blank=True, null=True, help_text="工号, when it was not the agent")
    version = models.IntegerField(default=0)

    class Meta:
        db_table = "agents_profile"
        constraints = [UniqueConstraint(fields=["extension"], name="agents_profile_ext_uq")]


class PauseReason(models.Model):
    """Why an agent is not ready or rests (A-52, A-65)."""

    key = models.CharField(max_length=40, unique=True)
    kind = models.CharField(max_length=12, choices=[("not_ready", "not_ready"), ("rest", "rest")])
    name = models.CharField(max_length=40)
    name_en = models.CharField(max_length=40)
    max_minutes = models.IntegerField(default=15)
    position = models.IntegerField(default=0)
    is_active = models.BooleanField(default=True)

    class Meta:
        db_table = "agents_reason"


class StateSpan(models.Model):
    """A fact: one agent in one state (DATA A3). Written by telephony alone. Talking is taken from the segments."""

    agent = models.ForeignKey(AgentProfile, on_delete=models.PROTECT, related_name="spans")
    state = models.CharField(max_length=12)
    reason = models.CharField(max_length=40, blank=True, null=True)
    group = models.CharField(max_length=40, blank=True, null=True, help_text="skill group of then")
    slot = models.IntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "agents_span"
        indexes = [
            models.Index(fields=["agent", "slot"], name="agents_span_agent_ix"),
            models.Index(fields=["slot"], name="agents_span_slot_ix"),
        ]
