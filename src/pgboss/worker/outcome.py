"""How an attempt at a job ended, ready to be written."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import TypeAlias

from pgboss.core.job import Job
from pgboss.core.wire import dumps, error_output

__all__ = ["COMPLETED", "Completed", "Failed", "Finished", "GivenBack", "Outcome", "Over", "failed_with"]

SHUTDOWN_OUTPUT = '{"value":"pg-boss shut down while active"}'


# Outcomes are not frozen: there is one for every job, and freezing more than doubles what making them takes.


@dataclass(slots=True)
class Completed:
    """The handler returned; ``output`` is JSON text, ``None`` for nothing."""

    output: str | None = None


COMPLETED = Completed()
"""With no output, as most are: one for all of them."""


@dataclass(slots=True)
class Failed:
    """The handler raised, ran out of time or was stopped; ``is_final`` leaves no retry."""

    output: str | None
    is_final: bool = False
    error: BaseException | None = None


@dataclass(slots=True)
class GivenBack:
    """The attempt does not count; the job is due again after the delay."""

    delay_seconds: float = 0.0


@dataclass(slots=True)
class Over:
    """There is nothing to write: it was committed by the handler's own transaction, or is no longer ours to write.

    ``others_wait`` says that a job was completed for which others may wait.
    """

    others_wait: bool = False


Outcome: TypeAlias = Completed | Failed | GivenBack | Over


@dataclass(slots=True)
class Finished:
    """An attempt and how it ended; a substitute stands in for an outcome that could not be stored."""

    job: Job
    outcome: Completed | Failed | GivenBack
    duration_seconds: float | None = None
    is_substitute: bool = False

    @property
    def characters(self) -> int:
        """The length of the output to be written."""
        outcome = self.outcome
        return 0 if isinstance(outcome, GivenBack) or outcome.output is None else len(outcome.output)


def failed_with(error: BaseException, *, is_final: bool = False) -> Failed:
    """The outcome of an attempt that ended with this error, whose traceback begins where the handler does."""
    error.__traceback__ = _beyond_ours(error.__traceback__)
    return Failed(dumps(error_output(error), what="error"), is_final, error)


def _beyond_ours(trace: TracebackType | None) -> TracebackType | None:
    """Leave out the frames through which the handler was called; they say nothing about what went wrong in it."""
    beyond = trace
    while beyond is not None and beyond.tb_frame.f_globals.get("__name__", "").startswith("pgboss."):
        beyond = beyond.tb_next
    return beyond or trace
