"""Which tasks of an instance still matter. Everything else is finished work, and history is somebody else's table.

The library never forgets a finished task: cost grows with every loop round and ends in RecursionError after some
two hundred. Our joins remember their arrivals themselves (engine.dialect), so little of the past is needed:

* what is not finished;
* the parent of such a task, and the root;
* finished instances of a multi-instance activity that still runs;
* for a boundary event that waits (or its join): the split it hangs on, and what else hangs there.
"""

from __future__ import annotations

from typing import Any

from SpiffWorkflow.bpmn.specs.control import BoundaryEventJoin, BoundaryEventSplit
from SpiffWorkflow.bpmn.specs.mixins.multiinstance_task import LoopTask
from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState

from engine.dialect import BoundaryEvent


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
        if isinstance(task.task_spec, LoopTask):
            keep.update(task._children)
        elif isinstance(task.task_spec, BoundaryEventJoin):
            split = _ancestor(tasks, task, task.task_spec.split_task)
            if split is not None:
                keep.add(split.id)
    for identifier in list(keep):
        if isinstance(tasks[identifier].task_spec, BoundaryEventSplit):
            keep.update(child for child in tasks[identifier]._children if not _is_spent(tasks[child]))
    return [(task, _kept_ancestor(tasks, task, keep)) for task in tasks.values() if task.id in keep]


def _is_spent(task: Task) -> bool:
    """A non-interrupting event that has fired decides nothing any more."""
    spec = task.task_spec
    return isinstance(spec, BoundaryEvent) and not spec.cancel_activity and task.has_state(TaskState.FINISHED_MASK)


def _ancestor(tasks: dict[Any, Task], task: Task, spec_name: str) -> Task | None:
    found = tasks.get(task._parent)
    while found is not None and found.task_spec.name != spec_name:
        found = tasks.get(found._parent)
    return found


def _kept_ancestor(tasks: dict[Any, Task], task: Task, keep: set[Any]) -> Task | None:
    parent = task._parent
    while parent is not None and parent not in keep:
        parent = tasks[parent]._parent
    return tasks.get(parent) if parent is not None else None
