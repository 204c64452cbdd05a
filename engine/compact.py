"""Which tasks of an instance still matter. Everything else is finished work, and history is somebody else's table.

The library never forgets a finished task: cost grows with every loop round and ends in RecursionError after some
two hundred. Our joins and multi-instance activities remember what arrived (engine.dialect), and a boundary event never
waits longer than its activity, so little of the past is needed: what is not finished, its parents and the root.
"""

from __future__ import annotations

from typing import Any

from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState


def kept(workflow: Any) -> list[tuple[Task, Task | None]]:
    """(task, its nearest kept ancestor) in order of creation; an ancestor always comes before its descendants."""
    tasks: dict[Any, Task] = workflow.tasks
    keep = {workflow.task_tree.id}
    for task in tasks.values():
        if task.has_state(TaskState.FINISHED_MASK):
            continue
        keep.add(task.id)
        if task._parent is not None:
            keep.add(task._parent)
    return [(task, _kept_ancestor(tasks, task, keep)) for task in tasks.values() if task.id in keep]


def _kept_ancestor(tasks: dict[Any, Task], task: Task, keep: set[Any]) -> Task | None:
    parent = task._parent
    while parent is not None and parent not in keep:
        parent = tasks[parent]._parent
    return tasks.get(parent) if parent is not None else None
