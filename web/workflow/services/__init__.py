"""Flows: publishing, running, the inbox. Other rooms import from here; each verb is one transaction."""

from __future__ import annotations

from web.accounts.services import candidate_keys
from web.workflow.services.acts import (
    claim,
    complete,
    delegate,
    flush_undo,
    keep_draft,
    return_task,
    save_draft,
    take_over_in_call,
    undo,
)
from web.workflow.services.command import cancel_instance, start
from web.workflow.services.hooks import register
from web.workflow.services.inbox import (
    check_startable,
    concerning_caller,
    counts,
    first_task_of,
    may_read,
    open_tasks_of,
    page,
    rows_of,
    startable_flows,
    task_detail,
    task_row,
    tasks_for,
)
from web.workflow.services.messages import awaited_by, deliver, hand_over, is_awaited
from web.workflow.services.publishing import Deployed, current_version, deploy, deploy_folder, flow_is_deployed
from web.workflow.services.reassigning import reassign
from web.workflow.services.timers import timer
from web.workflow.services.views import answer_of, answers_of, instance_view, timeline

__all__ = [
    "Deployed",
    "answer_of",
    "answers_of",
    "awaited_by",
    "cancel_instance",
    "candidate_keys",
    "check_startable",
    "claim",
    "complete",
    "concerning_caller",
    "counts",
    "current_version",
    "delegate",
    "deliver",
    "deploy",
    "deploy_folder",
    "first_task_of",
    "flow_is_deployed",
    "flush_undo",
    "hand_over",
    "instance_view",
    "is_awaited",
    "keep_draft",
    "may_read",
    "open_tasks_of",
    "page",
    "reassign",
    "register",
    "return_task",
    "rows_of",
    "save_draft",
    "start",
    "startable_flows",
    "take_over_in_call",
    "task_detail",
    "task_row",
    "tasks_for",
    "timeline",
    "timer",
    "undo",
]
