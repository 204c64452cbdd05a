"""What can go wrong in the engine, in words that callers can act on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding about a bundle. ``element_id`` is a BPMN/DMN id, or a file name where no element is meant."""

    element_id: str
    code: str
    message: str
    severity: Literal["error", "warning"] = "error"


class EngineError(Exception):
    """Base of everything the engine raises on purpose."""

    code = "engine_error"


class DefinitionError(EngineError):
    """The diagram (or a form, table or called flow) cannot be run; every reason is in ``problems``."""

    code = "definition_invalid"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(f"{p.element_id}: {p.message}" for p in self.problems))


class ExpressionError(EngineError):
    """An expression is outside the language or failed; ``position`` counts characters from 0 in its source."""

    code = "expression_invalid"

    def __init__(self, message: str, position: int = 0) -> None:
        self.message, self.position = message, position
        super().__init__(f"{message} (at {position})")


class VerbRefused(EngineError):
    """A verb's business answer "no": caught by an error boundary event with the same error code."""

    def __init__(self, code: str, message: str = "") -> None:
        self.code = code
        super().__init__(message or code)


class VerbFailed(EngineError):
    """A verb could not do its work; trying again may help."""

    code = "verb_failed"

    def __init__(self, element: str, cause: BaseException) -> None:
        self.element, self.cause = element, cause
        super().__init__(f"{element}: {type(cause).__name__}: {cause}")


class VerbContractBroken(EngineError):
    """Parameters or result of a verb do not match its declared schema; trying again does not help."""

    code = "verb_contract_broken"


class UnknownVerb(EngineError):
    """The diagram names a verb that nobody lends."""

    code = "unknown_verb"


class StateError(EngineError):
    """A stored state cannot be read: another codec version, or not made by this definition."""

    code = "state_unreadable"


class CasesError(EngineError):
    """cases.yaml cannot be read; the message names the case and the step."""

    code = "cases_invalid"


class StimulusRefused(EngineError):
    """The stimulus does not fit: ``code`` is not_open, not_due, not_addressed, not_skippable or ended."""

    def __init__(self, code: str, task_id: str = "") -> None:
        self.code, self.task_id = code, task_id
        super().__init__(f"{code}: {task_id}" if task_id else code)


class StepFailed(EngineError):
    """Automatic work failed at ``element``. The state before it is still with the caller (the checkpoint)."""

    code = "step_failed"

    def __init__(self, element: str, task_id: str, cause: BaseException | str, retryable: bool) -> None:
        self.element, self.task_id, self.cause, self.retryable = element, task_id, cause, retryable
        super().__init__(f"{element}: {cause}")
