"""Where a call is aimed: a queue's name, or a typed job definition that knows its name and its payload."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, TypeVar

from pgboss.core.wire import JSON
from pgboss.errors import ValidationError

__all__ = ["QueueLike", "Target", "outgoing", "queue_name"]

P = TypeVar("P")
P_contra = TypeVar("P_contra", contravariant=True)


class Target(Protocol[P_contra]):
    """What the calls need of a job definition."""

    @property
    def name(self) -> str:
        """The queue's name."""

    def encode(self, payload: P_contra) -> JSON:
        """The payload as JSON.

        Raises:
            PayloadError: it does not fit the declared type.
        """


QueueLike: TypeAlias = str | Target[Any]


def queue_name(target: QueueLike) -> str:
    """The queue a call is aimed at.

    Raises:
        ValidationError: it is neither a text nor a job definition.
    """
    if isinstance(target, str):
        return target
    name: object = getattr(target, "name", None)
    if not isinstance(name, str):
        raise ValidationError(f"A queue name or a job definition is needed, not {target!r:.100}.")
    return name


def outgoing(target: QueueLike, data: object) -> JSON:
    """The data of a job to send: checked and encoded by a definition, as it is for a bare name."""
    return data if isinstance(target, str) else target.encode(data)
