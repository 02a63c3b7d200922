"""What pydantic finds wrong with a payload, in one line that names job, field and value."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError as Invalid
    from pydantic_core import ErrorDetails

__all__ = ["describe"]

MAX_PROBLEMS = 10
MAX_KEYS = 8

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60


def describe(error: Invalid) -> str:
    """The problems field by field: ``file_path: field required (got an object with document_id)``."""
    problems = error.errors(include_url=False, include_context=False)
    lines = [_line(problem) for problem in problems[:MAX_PROBLEMS]]
    if len(problems) > MAX_PROBLEMS:
        lines.append(f"and {len(problems) - MAX_PROBLEMS} more")
    return "; ".join(lines)


def _line(problem: ErrorDetails) -> str:
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    message = f"{_lower_first(message)} (got {_given(problem['input'])})"
    return f"{_place(problem['loc'])}: {message}" if problem["loc"] else message


def _place(location: Sequence[int | str]) -> str:
    """``("items", 0, "name")`` as people write it: ``items[0].name``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".")


def _given(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return _keys(value)
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return _SHORT.repr(value)


def _keys(value: Mapping[object, object]) -> str:
    if not value:
        return "an empty object"
    names = [name if isinstance(name, str) and name.isidentifier() else _SHORT.repr(name) for name in value]
    more = f" and {len(names) - MAX_KEYS} more" if len(names) > MAX_KEYS else ""
    return f"an object with {', '.join(names[:MAX_KEYS])}{more}"


def _lower_first(message: str) -> str:
    """Lower case for the first word, unless it is an abbreviation such as URL."""
    return message[:1].lower() + message[1:] if message[1:2].islower() else message
