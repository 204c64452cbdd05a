"""The one small language of conditions, timers, decision table cells and script tasks.

Python's expression syntax, of which only an allow-list is accepted: no attributes, no comprehensions, no lambda, no
``**``, no calls but those in FUNCTIONS. An accepted source is compiled into nested closures: ``eval`` is never used.
There are no loops, so the work is bounded by the size of the source; what values may grow to is bounded at each step.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from engine.calendars import AlwaysOpen, Calendar
from engine.durations import parse_duration, parse_instant
from engine.exceptions import ExpressionError

MOST_CHARACTERS = 2_000
MOST_NODES = 300
DEEPEST = 30
LONGEST_TEXT = 10_000
MOST_BITS = 128
MOST_ITEMS = 5_000
DEEPEST_VALUE = 20
Run = Callable[["Scope"], Any]


@dataclass(frozen=True, slots=True)
class Scope:
    """Where names are looked up and what the time functions answer from."""

    names: Mapping[str, Any]
    now: datetime | None = None
    calendar: Calendar = field(default_factory=AlwaysOpen)

    def moment(self) -> datetime:
        if self.now is None:
            raise ValueError("no clock here")
        return parse_instant(self.now)


def evaluate(
    source: str, names: Mapping[str, Any], *, now: datetime | None = None, calendar: Calendar | None = None
) -> Any:
    """The value of ``source``. ExpressionError when it is outside the language, fails, or grows too big."""
    scope = Scope(names, now, calendar or AlwaysOpen())
    return bounded(compiled(source)(scope))


def check(source: str) -> list[ExpressionError]:
    """Everything that keeps ``source`` out of the language; empty when it may run."""
    try:
        compiled(source)
    except ExpressionError as error:
        return [error]
    return []


def assignments(source: str) -> list[tuple[str, str]]:
    """A script task's lines ``name = expression`` -> [(name, expression)]; blank lines and # comments are skipped."""
    if len(source) > MOST_CHARACTERS * 5:
        raise ExpressionError("the script is too long")
    tree, lines = _parsed(source, "exec"), source.splitlines()
    found = []
    for node in tree.body:
        start = sum(len(line) + 1 for line in lines[: node.lineno - 1])
        if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
            raise ExpressionError("a script has only lines of the form: name = expression", start)
        name = node.targets[0].id
        if name.startswith("_") or name in FUNCTIONS:
            raise ExpressionError(f"{name} cannot be assigned to", start)
        expression = ast.get_source_segment(source, node.value) or ""
        found.append((name, f"({expression})" if "\n" in expression else expression))
    return found


def check_script(source: str) -> list[ExpressionError]:
    try:
        return [problem for _, expression in assignments(source) for problem in check(expression)]
    except ExpressionError as error:
        return [error]


def run_script(
    source: str, names: Mapping[str, Any], *, now: datetime | None = None, calendar: Calendar | None = None
) -> dict[str, Any]:
    """What the script's lines assign, in order; a later line sees the earlier ones. ``names`` is not changed."""
    assigned: dict[str, Any] = {}
    for name, expression in assignments(source):
        assigned[name] = evaluate(expression, {**names, **assigned}, now=now, calendar=calendar)
    return assigned


def bounded(value: Any) -> Any:
    """``value`` when it is plain JSON-like data of bearable size, else ExpressionError."""
    left, waiting = MOST_ITEMS, [(value, 0)]
    while waiting:
        one, depth = waiting.pop()
        left -= 1
        if isinstance(one, str):
            left -= len(one) // 100
            if len(one) > LONGEST_TEXT:
                raise ExpressionError("the text is too long")
        elif isinstance(one, list | tuple):
            waiting.extend((item, depth + 1) for item in one[: left + 1])
        elif isinstance(one, dict):
            if len(one) > left:
                raise ExpressionError("the value is too big")
            for key, item in one.items():
                if not isinstance(key, str):
                    raise ExpressionError("keys are texts")
                waiting.append((key, depth + 1))
                waiting.append((item, depth + 1))
        elif isinstance(one, int):
            if one.bit_length() > MOST_BITS:
                raise ExpressionError("the number is too big")
        elif isinstance(one, float):
            if not math.isfinite(one):
                raise ExpressionError("the number is not finite")
        elif one is not None:
            raise ExpressionError(f"a value of type {type(one).__name__} is not data")
        if left < 0 or depth > DEEPEST_VALUE:
            raise ExpressionError("the value is too big")
    return value


@lru_cache(maxsize=4096)
def compiled(source: str) -> Run:
    """The closure for ``source``; cached, and shared between threads because it keeps no state."""
    if not isinstance(source, str) or not source.strip():
        raise ExpressionError("the expression is empty")
    if len(source) > MOST_CHARACTERS:
        raise ExpressionError(f"longer than {MOST_CHARACTERS} characters")
    return _Compiler(source).build(_parsed(source.strip(), "eval").body)


def _parsed(source: str, mode: str) -> Any:
    try:
        return ast.parse(source, mode=mode)
    except SyntaxError as error:
        lines = source.splitlines()
        start = sum(len(line) + 1 for line in lines[: (error.lineno or 1) - 1])
        raise ExpressionError(f"cannot be read: {error.msg}", start + max((error.offset or 1) - 1, 0)) from None
    except (ValueError, MemoryError, RecursionError):
        raise ExpressionError("cannot be read: nested too deeply or not text") from None


# -- operators --------------------------------------------------------------------------------------------------------


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _number(value: Any) -> Any:
    if not isinstance(value, int | float):
        raise ValueError(f"a number is needed, not {type(value).__name__}")
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        raise ValueError("the number is too big")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("the number is not finite")
    return value


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        if len(left) + len(right) > LONGEST_TEXT:
            raise ValueError("the text is too long")
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        if len(left) + len(right) > MOST_ITEMS:
            raise ValueError("the list is too long")
        return left + right
    return _number(_number(left) + _number(right))


def _arithmetic(act: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    # Numbers only: text % and text * are how a short source makes a long answer.
    return lambda left, right: _number(act(_number(left), _number(right)))


def _in(left: Any, right: Any) -> bool:
    if not isinstance(right, str | list | tuple | dict):
        raise ValueError(f"nothing can be in a {type(right).__name__}")
    return left in right


BINARY = {
    ast.Add: _add,
    ast.Sub: _arithmetic(operator.sub),
    ast.Mult: _arithmetic(operator.mul),
    ast.Div: _arithmetic(operator.truediv),
    ast.FloorDiv: _arithmetic(operator.floordiv),
    ast.Mod: _arithmetic(operator.mod),
}
UNARY = {ast.Not: operator.not_, ast.USub: lambda v: -_number(v), ast.UAdd: lambda v: _number(v)}
COMPARE = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: _in,
    ast.NotIn: lambda left, right: not _in(left, right),
    ast.Is: lambda left, right: left is right,
    ast.IsNot: lambda left, right: left is not right,
}


# -- functions --------------------------------------------------------------------------------------------------------


def _span(amount: Any) -> timedelta:
    return parse_duration(amount) if isinstance(amount, str) else timedelta(hours=_hours(amount))


def _hours(amount: Any) -> float:
    if isinstance(amount, str):
        return parse_duration(amount).total_seconds() / 3600
    if isinstance(amount, bool) or not 0 <= _number(amount) <= 24 * 3660:
        raise ValueError("hours are a number from 0 to ten years")
    return amount


def _text(value: Any) -> str:
    if value is not None and not isinstance(value, str | int | float):
        raise ValueError("only a text, number, yes/no or nothing becomes a text")
    return "" if value is None else str(value)


def _plain_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a text is needed, not {type(value).__name__}")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, str) and len(value) > 40:
        raise ValueError("too long for a whole number")
    return int(_plain_text(value).strip() if isinstance(value, str) else _number(value))


def _round(value: Any, digits: int = 0) -> Any:
    # round(1, -10**9) would compute a power of ten with a thousand million digits.
    if not isinstance(digits, int) or not -15 <= digits <= 15:
        raise ValueError("round to -15..15 digits")
    return round(_number(value), digits) if digits else round(_number(value))


def _get(holder: Any, key: Any, default: Any = None) -> Any:
    if isinstance(holder, dict):
        return holder.get(key, default)
    if isinstance(holder, list) and isinstance(key, int):
        return holder[key] if -len(holder) <= key < len(holder) else default
    return default


def _extreme(act: Callable[..., Any]) -> Callable[..., Any]:
    def pick(*values: Any) -> Any:
        if len(values) == 1 and not isinstance(values[0], list | tuple):
            raise ValueError("needs a list or two values")
        return act(*values)

    return pick


def _length(value: Any) -> int:
    if not isinstance(value, str | list | tuple | dict):
        raise ValueError(f"a {type(value).__name__} has no length")
    return len(value)


def _between(start: Any, end: Any, share: Any) -> str:
    if isinstance(share, bool) or not 0 <= _number(share) <= 1:
        raise ValueError("a share is a number from 0 to 1")
    first = parse_instant(start)
    return (first + (parse_instant(end) - first) * share).isoformat()


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the language: ``act`` gets the scope first when ``timed``."""

    act: Callable[..., Any]
    least: int
    most: int
    timed: bool = False


FUNCTIONS: dict[str, Function] = {
    "now": Function(lambda s: s.moment().isoformat(), 0, 0, True),
    "clock_time": Function(lambda s, span: (s.moment() + _span(span)).isoformat(), 1, 1, True),
    "business_time": Function(lambda s, h: s.calendar.add_business(s.moment(), _hours(h)).isoformat(), 1, 1, True),
    "date_add": Function(lambda at, span: (parse_instant(at) + _span(span)).isoformat(), 2, 2),
    "before": Function(lambda a, b: parse_instant(a) < parse_instant(b), 2, 2),
    "time_between": Function(_between, 3, 3),
    "len": Function(_length, 1, 1),
    "min": Function(_extreme(min), 1, 20),
    "max": Function(_extreme(max), 1, 20),
    "round": Function(_round, 1, 2),
    "str": Function(_text, 1, 1),
    "int": Function(_whole, 1, 1),
    "lower": Function(lambda t: _plain_text(t).lower(), 1, 1),
    "upper": Function(lambda t: _plain_text(t).upper(), 1, 1),
    "contains": Function(lambda holder, one: _in(one, holder), 2, 2),
    "get": Function(_get, 2, 3),
    "coalesce": Function(lambda *values: next((v for v in values if v is not None and v != ""), None), 1, 10),
}


# -- compiler ---------------------------------------------------------------------------------------------------------


class _Compiler:
    def __init__(self, source: str) -> None:
        # A diagram's text may begin with blanks; positions shall still count from the source's start.
        self.lead, self.lines = len(source) - len(source.lstrip()), source.strip().split("\n")
        self.nodes, self.depth = 0, 0

    def build(self, node: ast.AST) -> Run:
        self.nodes += 1
        self.depth += 1
        if self.nodes > MOST_NODES or self.depth > DEEPEST:
            raise self.error("too big or nested too deeply", node)
        maker = getattr(self, f"_{type(node).__name__.lower()}", None)
        if maker is None:
            raise self.error(f"{type(node).__name__} is not part of the language", node)
        run = maker(node)
        self.depth -= 1
        return run

    def error(self, message: str, node: ast.AST) -> ExpressionError:
        return ExpressionError(message, self.position(node))

    def position(self, node: ast.AST) -> int:
        row = getattr(node, "lineno", 1) - 1
        # The parser counts bytes of UTF-8 within a line; people count characters.
        column = len(self.lines[row].encode()[: getattr(node, "col_offset", 0)].decode(errors="ignore"))
        return self.lead + sum(len(line) + 1 for line in self.lines[:row]) + column

    def guarded(self, node: ast.AST, act: Callable[..., Any], parts: list[Run], with_scope: bool = False) -> Run:
        """Run ``act`` over the values of ``parts``; whatever it raises becomes an error at this node."""
        position = self.position(node)

        def run(scope: Scope) -> Any:
            values = [part(scope) for part in parts]
            try:
                return act(scope, *values) if with_scope else act(*values)
            except ExpressionError:
                raise
            except Exception as error:
                raise ExpressionError(str(error) or type(error).__name__, position) from None

        return run

    def _constant(self, node: ast.Constant) -> Run:
        value = node.value
        if not (value is None or isinstance(value, str | int | float)):
            raise self.error(f"a {type(value).__name__} is not part of the language", node)
        try:
            bounded(value)
        except ExpressionError as error:
            raise self.error(error.message, node) from None
        return lambda scope: value

    def _name(self, node: ast.Name) -> Run:
        name, error = node.id, self.error(f"unknown name {node.id}", node)
        if name.startswith("_"):
            raise self.error(f"{name}: names do not begin with _", node)

        def run(scope: Scope) -> Any:
            try:
                return scope.names[name]
            except KeyError:
                raise ExpressionError(error.message, error.position) from None

        return run

    def _boolop(self, node: ast.BoolOp) -> Run:
        parts, stop = [self.build(v) for v in node.values], isinstance(node.op, ast.Or)

        def run(scope: Scope) -> Any:
            value = None
            for part in parts:
                value = part(scope)
                if bool(value) is stop:
                    break
            return value

        return run

    def _unaryop(self, node: ast.UnaryOp) -> Run:
        act = UNARY.get(type(node.op))
        if act is None:
            raise self.error(f"{type(node.op).__name__} is not part of the language", node)
        return self.guarded(node, act, [self.build(node.operand)])

    def _binop(self, node: ast.BinOp) -> Run:
        act = BINARY.get(type(node.op))
        if act is None:
            raise self.error(f"{type(node.op).__name__} is not part of the language", node)
        return self.guarded(node, act, [self.build(node.left), self.build(node.right)])

    def _compare(self, node: ast.Compare) -> Run:
        acts = [COMPARE[type(op)] for op in node.ops]
        parts = [self.build(one) for one in (node.left, *node.comparators)]

        def chain(*values: Any) -> bool:
            return all(act(values[i], values[i + 1]) for i, act in enumerate(acts))

        return self.guarded(node, acts[0] if len(acts) == 1 else chain, parts)

    def _ifexp(self, node: ast.IfExp) -> Run:
        test, then, other = self.build(node.test), self.build(node.body), self.build(node.orelse)
        return lambda scope: then(scope) if test(scope) else other(scope)

    def _list(self, node: ast.List) -> Run:
        parts = [self.build(one) for one in node.elts]
        return lambda scope: [part(scope) for part in parts]

    def _tuple(self, node: ast.Tuple) -> Run:
        return self._list(node)  # JSON knows no tuple, so a value reads the same before and after it was stored

    def _dict(self, node: ast.Dict) -> Run:
        keys = [k.value if isinstance(k, ast.Constant) else None for k in node.keys]
        if not all(isinstance(key, str) for key in keys):
            raise self.error("keys are texts written in quotes", node)
        parts = [self.build(one) for one in node.values]
        return lambda scope: {key: part(scope) for key, part in zip(keys, parts, strict=True)}

    def _subscript(self, node: ast.Subscript) -> Run:
        if isinstance(node.slice, ast.Slice):
            raise self.error("a slice is not part of the language", node)

        def pick(holder: Any, key: Any) -> Any:
            if not isinstance(holder, str | list | tuple | dict):
                raise ValueError(f"nothing to pick from a {type(holder).__name__}")
            try:
                return holder[key]
            except KeyError:
                raise ValueError(f"no {key!r} in it") from None

        return self.guarded(node, pick, [self.build(node.value), self.build(node.slice)])

    def _call(self, node: ast.Call) -> Run:
        name = node.func.id if isinstance(node.func, ast.Name) else None
        function = FUNCTIONS.get(name or "")
        if function is None:
            raise self.error(f"{name or 'this'} is not a function of the language", node)
        if node.keywords or any(isinstance(one, ast.Starred) for one in node.args):
            raise self.error(f"{name} takes its values by position", node)
        if not function.least <= len(node.args) <= function.most:
            raise self.error(f"{name} takes {function.least} to {function.most} values", node)
        parts = [self._maybe(one) if name in ("coalesce", "get") else self.build(one) for one in node.args]
        return self.guarded(node, function.act, parts, function.timed)

    def _maybe(self, node: ast.AST) -> Run:
        """In coalesce() and get() a name that is not there yet counts as nothing."""
        run = self.build(node)
        if not isinstance(node, ast.Name):
            return run
        name = node.id
        return lambda scope: scope.names.get(name)
