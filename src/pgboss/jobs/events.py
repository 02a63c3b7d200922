"""Events: what happened, by name, with a payload of a type; queues subscribe to them."""

from __future__ import annotations

import dataclasses
from typing import Any, Generic, TypeVar

from pgboss.core.checks import filled_text
from pgboss.core.wire import JSON
from pgboss.jobs.codec import PayloadCodec

__all__ = ["Event"]

Payload = TypeVar("Payload")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Event(Generic[Payload]):
    """An event to publish, with checks; made by :meth:`~pgboss.jobs.registry.Jobs.event`.

    Attributes:
        name: any text that is not empty.
        payload: between payloads and the JSON in the rows of the jobs they become.

    Raises:
        ValidationError: the name is no text, or empty.
    """

    name: str
    payload: PayloadCodec[Payload]

    def __post_init__(self) -> None:
        filled_text("event", self.name)

    def __repr__(self) -> str:
        return f"<Event {self.name}>"

    def encode(self, payload: Payload) -> JSON:
        """The payload as JSON, checked: see :meth:`~pgboss.jobs.codec.PayloadCodec.encode`."""
        return self.payload.encode(payload)

    @staticmethod
    def declare(name: str, payload: Any) -> Event[Any]:
        """An event whose payload has a type that pydantic handles; ``None`` for one without payload.

        Raises:
            ValidationError: the name is no text, or empty.
        """
        declared = type(None) if payload is None else payload
        return Event(name=name, payload=PayloadCodec[Any](name, lambda: declared))
