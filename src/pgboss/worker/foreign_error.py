"""Exceptions of another process, told in words: what was raised there may not exist, or not be importable, here."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

__all__ = ["ErrorReport", "ForeignError", "report", "stand_in"]

MOST_CHARACTERS = 64_000


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """An exception: its class, what it says, and its traceback with all causes, as text."""

    module: str
    name: str
    message: str
    trace: str


class ForeignError(Exception):
    """Stands in for an exception of another process. Its class has the name of that one's, its cause the traceback."""


class ForeignTraceback(Exception):  # noqa: N818  it is what the name says
    """The text of a traceback, where Python prints the cause of an exception."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def report(error: BaseException) -> ErrorReport:
    """Put an exception into words."""
    try:
        message = str(error)
    except Exception as broken:  # noqa: BLE001  a foreign __str__ may raise anything
        message = f"<{type(error).__name__} whose text could not be made: {type(broken).__name__}>"
    trace = "".join(traceback.format_exception(error))[-MOST_CHARACTERS:]
    return ErrorReport(type(error).__module__, type(error).__qualname__, message, trace)


def stand_in(told: ErrorReport) -> ForeignError:
    """An exception that prints as the one that was told of."""
    kind = type(told.name.rpartition(".")[2], (ForeignError,), {"__module__": told.module, "__qualname__": told.name})
    error: ForeignError = kind(told.message)
    error.__cause__ = ForeignTraceback(told.trace)
    return error
