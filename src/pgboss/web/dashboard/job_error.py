"""Why a job failed, as it is told: a message, where in the code it happened, and what was behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pgboss.core.result import reason_of
from pgboss.core.wire import JSON

__all__ = ["JobError", "error_of"]

DEEPEST = 10


@dataclass(frozen=True, slots=True)
class JobError:
    """An error as it is stored.

    Attributes:
        name: its class; ``None`` where that is not known.
        stack: its traceback.
        behind: what it was raised from, or the errors of a group.
    """

    name: str | None
    message: str
    stack: str | None = None
    behind: tuple[JobError, ...] = ()


def error_of(output: JSON) -> JobError | None:
    """The error in the output of a job that failed; what is no error is told as it is."""
    return None if output is None else _read(output, 0)


def _read(output: JSON, depth: int) -> JobError:
    wrapped = output["value"] if isinstance(output, dict) and output.keys() == {"value"} else output
    if not isinstance(wrapped, dict):
        return JobError(None, reason_of(output))
    causes = [wrapped.get("cause"), *_list(wrapped.get("errors"))]
    behind = tuple(_read(cause, depth + 1) for cause in causes if isinstance(cause, dict) and depth < DEEPEST)
    return JobError(_text(wrapped.get("name")), reason_of(output), _text(wrapped.get("stack")), behind)


def _list(value: JSON) -> Sequence[JSON]:
    return value if isinstance(value, list) else ()


def _text(value: JSON) -> str | None:
    return value if isinstance(value, str) and value else None
