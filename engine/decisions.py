"""Decision tables (DMN): each cell is an expression of our language; hit policies UNIQUE, FIRST, ANY and COLLECT.

An input cell is empty or ``-`` (anything), begins with an operator (``> 100``, ``in ["a", "b"]``), mentions ``?``
(``10 <= ? < 20``), lists values (``"a", "b"``) or is one value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from engine.exceptions import DefinitionError, ExpressionError, Problem
from engine.expressions import check

_OPERATOR = re.compile(r"(<=|>=|==|!=|<|>|not in\b|in\b)")
_MARK = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|\?""")
_VALUE = "decision_input"
POLICIES = ("UNIQUE", "FIRST", "ANY", "COLLECT")
Evaluate = Callable[[str, dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Cell:
    id: str
    test: str | None  # an expression over decision_input, None = anything


@dataclass(frozen=True, slots=True)
class Rule:
    id: str
    tests: tuple[Cell, ...]
    results: tuple[tuple[str, str], ...]  # (cell id, expression), "" = nothing


@dataclass(frozen=True, slots=True)
class Decision:
    """One table. ``inputs`` are (id, expression), ``outputs`` names of process data."""

    id: str
    policy: str
    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[str, ...]
    rules: tuple[Rule, ...] = field(default=())

    def decide(self, evaluate: Evaluate) -> dict[str, Any]:
        """What the table says. UNIQUE refuses two hits; COLLECT answers lists; no hit answers nothing."""
        values = [evaluate(expression, {}) for _, expression in self.inputs]
        hits: list[dict[str, Any]] = []
        for rule in self.rules:
            pairs = zip(rule.tests, values, strict=False)
            if all(cell.test is None or evaluate(cell.test, {_VALUE: value}) for cell, value in pairs):
                pairs_out = zip(self.outputs, rule.results, strict=False)
                hits.append({name: evaluate(text, {}) if text else None for name, (_, text) in pairs_out})
                if self.policy == "FIRST":
                    break
        if self.policy == "COLLECT":
            return {name: [hit.get(name) for hit in hits] for name in self.outputs}
        if self.policy == "UNIQUE" and len(hits) > 1:
            raise ExpressionError(f"decision {self.id}: {len(hits)} rules hit, at most one may")
        return hits[0] if hits else {}


def read_decision(node: etree._Element) -> Decision:
    """A ``decision`` element as a table; DefinitionError when a cell is outside the language."""
    problems: list[Problem] = []
    name = node.get("id") or ""
    table = next((child for child in _children(node) if _local(child) == "decisionTable"), None)
    if table is None:
        raise DefinitionError([Problem(name, "no_table", "the decision has no table")])
    policy = (table.get("hitPolicy") or "UNIQUE").upper()
    if policy not in POLICIES:
        problems.append(Problem(table.get("id") or name, "hit_policy", f"hit policy {policy} is not supported"))
    inputs, outputs, rules = [], [], []
    for child in _children(table):
        identifier = child.get("id") or name
        if _local(child) == "input":
            expression = next((_text(e) for e in child.iter() if _local(e) == "inputExpression"), "")
            problems += _problems(identifier, expression)
            inputs.append((identifier, expression))
        elif _local(child) == "output":
            outputs.append(child.get("name") or child.get("label") or "")
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", outputs[-1]):
                problems.append(Problem(identifier, "output_name", "an output is named like process data"))
        elif _local(child) == "rule":
            rules.append(_rule(child, problems))
    if problems:
        raise DefinitionError(problems)
    return Decision(name, policy, tuple(inputs), tuple(outputs), tuple(rules))


def _rule(node: etree._Element, problems: list[Problem]) -> Rule:
    tests, results = [], []
    for child in _children(node):
        identifier = child.get("id") or node.get("id") or ""
        if _local(child) == "inputEntry":
            test = cell_test(_text(child))
            problems += _problems(identifier, test) if test else []
            tests.append(Cell(identifier, test))
        elif _local(child) == "outputEntry":
            problems += _problems(identifier, _text(child)) if _text(child) else []
            results.append((identifier, _text(child)))
    return Rule(node.get("id") or "", tuple(tests), tuple(results))


def cell_test(text: str) -> str | None:
    """An input cell as an expression over ``decision_input``; None when anything fits."""
    text = text.strip()
    if text in ("", "-"):
        return None
    marked = _MARK.sub(lambda found: found.group(1) or _VALUE, text)
    if marked != text:
        return marked
    if _OPERATOR.match(text):
        return f"{_VALUE} {text}"
    if not check(f"[{text}]") and "," in text and check(f"({text}) == 0") == []:
        # One value that merely contains a comma, such as ["a", "b"], reads the same as a list of one.
        return f"{_VALUE} in [{text}] or {_VALUE} == ({text})"
    return f"{_VALUE} == ({text})"


def _problems(identifier: str, expression: str) -> list[Problem]:
    return [Problem(identifier, "expression", f"{e.message} (at {e.position})") for e in check(expression)]


def _children(node: etree._Element) -> Iterator[etree._Element]:
    return (child for child in node if isinstance(child.tag, str))


def _local(node: etree._Element) -> str:
    return etree.QName(node).localname if isinstance(node.tag, str) else ""


def _text(node: etree._Element) -> str:
    return next(((e.text or "").strip() for e in node.iter() if _local(e) == "text"), "")
