from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Case, F, UniqueConstraint, When

from web.common import clock
from web.common.fields import SealedJSON


class FlowDefinition(models.Model):
    """A flow by its key = process id = folder name in bpmn/."""

    key = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=80)
    name_en = models.CharField(max_length=80, blank=True, null=True)
    current = models.ForeignKey(
        "FlowVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="current_of"
    )
    is_startable = models.BooleanField(default=True, help_text="false for flows that only other flows call")

    class Meta:
        db_table = "workflow_flow"


class FlowVersion(models.Model):
    """One published version: its files with the called flows' files pinned (engine Bundle). Running instances keep theirs."""

    definition = models.ForeignKey(FlowDefinition, on_delete=models.PROTECT, related_name="versions")
    number = models.IntegerField()
    digest = models.CharField(max_length=64)
    published_at = models.DateTimeField(default=clock.now)
    published_by = models.CharField(max_length=20, blank=True, null=True)

    class Meta:
        db_table = "workflow_version"
        constraints = [
            UniqueConstraint(fields=["definition", "number"], name="workflow_version_no_uq"),
            UniqueConstraint(fields=["definition", "digest"], name="workflow_version_dig_uq"),
        ]


class FlowFile(models.Model):
    version = models.ForeignKey(FlowVersion, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(max_length=160)
    content = models.TextField()

    class Meta:
        db_table = "workflow_file"
        constraints = [UniqueConstraint(fields=["version", "name"], name="workflow_file_uq")]


class ProcessInstance(models.Model):
    """One running or ended flow. The row holds only compact state; `lock_version` grows with every command."""

    RUNNING, COMPLETED, CANCELLED = "running", "completed", "cancelled"
    STATES = [(s, s) for s in (RUNNING, COMPLETED, CANCELLED)]

    version = models.ForeignKey(FlowVersion, on_delete=models.PROTECT, related_name="instances")
    business_key = models.CharField(max_length=80, db_index=True)
    person = models.CharField(max_length=60, blank=True, null=True, help_text="whose data key seals what is said here")
    status = models.CharField(max_length=10, choices=STATES, default=RUNNING)
    state = models.BinaryField(null=True)
    data = models.JSONField(default=dict, help_text="keys and routing flags only")
    ends = models.JSONField(default=list)
    lock_version = models.IntegerField(default=0)
    last_seq = models.IntegerField(default=0, help_text="of its history")
    is_stuck = models.BooleanField(default=False, help_text="automatic work failed; an incident says where")
    started_by = models.CharField(max_length=20, blank=True, null=True)
    started_at = models.DateTimeField(default=clock.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "workflow_instance"
        indexes = [models.Index(fields=["status", "id"], name="workflow_instance_st_ix")]


class UserTask(models.Model):
    """A task in somebody's inbox: the row is the authority on who has it and whether it is open (ARCHITECTURE 5.2)."""

    OPEN, DONE, CANCELLED = "open", "done", "cancelled"
    STATES = [(s, s) for s in (OPEN, DONE, CANCELLED)]

    instance = models.ForeignKey(ProcessInstance, on_delete=models.PROTECT, related_name="tasks")
    engine_id = models.CharField(max_length=40, unique=True)
    element = models.CharField(max_length=80)
    name = models.CharField(max_length=120)
    title = models.CharField(max_length=200)
    lane = models.CharField(max_length=40, blank=True, null=True)
    form_key = models.CharField(max_length=120, blank=True, null=True)
    priority = models.IntegerField(default=3)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="tasks"
    )
    about = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="escalations")
    replaces = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    state = models.CharField(max_length=10, choices=STATES, default=OPEN)
    due_at = models.DateTimeField(null=True, blank=True)
    remind_at = models.DateTimeField(null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True)
    overdue_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now)
    claimed_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    undo_until = models.DateTimeField(null=True, blank=True, help_text="done by form, the flow has not moved yet")
    data = models.JSONField(default=dict)
    excluded = models.JSONField(default=list, help_text="工号 who may never take it")
    version = models.IntegerField(default=0)

    class Meta:
        db_table = "workflow_task"
        indexes = [
            models.Index(fields=["assignee", "state", "due_at"], name="workflow_task_inbox_ix"),
            models.Index(fields=["state", "due_at"], name="workflow_task_due_ix"),
            models.Index(fields=["instance", "state"], name="workflow_task_inst_ix"),
        ]

    @property
    def reference(self) -> str:
        """How the flow names it to verbs and in messages: `reference_of` its element and data."""
        return reference_of(self.element, self.data or {})


def reference_of(element: str, data: dict) -> str:
    """`element`, and `element:branch` where several of one element are open: the instances of a multi-instance activity, which the flow
    tells apart by the value `branch`."""
    branch = data.get("branch")
    return f"{element}:{branch}" if branch else element


def referred(tasks: models.QuerySet, reference: str) -> list[UserTask]:
    """Those of `tasks` a flow means by this reference, the newest first."""
    element, _, branch = reference.partition(":")
    rows = tasks.filter(element=element).order_by("-pk")
    return [row for row in rows if not branch or row.reference == reference]


class TaskCandidate(models.Model):
    """Who may claim: `user:1001`, `group:booking`, `role:finance`, `leader:booking`; `not:1001` = never this one."""

    task = models.ForeignKey(UserTask, on_delete=models.CASCADE, related_name="candidates")
    key = models.CharField(max_length=80)

    class Meta:
        db_table = "workflow_candidate"
        constraints = [UniqueConstraint(fields=["task", "key"], name="workflow_candidate_uq")]
        indexes = [models.Index(fields=["key", "task"], name="workflow_candidate_ix")]


class Draft(models.Model):
    """What somebody typed and has not sent: one per task and user; survives crash and take-over."""

    task = models.ForeignKey(UserTask, on_delete=models.CASCADE, related_name="drafts")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="drafts")
    person = models.CharField(max_length=60, blank=True, null=True)
    sealed_data = models.TextField(blank=True, null=True)
    at = models.DateTimeField(default=clock.now)
    data = SealedJSON("sealed_data")

    class Meta:
        db_table = "workflow_draft"
        constraints = [UniqueConstraint(fields=["task", "user"], name="workflow_draft_uq")]


class Submission(models.Model):
    """Every user task's answers (ARCHITECTURE 5.8), written in the command; personal fields are sealed with the person's key."""

    task = models.ForeignKey(UserTask, on_delete=models.PROTECT, related_name="submissions")
    form_key = models.CharField(max_length=120, blank=True, null=True)
    form_digest = models.CharField(max_length=64, blank=True, null=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=clock.now)
    person = models.CharField(max_length=60, blank=True, null=True)
    sealed_data = models.TextField(blank=True, null=True)
    is_undone = models.BooleanField(default=False)
    data = SealedJSON("sealed_data")

    class Meta:
        db_table = "workflow_submission"
        constraints = [UniqueConstraint(Case(When(is_undone=False, then=F("task"))), name="workflow_submission_uq")]


class Awaited(models.Model):
    """A message that an instance waits for now; matching is done here in SQL, delivery by engine task id."""

    instance = models.ForeignKey(ProcessInstance, on_delete=models.CASCADE, related_name="awaited")
    engine_id = models.CharField(max_length=40, help_text="several rows when it waits for several subjects or events")
    element = models.CharField(max_length=80)
    name = models.CharField(max_length=80)
    business_key = models.CharField(max_length=80, blank=True, null=True)
    subject = models.CharField(max_length=80, blank=True, null=True)
    keys = models.JSONField(default=dict)
    since = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "workflow_awaited"
        indexes = [
            models.Index(fields=["name", "business_key"], name="workflow_awaited_pt_ix"),
            models.Index(fields=["name", "subject"], name="workflow_awaited_sub_ix"),
        ]


class History(models.Model):
    """What happened in an instance, append-only: steps of the diagram and acts of people, in `seq` order."""

    instance = models.ForeignKey(ProcessInstance, on_delete=models.PROTECT, related_name="history")
    seq = models.IntegerField()
    at = models.DateTimeField(default=clock.now)
    action = models.CharField(max_length=30)
    element = models.CharField(max_length=80, blank=True, null=True)
    kind = models.CharField(max_length=40, blank=True, null=True)
    flow = models.CharField(max_length=80, blank=True, null=True, help_text="sequence flow taken")
    actor = models.CharField(max_length=20, blank=True, null=True, help_text="工号; empty = the flow itself")
    task = models.ForeignKey(UserTask, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    facts = models.JSONField(default=dict)
    person = models.CharField(max_length=60, blank=True, null=True)
    sealed_text = models.TextField(blank=True, null=True, help_text="a reason somebody typed")
    text = SealedJSON("sealed_text")

    class Meta:
        db_table = "workflow_history"
        constraints = [UniqueConstraint(fields=["instance", "seq"], name="workflow_history_seq_uq")]
        indexes = [models.Index(fields=["action", "at"], name="workflow_history_act_ix")]
