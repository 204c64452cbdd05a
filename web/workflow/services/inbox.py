"""Reading tasks: boxes, counts, rows, one task with its form. A fixed number of queries whatever the size."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db.models import Count, Exists, Func, IntegerField, Min, OuterRef, Q, QuerySet, Subquery

from web.accounts import services as accounts
from web.accounts.models import Group, Membership, Role, User
from web.common import clock
from web.common.errors import BadInput, NotFound
from web.common.names import both, named
from web.common.paging import PAGE, keyset
from web.common.scope import scope
from web.workflow.models import Draft, ProcessInstance, Submission, TaskCandidate, UserTask
from web.workflow.scoping import keys_of, ordinary, sees_all
from web.workflow.services import acts, hooks, publishing, views
from web.workflow.services.errors import NotStartable
from web.workflow.services.projection import EXCLUDED

DAY = timedelta(hours=24)
BOXES = ("mine", "pool", "started", "done", "overdue")
ORDERINGS = ("due_at", "priority", "created_at", "ended_at")
COLUMNS = (
    "id", "element", "name", "title", "lane", "priority", "state", "version",
    "due_at", "remind_at", "overdue_at", "created_at", "ended_at", "undo_until",
    "assignee", "assignee__number", "assignee__name", "ended_by", "ended_by__number", "ended_by__name",
    "about", "excluded", "instance", "instance__business_key", "instance__started_by", "instance__version__number",
    "instance__version__definition__key", "instance__version__definition__name",
    "instance__version__definition__name_en",
)  # fmt: skip


# -- boxes -------------------------------------------------------------------------------------------------------------


def tasks_for(user: User, box: str) -> QuerySet[UserTask]:
    """Tasks in one of the user's boxes: mine, pool (may claim), started (open, in flows he started), done (by him), overdue (open and
    late, of all he may see). Every box but the last lies within the standing rule by what it is."""
    tasks, now = UserTask.objects.all(), clock.now()
    if box == "mine":
        return tasks.filter(assignee=user, state=UserTask.OPEN)
    if box == "pool":
        offered = TaskCandidate.objects.filter(task=OuterRef("pk"), key__in=keys_of(user))
        kept_from = TaskCandidate.objects.filter(task=OuterRef("pk"), key=f"{EXCLUDED}{user.number}")
        return tasks.filter(Exists(offered), ~Exists(kept_from), assignee=None, state=UserTask.OPEN)
    if box == "started":
        return tasks.filter(instance__started_by=user.number, state=UserTask.OPEN)
    if box == "done":
        return tasks.filter(ended_by=user, state=UserTask.DONE)
    if box == "overdue":
        late = tasks.filter(Q(overdue_at__isnull=False) | Q(due_at__lt=now), state=UserTask.OPEN)
        # Technical sight of everything is for repairs, not for an inbox.
        return scope(late, user) if sees_all(user) else late.filter(ordinary(user))
    raise BadInput(fields={"box": [{"code": "unknown"}]})


def counts(user: User) -> dict[str, int]:
    """How many tasks each box holds, in one query; `done` counts those of the last 24 hours."""
    found = {box: tasks_for(user, box) for box in BOXES}
    found["done"] = found["done"].filter(ended_at__gte=clock.now() - DAY)
    number = Func("pk", function="COUNT", output_field=IntegerField())  # no Count: that would group by the task
    held = {box: Subquery(tasks.order_by().annotate(n=number).values("n")) for box, tasks in found.items()}
    return User.objects.filter(pk=user.pk).values(**held).get()


def page(
    user: User,
    box: str,
    *,
    search: str = "",
    flow: str = "",
    ordering: str = "",
    cursor: str | None = None,
    size: int = PAGE,
) -> tuple[list[dict[str, Any]], str | None]:
    """One page of TaskRows of a box and the cursor of the next. `ordering` = due_at, priority, created_at or ended_at, `-` for descending;
    by default the most urgent deadline first, done tasks newest first."""
    tasks = tasks_for(user, box)
    if search:
        tasks = tasks.filter(
            Q(title__icontains=search) | Q(name__icontains=search) | Q(instance__business_key__icontains=search)
        )
    if flow:
        tasks = tasks.filter(instance__version__definition__key=flow)
    ordering = ordering or ("-ended_at" if box == "done" else "due_at")
    by, descending = ordering.removeprefix("-"), ordering.startswith("-")
    if by not in ORDERINGS:
        raise BadInput(fields={"ordering": [{"code": "unknown"}]})
    rows, after = keyset(tasks.values(*COLUMNS), by=by, cursor=cursor, size=size, descending=descending)
    return task_rows(rows, user), after


# -- rows --------------------------------------------------------------------------------------------------------------


def task_row(task: UserTask, user: User) -> dict[str, Any]:
    """TaskRow of one task as `user` sees it. NotFound when the row is gone."""
    rows = list(UserTask.objects.filter(pk=task.pk).values(*COLUMNS))
    if not rows:
        raise NotFound()
    return task_rows(rows, user)[0]


def rows_of(tasks: QuerySet[UserTask], user: User) -> list[dict[str, Any]]:
    return task_rows(list(tasks.values(*COLUMNS)), user)


def task_rows(values: list[dict[str, Any]], user: User) -> list[dict[str, Any]]:
    """TaskRows from `.values(*COLUMNS)`: three further queries for all of them together, and those of the decorating room."""
    offered = _offered([row["id"] for row in values if row["state"] == UserTask.OPEN])
    names = _names_of(offered)
    keys, may_reassign, now = keys_of(user), accounts.has_permission(user, "tasks.reassign"), clock.now()
    rows = []
    for value in values:
        mine = value["assignee"] == user.pk
        is_open = value["state"] == UserTask.OPEN
        pool = offered.get(value["id"], [])
        claimable = (
            is_open and value["assignee"] is None and user.number not in value["excluded"] and bool(keys & set(pool))
        )
        undoable = value["ended_by"] == user.pk and value["undo_until"] is not None and value["undo_until"] > now
        acts_ = {
            "claim": claimable,
            "return": is_open and mine and bool(pool),
            "delegate": is_open and mine,
            "complete": is_open and mine,
            "undo": value["state"] == UserTask.DONE and undoable,
            "reassign": is_open and may_reassign,
        }
        flow = "instance__version__definition__"
        rows.append(
            {
                "id": str(value["id"]),
                "element": value["element"],
                "title": value["title"],
                "flow": {
                    "key": value[f"{flow}key"],
                    "name": {
                        "zh": value[f"{flow}name"],
                        "en": value[f"{flow}name_en"] or value[f"{flow}name"],
                    },
                    "version": value["instance__version__number"],
                },
                "instance": str(value["instance"]),
                "business_key": value["instance__business_key"],
                "ticket": None,
                "customer": None,
                "vip": False,
                "priority": value["priority"],
                "created_at": value["created_at"],
                "due_at": value["due_at"],
                "remind_at": value["remind_at"],
                "overdue_at": value["overdue_at"],
                "assignee": _person(value, "assignee"),
                "candidates": [names[key] for key in pool],
                "state": value["state"],
                "mine": mine,
                "claimable": claimable,
                "can": [act for act, can in acts_.items() if can],
                "undo_until": value["undo_until"],
                "ended_at": value["ended_at"],
                "ended_by": _person(value, "ended_by"),
                "about": str(value["about"]) if value["about"] else None,
                "pos": value["version"],
            }
        )
    hooks.decorate(rows)
    return rows


def _person(value: dict[str, Any], name: str) -> dict[str, str] | None:
    if value[name] is None:
        return None
    return {"number": value[f"{name}__number"], "name": value[f"{name}__name"]}


def _offered(ids: list[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    candidates = TaskCandidate.objects.filter(task__in=ids).order_by("pk").values_list("task", "key")
    for task, key in candidates if ids else ():
        if not key.startswith(EXCLUDED):
            found.setdefault(task, []).append(key)
    return found


def _names_of(offered: dict[int, list[str]]) -> dict[str, dict[str, Any]]:
    """{kind, key, name: {zh, en}} of every candidate key, one query per kind that occurs."""
    keys = {key for pool in offered.values() for key in pool}
    names: dict[str, dict[str, str]] = {}
    by_kind: dict[str, set[str]] = {}
    for key in keys:
        kind, _, name = key.partition(":")
        by_kind.setdefault("group" if kind == "leader" else kind, set()).add(name)
    for kind, model, column in (("role", Role, "key"), ("group", Group, "key"), ("user", User, "number")):
        if wanted := by_kind.get(kind):
            words = ("name", "name") if model is User else ("name", "name_en")
            found = model.objects.filter(**{f"{column}__in": wanted}).values_list(column, *words)
            names |= {f"{kind}:{name}": both(zh, en) for name, zh, en in found}
    result = {}
    for key in keys:
        kind, _, name = key.partition(":")
        title = names.get(f"{'group' if kind == 'leader' else kind}:{name}")
        result[key] = {"kind": kind, "key": name, "name": title or both(name)}
    return result


# -- one task ----------------------------------------------------------------------------------------------------------


def find(pk: int, user: User) -> UserTask:
    """The task when the user may see it, else NotFound."""
    tasks = UserTask.objects.select_related(*acts.RELATED, "instance__version__definition")
    task = scope(tasks.filter(pk=pk), user).first()
    if task is None:
        raise NotFound()
    return task


def find_held(pk: int, user: User) -> UserTask:
    """The task when the user may see it or once held it, else NotFound. Only to take what he typed and to tell him who has it."""
    try:
        return find(pk, user)
    except NotFound:
        task = UserTask.objects.select_related(*acts.RELATED).filter(pk=pk).first()
        if task is None or not user.is_active or not acts.has_held(task, user):
            raise
        return task


def may_read(pk: int, user: User) -> bool:
    """Whether the user may read what is in the task; to see where it stands is not enough."""
    tasks = UserTask.objects.filter(pk=pk)
    return (tasks if sees_all(user) else tasks.filter(ordinary(user))).exists()


def task_detail(task: UserTask, user: User) -> dict[str, Any]:
    """TaskRow + form, initial values, drafts and answers. One who sees it only to repair flows gets no content."""
    form = acts.form_of(task)
    readable = sees_all(user) or may_read(task.pk, user)
    fields = set(form.schema.get("properties", {})) if form else set()
    detail = {
        **task_row(task, user),
        "form": {"key": form.key, "schema": form.schema} if form else None,
        "data": {name: value for name, value in task.data.items() if name in fields} if readable else {},
        "draft": None,
        "former_draft": None,
        "submission": None,
        "viewers": [],
        "brief": [],
    }
    if readable:
        detail["brief"] = views.brief_of(task)
        detail["viewers"] = hooks.viewers(task.pk, user)
        own = Draft.objects.filter(task=task, user=user).select_related("user").first()
        detail["draft"] = _typed(own.data, own.at, own.user) if own else None
        former = former_draft(task, user)
        detail["former_draft"] = _typed(former.data, former.at, former.user) if former else None
        answers = Submission.objects.filter(task=task, is_undone=False).select_related("by").first()
        detail["submission"] = _typed(answers.data, answers.at, answers.by) if answers else None
    return detail


def _typed(data: Any, at: Any, by: User | None) -> dict[str, Any]:
    return {"data": data or {}, "at": at, "by": {"number": by.number, "name": by.name} if by else None}


def former_draft(task: UserTask, user: User) -> Draft | None:
    """What the one before typed into this task, or into the one it replaces."""
    seen, current = set(), task
    while current is not None and current.pk not in seen:
        seen.add(current.pk)
        draft = Draft.objects.filter(task=current).exclude(user=user).select_related("user").order_by("-at").first()
        if draft is not None:
            return draft
        current = UserTask.objects.filter(pk=current.replaces_id).first() if current.replaces_id else None
    return None


def first_task_of(instance: ProcessInstance, user: User) -> UserTask | None:
    """The open task of this instance that `user` has, else the first he may claim."""
    tasks = UserTask.objects.filter(instance=instance, state=UserTask.OPEN).order_by("pk")
    return tasks.filter(assignee=user).first() or next(
        (task for task in tasks.filter(assignee=None) if acts.may_take(task, user) is None), None
    )


def open_tasks_of(business_keys: Iterable[str]) -> QuerySet[UserTask]:
    """Open tasks of the flows of these business keys (the tickets of one caller, say)."""
    return UserTask.objects.filter(instance__business_key__in=list(business_keys), state=UserTask.OPEN).order_by(
        "due_at"
    )


def concerning_caller(tasks: QuerySet[UserTask], user: User, call: str) -> list[dict[str, Any]]:
    """Rows of open tasks in a screen pop; with `take_over` among `can` where this call gives the right to it."""
    subjects = hooks.caller_at(user, call)
    rows = rows_of(tasks, user)
    if subjects:
        found = {str(task.pk): task for task in tasks}
        for row in rows:
            if not row["mine"] and acts.may_take_over(found[row["id"]], user, subjects):
                row["can"].append("take_over")
    return rows


def startable_flows() -> set[str]:
    """Keys of published flows that a person may start."""
    flows = publishing.FlowDefinition.objects.exclude(current=None).filter(is_startable=True)
    return set(flows.values_list("key", flat=True))


def load(user: User, tasks: Iterable[int] | None = None) -> list[dict[str, Any]]:
    """Of everybody the user may give tasks to: [{number, name, group, open, overdue, state}]. Without tasks.view_all those he leads. With
    `tasks` exactly those who can do every one of these that he sees open: people he leads, those in the tasks' pools and, for
    leaders' tasks, other leaders."""
    people = User.objects.filter(is_active=True)
    reach = Q()
    if not sees_all(user):
        led = Membership.objects.filter(group__in=accounts.groups_led(user).values("pk")).values("user")
        reach = Q(pk__in=led)
    if tasks is None:
        people = people.filter(reach, roles__key__in=("agent", "team_leader", "supervisor"))
    else:
        chosen = list(scope(UserTask.objects.filter(pk__in=list(tasks), state=UserTask.OPEN), user))
        if reach:
            reach |= Q(pk__in=acts.pool(chosen))
        people = people.filter(reach, pk__in=acts.able(chosen))
    people = people.annotate(seat=Min("memberships__pk")).values("pk", "number", "name", "seat", "agent__state")
    rows = list(people.order_by("number"))
    seats = Membership.objects.filter(pk__in=[row["seat"] for row in rows if row["seat"]]).select_related("group")
    groups = {seat.pk: named(seat.group) for seat in seats}
    mine = UserTask.objects.filter(state=UserTask.OPEN, assignee__in=[row["pk"] for row in rows])
    late = Q(overdue_at__isnull=False) | Q(due_at__lt=clock.now())
    open_ = dict(mine.order_by().values_list("assignee").annotate(n=Count("pk")))
    overdue = dict(mine.filter(late).order_by().values_list("assignee").annotate(n=Count("pk")))
    return [
        {
            "number": row["number"],
            "name": row["name"],
            "group": groups.get(row["seat"]),
            "open": open_.get(row["pk"], 0),
            "overdue": overdue.get(row["pk"], 0),
            "state": row["agent__state"],
        }
        for row in rows
    ]


def _why_not(flow: publishing.FlowDefinition) -> str | None:
    if publishing.definition_of(flow.current_id).start_message:
        return "message"
    return None if flow.is_startable else "called"


def check_startable(key: str) -> None:
    """NotStartable when a person may not start the published flow `key` by hand: its start waits for a message, which brings the number
    or the call it works on, or only other flows call it."""
    flow = publishing.FlowDefinition.objects.exclude(current=None).filter(key=key).first()
    if flow is not None and (why := _why_not(flow)):
        raise NotStartable(why_not=why)


def flows(user: User) -> list[dict[str, Any]]:
    """Published flows with what the current version says of itself."""
    rows = publishing.FlowDefinition.objects.exclude(current=None).select_related("current").order_by("key")
    return [
        {
            "key": row.key,
            "name": {"zh": row.name, "en": row.name_en or row.name},
            "version": row.current.number,
            "startable": (why := _why_not(row)) is None,
            "why_not": why,
            "description": publishing.definition_of(row.current_id).documentation,
        }
        for row in rows
    ]
