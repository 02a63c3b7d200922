"""Which dead letters to bring back, and where to; and what would come of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from pgboss.core.checks import UNSET, Unset, as_uuid
from pgboss.core.names import check_queue_name
from pgboss.core.wire import JSON, dumps
from pgboss.errors import ValidationError

__all__ = ["RedriveFilter", "RedrivePreview"]


@dataclass(frozen=True, slots=True)
class RedrivePreview:
    """What a redrive would do.

    Attributes:
        total: how many jobs match, as far as they were read.
        destinations: how many would go to which queue, most first.
        unroutable: how many would stay, because the queue they came from is unknown or gone.
    """

    total: int
    destinations: Mapping[str, int]
    unroutable: int


@dataclass(frozen=True, slots=True)
class RedriveFilter:
    """The jobs of a dead letter queue that every given filter matches.

    Raises:
        ValidationError: a name is no queue name, the data no object, the time without a zone, or the list of ids empty.
    """

    destination: str | None = None
    source_name: str | None = None
    data: JSON | Unset = UNSET
    created_before: datetime | None = None
    ids: Sequence[UUID | str] | None = None

    def __post_init__(self) -> None:
        for name in ("destination", "source_name"):
            if getattr(self, name) is not None:
                check_queue_name(getattr(self, name), what=name)
        if self.data is not UNSET and not isinstance(self.data, dict):
            raise ValidationError(f"data must be a JSON object that the jobs' data contains, not {self.data!r:.100}.")
        if self.created_before is not None:
            _check_instant("created_before", self.created_before)
        if self.ids is not None:
            _check_ids(self.ids)

    def for_statement(self) -> _Parameters:
        """The filters as the statements take them."""
        return {
            "destination": self.destination,
            "source_name": self.source_name,
            "data_json": None if self.data is UNSET else dumps(self.data, what="data filter"),
            "created_before": self.created_before,
            "ids": None if self.ids is None else [as_uuid("ids", id) for id in self.ids],
        }


class _Parameters(TypedDict):
    destination: str | None
    source_name: str | None
    data_json: str | None
    created_before: datetime | None
    ids: list[UUID] | None


def _check_instant(name: str, value: object) -> None:
    if not isinstance(value, datetime):
        raise ValidationError(f"{name} must be a datetime, not {value!r}.")
    if value.tzinfo is None:
        raise ValidationError(f"{name} is a datetime without a time zone: {value!r}. Use datetime.now(timezone.utc).")


def _check_ids(ids: object) -> None:
    if isinstance(ids, str | UUID) or not isinstance(ids, Sequence) or not ids:
        raise ValidationError(f"ids must be a list of at least one job id, not {ids!r:.100}.")
    for id in ids:
        as_uuid("ids", id)
