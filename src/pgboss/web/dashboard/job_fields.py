"""The fields of forms that say what a job is to be: its data, and the options that its queue does not decide."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from pgboss.errors import PayloadError, PgBossError, QueueNotFoundError
from pgboss.web.api.schedules import JobOptions
from pgboss.web.dashboard.forms import Form
from pgboss.web.dashboard.json_text import JsonText

__all__ = ["JobFields", "refused"]


def _start_after(text: object) -> object:
    """Seconds, or an instant: only what cannot be misread."""
    if not isinstance(text, str):
        return text
    if text.strip().isdecimal():
        return int(text)
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise PydanticCustomError(
            "start_after", "Seconds, such as 300, or an instant with its zone, such as 2030-01-31T08:00+01:00."
        )
    return at.isoformat()


StartAfterText: TypeAlias = Annotated[int | str | None, BeforeValidator(_start_after)]


class JobFields(JobOptions):
    """A job to be; fields that are left empty are decided by its queue."""

    data: JsonText = None
    start_after: StartAfterText = None

    def options(self) -> dict[str, Any]:
        """What was filled in of its options, by the names of ``send``."""
        return {name: value for name, value in self.given().items() if name in JobOptions.model_fields}


def refused(form: Form[Any], error: PgBossError) -> Form[Any]:
    """The form, with what an action had against it beside the field that it is about."""
    if not form.problems and isinstance(error, PayloadError):
        form.problems = {"data": str(error)}
    elif not form.problems and isinstance(error, QueueNotFoundError):
        form.problems = {"queue": str(error)}
    return form.refused(error)
