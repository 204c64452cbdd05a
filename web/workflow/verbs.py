"""What this room lends to flows: reminding, marking overdue, telling people."""

from __future__ import annotations

from django.db.models import F

from engine.verbs import verb
from web.accounts import services as accounts
from web.accounts.models import User
from web.common.publishing import publish
from web.workflow.events import UserTaskChanged
from web.workflow.models import ProcessInstance, UserTask, referred
from web.workflow.services import history, publishing
from web.workflow.services.projection import EXCLUDED

TEXT = {"type": "string"}


def _instance(context) -> ProcessInstance:
    return ProcessInstance.objects.get(pk=context.instance_key.partition(":")[2])


def _open_task(context, element: str) -> UserTask | None:
    tasks = UserTask.objects.filter(instance=_instance(context), state=UserTask.OPEN)
    return next(iter(referred(tasks.select_related("assignee", "instance"), element)), None)


def _receivers(task: UserTask) -> list[User]:
    """Its owner, else everybody who may claim it."""
    if task.assignee_id:
        return [task.assignee]
    keys = task.candidates.exclude(key__startswith=EXCLUDED).values_list("key", flat=True)
    return [user for user in accounts.candidates(keys) if user.number not in task.excluded]


@verb(
    "workflow.remind",
    params={"properties": {"element": TEXT}, "required": ["element"]},
    result={"properties": {"reminded": TEXT}, "required": ["reminded"]},
)
def remind(context, *, element: str) -> dict:
    """75 % of the time is over: tell the owner of the open task at `element`, or its pool. Answers his 工号, "" when it was a pool."""
    task = _open_task(context, element)
    if task is None:
        return {"reminded": ""}
    UserTask.objects.filter(pk=task.pk).update(reminded_at=context.now, version=F("version") + 1)
    for user in _receivers(task):
        due = task.due_at.isoformat() if task.due_at else None
        accounts.notify(user, "task_reminder", {"title": task.title, "due_at": due}, ref=f"task:{task.pk}")
    history.note(task, "reminded")
    publish(UserTaskChanged(task.pk))
    return {"reminded": task.assignee.number if task.assignee_id else ""}


@verb(
    "workflow.mark_overdue",
    params={"properties": {"element": TEXT}, "required": ["element"]},
    result={"properties": {"owner": TEXT, "due_at": TEXT}, "required": ["owner", "due_at"]},
)
def mark_overdue(context, *, element: str) -> dict:
    """The deadline of the open task at `element` is over: mark it, tell its owner. Answers the owner's 工号 ("" = a pool) and the
    deadline that passed."""
    task = _open_task(context, element)
    if task is None:
        return {"owner": "", "due_at": ""}
    UserTask.objects.filter(pk=task.pk).update(overdue_at=context.now, version=F("version") + 1)
    for user in _receivers(task):
        accounts.notify(user, "task_overdue", {"title": task.title}, ref=f"task:{task.pk}")
    history.note(task, "overdue")
    publish(UserTaskChanged(task.pk))
    return {
        "owner": task.assignee.number if task.assignee_id else "",
        "due_at": task.due_at.isoformat() if task.due_at else "",
    }


@verb(
    "workflow.tell_role",
    params={"properties": {"role": TEXT, "about": TEXT}, "required": ["role", "about"]},
    result={"properties": {"told": {"type": "integer"}}, "required": ["told"]},
)
def tell_role(context, *, role: str, about: str) -> dict:
    """Tell everybody of a role about the element `about` of this case; how many were told."""
    users = list(accounts.users_with_role(role))
    for user in users:
        _tell(context, user, about)
    return {"told": len(users)}


@verb(
    "workflow.tell_user",
    params={"properties": {"user": TEXT, "about": TEXT}, "required": ["user", "about"]},
    result={"properties": {}},
)
def tell_user(context, *, user: str, about: str) -> dict:
    """Tell one user (工号); nobody when he is not here any more."""
    found = User.objects.filter(number=user, is_active=True).first()
    if found is not None:
        _tell(context, found, about)
    return {}


@verb("workflow.who_answered", result={"properties": {"user": TEXT}, "required": ["user"]})
def who_answered(context) -> dict:
    """The 工号 of the person whose act led here, "" when it was the clock or a message."""
    return {"user": getattr(context.actor, "number", None) or ""}


@verb("workflow.hurry", result={"properties": {"tasks": {"type": "integer"}}, "required": ["tasks"]})
def hurry(context) -> dict:
    """Every open task of this case gets one step more urgent and its owner, or pool, is told; how many there are."""
    tasks = list(UserTask.objects.filter(instance=_instance(context), state=UserTask.OPEN).select_related("assignee"))
    for task in tasks:
        higher = max(task.priority - 1, 1)
        UserTask.objects.filter(pk=task.pk).update(priority=higher, version=F("version") + 1)
        for user in _receivers(task):
            due = task.due_at.isoformat() if task.due_at else None
            accounts.notify(user, "task_reminder", {"title": task.title, "due_at": due}, ref=f"task:{task.pk}")
        publish(UserTaskChanged(task.pk))
    return {"tasks": len(tasks)}


def _tell(context, user: User, about: str) -> None:
    instance = _instance(context)
    task = next(iter(referred(UserTask.objects.filter(instance=instance), about)), None)
    ref = f"task:{task.pk}" if task else context.instance_key
    drawn = publishing.definition_of(instance.version_id).elements.get(about.partition(":")[0])
    title = task.title if task else f"{instance.version.definition.name} · {drawn.name if drawn else about}"
    params = {"about": about, "title": title, "business_key": context.business_key}
    accounts.notify(user, "case_needs_you", params, ref=ref)
