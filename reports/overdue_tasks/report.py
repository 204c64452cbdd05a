"""Overdue tasks (S-20): what was or is beyond its deadline, whose it was, who has it now and how long it took."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from web.common import clock
from web.common.scope import scope
from web.workflow.models import UserTask

from ..base import Asked, Column, Param, Report


class OverdueTasks(Report):
    name = "overdue_tasks"
    title = {"zh": "超时任务", "en": "Overdue tasks"}
    params = (
        Param("period", "period", {"zh": "到期日", "en": "Due"}, default=7),
        Param("state", "choice", {"zh": "状态", "en": "State"}, choices=("open", "done", "cancelled")),
        Param("flow", "text", {"zh": "流程", "en": "Flow"}),
    )
    columns = (
        Column("due_at", {"zh": "到期", "en": "Due"}, "instant"),
        Column("flow", {"zh": "流程", "en": "Flow"}),
        Column("task", {"zh": "任务", "en": "Task"}),
        Column("key", {"zh": "工单", "en": "Ticket"}),
        Column("owner", {"zh": "处理人", "en": "Owner"}, "person"),
        Column("former", {"zh": "前处理人", "en": "Former owner"}, "person"),
        Column("state", {"zh": "状态", "en": "State"}, "code"),
        Column("over_ms", {"zh": "超时", "en": "Over by"}, "duration_ms"),
        Column("ended_at", {"zh": "结束", "en": "Ended"}, "instant"),
    )

    def rows(self, asked: Asked, user: Any) -> Iterator[tuple]:
        period, now = asked["period"], clock.now()
        tasks = scope(UserTask.objects.all(), user).filter(
            due_at__gte=period.begins, due_at__lt=period.ends, overdue_at__isnull=False
        )
        if asked["state"]:
            tasks = tasks.filter(state=asked["state"])
        if asked["flow"]:
            tasks = tasks.filter(instance__version__definition__key=asked["flow"])
        columns = (
            "due_at",
            "instance__version__definition__name",
            "name",
            "instance__business_key",
            "assignee__number",
            "replaces__assignee__number",
            "state",
            "ended_at",
        )
        for due_at, flow, task, key, owner, former, state, ended_at in (
            tasks.order_by("due_at", "id").values_list(*columns).iterator(chunk_size=2000)
        ):
            over = (ended_at or now) - due_at
            yield (
                due_at,
                flow,
                task,
                key.removeprefix("ticket:"),
                owner,
                former,
                state,
                max(int(over.total_seconds() * 1000), 0),
                ended_at,
            )
