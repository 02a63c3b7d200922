"""Payload types of every kind, and a job to hand to handlers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import wraps
from typing import Any, NotRequired
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

from pgboss.core.job import Job

__all__ = ["DOCUMENT", "Document", "DocumentPart", "DocumentRow", "a_job", "loud"]

DOCUMENT = UUID("00000000-0000-0000-0000-0000000000d0")


class Document(BaseModel):
    """As a Node application would name its keys: camelCase on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    document_id: UUID
    file_path: str
    pages: int = Field(default=1, ge=1)
    uploaded_on: datetime | None = None


@dataclass
class DocumentPart:
    document_id: UUID
    chapters: list[int] = field(default_factory=list)


class DocumentRow(TypedDict):
    document_id: UUID
    title: NotRequired[str]


def a_job(data: Any = None) -> Job:
    return Job(
        id=UUID(int=1),
        name="document-parse",
        data=data,
        priority=0,
        retry_count=0,
        retry_limit=3,
        expire_in_seconds=900,
        heartbeat_seconds=60,
        group_id=None,
        group_tier=None,
        singleton_key=None,
        created_on=datetime(2030, 1, 2, tzinfo=UTC),
        started_on=datetime(2030, 1, 2, tzinfo=UTC),
    )


def loud(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A decorator of another module than the function's, as those of libraries are."""

    @wraps(function)
    def wrapper(*args: Any) -> Any:
        return f"{function(*args)}!"

    return wrapper
