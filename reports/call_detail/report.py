"""Call detail (P-31): every call with who took it, how long it waited, rang, talked. Each sum of a traffic report opens to these rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import OuterRef, Subquery

from web.calls.models import Call, CallLeg
from web.common.clock import slot
from web.common.scope import scope

from ..base import Asked, Column, Param, Report

DIRECTIONS = ("in", "out", "internal", "dialler")
OUTCOMES = ("answered", "abandoned", "short", "blocked", "no_answer")


class CallDetail(Report):
    name = "call_detail"
    title = {"zh": "来电明细", "en": "Call detail"}
    params = (
        Param("period", "period", {"zh": "日期", "en": "Period"}, default=1),
        Param("direction", "choice", {"zh": "方向", "en": "Direction"}, choices=DIRECTIONS),
        Param("outcome", "choice", {"zh": "结果", "en": "Outcome"}, choices=OUTCOMES),
        Param("queue", "text", {"zh": "队列", "en": "Queue"}),
    )
    columns = (
        Column("started_at", {"zh": "开始", "en": "Started"}, "instant"),
        Column("direction", {"zh": "方向", "en": "Direction"}, "code"),
        Column("number", {"zh": "号码", "en": "Number"}),
        Column("area", {"zh": "归属地", "en": "Area"}),
        Column("queue", {"zh": "队列", "en": "Queue"}),
        Column("agent", {"zh": "坐席", "en": "Agent"}, "person"),
        Column("outcome", {"zh": "结果", "en": "Outcome"}, "code"),
        Column("purpose", {"zh": "目的", "en": "Purpose"}, "code"),
        Column("wait_ms", {"zh": "等待", "en": "Wait"}, "duration_ms"),
        Column("ring_ms", {"zh": "振铃", "en": "Ring"}, "duration_ms"),
        Column("talk_ms", {"zh": "通话", "en": "Talk"}, "duration_ms"),
        Column("hold_ms", {"zh": "保持", "en": "Hold"}, "duration_ms"),
        Column("acw_ms", {"zh": "整理", "en": "Wrap-up"}, "duration_ms"),
    )

    def rows(self, asked: Asked, user: Any) -> Iterator[tuple]:
        period = asked["period"]
        calls = scope(Call.objects.all(), user).filter(
            slot__gte=slot(period.begins),
            slot__lte=slot(period.ends),
            started_at__gte=period.begins,
            started_at__lt=period.ends,
        )
        for column, name in (("direction", "direction"), ("outcome", "outcome"), ("last_queue", "queue")):
            if asked[name]:
                calls = calls.filter(**{column: asked[name]})
        took = (
            CallLeg.objects.filter(call=OuterRef("pk"), answered_at__isnull=False)
            .order_by("seq")
            .values("agent__user__number")
        )
        calls = calls.annotate(agent_number=Subquery(took[:1])).order_by("slot", "id")
        for call in calls.values_list(
            "started_at", "direction", "number_masked", "province", "city", "last_queue", "agent_number", "outcome", "purpose",
            "wait_ms", "ring_ms", "talk_ms", "hold_ms", "acw_ms",
        ).iterator(chunk_size=2000):  # fmt: skip
            started_at, direction, number, province, city, *rest = call
            yield (started_at, direction, number, " ".join(filter(None, (province, city))), *rest)
