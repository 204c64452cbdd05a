"""What happened, in order and without gaps."""

from __future__ import annotations

from typing import Any

from django.db.models import F

from web.common import clock
from web.workflow.models import History, ProcessInstance, UserTask

COLUMNS = ("action", "element", "kind", "flow", "actor", "task", "facts", "at")


def append(instance: ProcessInstance, entries: list[dict[str, Any]]) -> None:
    """Add entries with `action` and any of element, kind, flow, actor (a user or 工号), task, facts, at, text (sealed). The counter on
    the instance row makes concurrent writers wait for each other, so numbers are gapless."""
    if not entries:
        return
    mine = ProcessInstance.objects.filter(pk=instance.pk)
    mine.update(last_seq=F("last_seq") + len(entries))
    instance.last_seq = last = mine.values_list("last_seq", flat=True).get()
    rows = []
    for seq, entry in enumerate(entries, last - len(entries) + 1):
        values = {name: entry[name] for name in COLUMNS if name in entry}
        values["actor"] = getattr(values.get("actor"), "number", values.get("actor")) or None
        row = History(**{"at": clock.now(), "facts": {}, **values, "instance": instance, "seq": seq})
        row.person = instance.person
        if entry.get("text"):
            row.text = {"text": entry["text"]}
        rows.append(row)
    History.objects.bulk_create(rows)


def note(task: UserTask, action: str, *, actor: Any = None, text: str = "", **facts: Any) -> None:
    """Add what somebody did to a task."""
    entry = {"action": action, "element": task.element, "kind": "userTask", "actor": actor, "task": task}
    append(task.instance, [{**entry, "facts": facts, "text": text}])
