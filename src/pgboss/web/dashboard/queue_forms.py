"""What the forms of queues hold."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel

from pgboss.core.queue import Queue
from pgboss.errors import PgBossError, QueueNotFoundError
from pgboss.web.dashboard.forms import Form

__all__ = ["Confirmation", "NewQueue", "QueueSettings", "changed_options", "form_values", "given_options", "refused"]


M = TypeVar("M", bound=BaseModel)


class QueueSettings(BaseModel):
    """Options of a queue that can be changed; a box that is not checked is not sent."""

    retry_limit: int | None = None
    retry_delay: int | None = None
    retry_backoff: bool = False
    retry_delay_max: int | None = None
    expire_in_seconds: int | None = None
    heartbeat_seconds: int | None = None
    retention_seconds: int | None = None
    delete_after_seconds: int | None = None
    dead_letter: str | None = None
    warning_queue_size: int | None = None
    notify: bool = False


class NewQueue(QueueSettings):
    """A queue that is not there yet."""

    name: str
    policy: str = "standard"
    partition: bool = False


class Confirmation(BaseModel):
    """A text that is typed so that nobody deletes by chance."""

    confirm: str = ""


# An empty field clears these; of the others, it means to leave them as they are.
CLEARABLE = ("retry_delay_max", "heartbeat_seconds", "dead_letter")


def given_options(new: NewQueue) -> dict[str, Any]:
    """The options of a new queue; what was left empty is the default of the instance."""
    return {name: value for name, value in new.model_dump(exclude={"name"}).items() if value is not None}


def changed_options(settings: QueueSettings, queue: Queue) -> dict[str, Any]:
    """What the form says otherwise than the queue, as options of ``update_queue``."""
    said = settings.model_dump()
    return {
        name: value
        for name, value in said.items()
        if value != getattr(queue, name) and (value is not None or name in CLEARABLE)
    }


def form_values(queue: Queue) -> dict[str, Any]:
    """A queue as its form shows it."""
    return {name: getattr(queue, name) for name in QueueSettings.model_fields}


def refused(form: Form[M], error: PgBossError) -> Form[M]:
    """The form with what was wrong; a queue that does not exist is the one for dead letters."""
    if isinstance(error, QueueNotFoundError):
        form.problems = {"dead_letter": str(error)}
    return form.refused(error)
