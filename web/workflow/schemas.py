"""Shapes of requests (checked) and of answers (described for OpenAPI; the services make them as plain dicts)."""

from __future__ import annotations

from rest_framework import serializers as s

from web.accounts.api import PersonOut
from web.common.names import BilingualName, Named
from web.workflow.services.reassigning import REASONS

# -- asked -------------------------------------------------------------------------------------------------------------


class ReasonIn(s.Serializer):
    reason = s.CharField(required=False, allow_blank=True, max_length=500, default="")


class ClaimIn(s.Serializer):
    call = s.IntegerField(required=False, allow_null=True, help_text="the customer's call at the caller's phone: take over")


class DelegateIn(ReasonIn):
    to = s.CharField(max_length=20)


class DataIn(s.Serializer):
    data = s.DictField(default=dict)


class CompleteIn(DataIn):
    now = s.BooleanField(default=False, help_text="true: no ten seconds to undo")


class ReassignIn(s.Serializer):
    ids = s.ListField(child=s.IntegerField(), min_length=1, max_length=200)
    assignee = s.CharField(required=False, allow_null=True, allow_blank=True, max_length=20)
    group = s.CharField(required=False, allow_null=True, allow_blank=True, max_length=40)
    due_at = s.DateTimeField(required=False, allow_null=True)
    reason = s.ChoiceField(REASONS)
    note = s.CharField(required=False, allow_blank=True, default="", max_length=500, help_text="in own words; sealed")


class IdsField(s.CharField):
    """Numbers with commas between them."""

    default_error_messages = {"invalid": "not a list of numbers"}

    def to_internal_value(self, data) -> list[int]:
        parts = super().to_internal_value(data).split(",")
        if len(parts) > 200 or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
            self.fail("invalid")
        return [int(part) for part in parts]


class LoadQuery(s.Serializer):
    tasks = IdsField(required=False, default=None, max_length=4000, help_text="1,2,3: who can do all of these")


class SkipIn(ReasonIn):
    data = s.DictField(required=False, default=dict, help_text="skip: what the element would have answered")


class BoxQuery(s.Serializer):
    box = s.ChoiceField(["mine", "pool", "started", "done", "overdue"], default="mine")
    search = s.CharField(required=False, allow_blank=True, default="", max_length=80)
    flow = s.CharField(required=False, allow_blank=True, default="", max_length=60)
    ordering = s.CharField(required=False, allow_blank=True, default="", max_length=20)
    cursor = s.CharField(required=False, allow_blank=True, default="", max_length=300)
    size = s.IntegerField(required=False, default=50, min_value=1, max_value=200)


class InstanceQuery(s.Serializer):
    flow = s.CharField(required=False, allow_blank=True, default="", max_length=60)
    status = s.CharField(required=False, allow_blank=True, default="", max_length=10)
    cursor = s.CharField(required=False, allow_blank=True, default="", max_length=300)


class IncidentQuery(s.Serializer):
    state = s.ChoiceField(["open", "retried", "skipped", "cancelled", "all"], default="open")
    cursor = s.CharField(required=False, allow_blank=True, default="", max_length=300)


class MessageQuery(s.Serializer):
    state = s.ChoiceField(["new", "consumed", "unmatched", "expired", "all"], default="unmatched")
    cursor = s.CharField(required=False, allow_blank=True, default="", max_length=300)


# -- answered ----------------------------------------------------------------------------------------------------------


class TaskFlow(s.Serializer):
    key = s.CharField()
    name = BilingualName()
    version = s.IntegerField()


class TaskCandidateName(s.Serializer):
    kind = s.ChoiceField(["user", "group", "role", "leader"])
    key = s.CharField()
    name = BilingualName()


class TaskRow(s.Serializer):
    id = s.CharField()
    element = s.CharField()
    title = s.CharField()
    flow = TaskFlow()
    instance = s.CharField()
    business_key = s.CharField()
    ticket = s.CharField(allow_null=True)
    customer = s.CharField(allow_null=True)
    vip = s.BooleanField()
    source = s.CharField(allow_null=True, help_text="where the ticket came from")
    repeats = s.IntegerField(help_text="how often the same was asked for")
    priority = s.ChoiceField([1, 2, 3, 4])
    created_at = s.DateTimeField()
    due_at = s.DateTimeField(allow_null=True)
    remind_at = s.DateTimeField(allow_null=True)
    overdue_at = s.DateTimeField(allow_null=True)
    assignee = PersonOut(allow_null=True)
    candidates = TaskCandidateName(many=True)
    state = s.ChoiceField(["open", "done", "cancelled"])
    mine = s.BooleanField()
    claimable = s.BooleanField()
    can = s.ListField(child=s.ChoiceField(["claim", "return", "delegate", "complete", "undo", "reassign", "take_over"]))
    undo_until = s.DateTimeField(allow_null=True)
    ended_at = s.DateTimeField(allow_null=True)
    ended_by = PersonOut(allow_null=True)
    about = s.CharField(allow_null=True)
    pos = s.IntegerField(help_text="grows with every change of the task")


class TaskForm(s.Serializer):
    key = s.CharField()
    schema = s.DictField()


class TypedData(s.Serializer):
    data = s.DictField()
    at = s.DateTimeField()
    by = PersonOut(allow_null=True)


class TaskViewer(PersonOut):
    since = s.DateTimeField()


class TaskBrief(s.Serializer):
    name = s.CharField()
    title = BilingualName()
    value = BilingualName()


class TaskDetail(TaskRow):
    form = TaskForm(allow_null=True)
    data = s.DictField()
    draft = TypedData(allow_null=True)
    former_draft = TypedData(allow_null=True)
    submission = TypedData(allow_null=True)
    viewers = TaskViewer(many=True)
    brief = TaskBrief(many=True, help_text="what earlier tasks of the flow left for who does this one")


class TaskCounts(s.Serializer):
    mine = s.IntegerField()
    pool = s.IntegerField()
    started = s.IntegerField()
    done = s.IntegerField()
    overdue = s.IntegerField()


class TaskPage(s.Serializer):
    results = TaskRow(many=True)
    next = s.CharField(allow_null=True)
    counts = TaskCounts()
    live = s.DictField(child=s.CharField())


class TaskCompleted(s.Serializer):
    task = TaskRow()
    undo_until = s.DateTimeField(allow_null=True)
    next = TaskRow(many=True)


class DraftSaved(s.Serializer):
    at = s.DateTimeField()


class ReassignResult(s.Serializer):
    id = s.CharField()
    ok = s.BooleanField()
    task = s.CharField(required=False)
    code = s.CharField(required=False)
    why = s.CharField(required=False, help_text="cannot_take: excluded, not_a_candidate, unknown_user, group")


class ReassignResults(s.Serializer):
    results = ReassignResult(many=True)


class FlowToken(s.Serializer):
    element = s.CharField()
    name = s.CharField()
    since = s.DateTimeField()
    who = PersonOut(allow_null=True)


class FlowTimer(s.Serializer):
    element = s.CharField()
    due_at = s.DateTimeField()


class FlowAwaited(s.Serializer):
    element = s.CharField()
    name = s.CharField()


class IncidentRow(s.Serializer):
    id = s.CharField()
    element = s.CharField(allow_null=True)
    code = s.CharField()
    message = s.CharField()
    at = s.DateTimeField()
    state = s.CharField()
    subject = s.CharField()
    instance = s.CharField(allow_null=True)
    resolved_at = s.DateTimeField(allow_null=True)
    resolved_by = s.CharField(allow_null=True)
    reason = s.CharField(allow_null=True)


class FlowName(s.Serializer):
    key = s.CharField()
    name = BilingualName()


class InstanceView(s.Serializer):
    id = s.CharField()
    flow = FlowName()
    version = s.IntegerField()
    business_key = s.CharField()
    status = s.ChoiceField(["running", "completed", "cancelled"])
    ends = s.ListField(child=s.CharField())
    xml_url = s.CharField()
    tokens = FlowToken(many=True)
    done = s.ListField(child=s.CharField())
    flows_taken = s.ListField(child=s.CharField())
    timers = FlowTimer(many=True)
    awaited = FlowAwaited(many=True)
    incidents = IncidentRow(many=True)
    names = s.DictField(child=BilingualName())
    live = s.DictField(child=s.CharField())


class InstanceAt(s.Serializer):
    element = s.CharField()
    name = s.CharField()


class InstanceRow(s.Serializer):
    id = s.CharField()
    flow = FlowName()
    version = s.IntegerField()
    business_key = s.CharField()
    ticket = s.CharField(allow_null=True)
    customer = s.CharField(allow_null=True)
    vip = s.BooleanField()
    source = s.CharField(allow_null=True, help_text="where the ticket came from")
    repeats = s.IntegerField(help_text="how often the same was asked for")
    status = s.ChoiceField(["running", "completed", "cancelled"])
    is_stuck = s.BooleanField()
    ends = s.ListField(child=s.CharField())
    started_at = s.DateTimeField()
    ended_at = s.DateTimeField(allow_null=True)
    at = InstanceAt(many=True)


class InstancePage(s.Serializer):
    results = InstanceRow(many=True)
    next = s.CharField(allow_null=True)


class LoadRow(s.Serializer):
    number = s.CharField()
    name = s.CharField()
    group = Named(allow_null=True)
    open = s.IntegerField()
    overdue = s.IntegerField()
    state = s.CharField(allow_null=True, help_text="at the phone; null: no agent")


class TimelineEntry(s.Serializer):
    at = s.DateTimeField()
    actor = PersonOut(allow_null=True)
    auto = s.BooleanField()
    rule = BilingualName(allow_null=True)
    action = s.CharField()
    element = s.CharField(allow_null=True)
    name = BilingualName(allow_null=True)
    text = s.CharField(allow_null=True)
    facts = s.DictField()


class TaskAnswers(TypedData):
    task = s.CharField()
    element = s.CharField()
    title = s.CharField()
    schema = s.DictField(help_text="JSON Schema of the form that was answered; empty when there was none")


class FlowRow(s.Serializer):
    key = s.CharField()
    name = BilingualName()
    version = s.IntegerField()
    startable = s.BooleanField(help_text="by hand")
    why_not = s.ChoiceField(["message", "called"], allow_null=True)
    description = s.CharField(allow_blank=True)


class IncidentPage(s.Serializer):
    results = IncidentRow(many=True)
    next = s.CharField(allow_null=True)


class IncidentDecided(s.Serializer):
    ok = s.BooleanField(help_text="false: it was tried and failed again")
    incident = IncidentRow()


class MessageRow(s.Serializer):
    id = s.CharField()
    message_id = s.CharField()
    name = s.CharField()
    business_key = s.CharField(allow_null=True)
    subject = s.CharField(allow_null=True)
    keys = s.DictField(child=s.CharField())
    state = s.CharField()
    received_at = s.DateTimeField()
    expires_at = s.DateTimeField(allow_null=True)
    consumed_by = s.CharField(allow_null=True)


class MessagePage(s.Serializer):
    results = MessageRow(many=True)
    next = s.CharField(allow_null=True)
