"""What type checkers see: the static half of this file is judged by mypy, as part of the checks."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar, assert_type

from pgboss.core.job import Job
from pgboss.jobs import HandledJob, JobDefinition, Jobs
from unit.jobs.samples import DOCUMENT, Document, DocumentPart, DocumentRow, a_job

Payload = TypeVar("Payload")
Result = TypeVar("Result")

jobs = Jobs()


@dataclass
class Parsed:
    chunks: int


@jobs.job("async-with-job", concurrency=2, retry_limit=3)
async def async_with_job(payload: Document, job: Job) -> Parsed:
    return Parsed(payload.pages)


@jobs.job("async-alone")
async def async_alone(payload: DocumentRow) -> list[str]:
    return [payload.get("title", "untitled")]


@jobs.job("sync-with-job")
def sync_with_job(payload: DocumentPart, job: Job) -> None: ...


@jobs.job("sync-alone")
def sync_alone(payload: dict[str, Any]) -> int:
    return len(payload)


declared = jobs.declare("declared", Document, retry_limit=3)
declared_json = jobs.declare("declared-json")
declared_none = jobs.declare("declared-none", None)


def payload_of(definition: JobDefinition[Payload, Any]) -> Payload:
    """As ``send`` is typed: the payload's type comes from the definition."""
    raise NotImplementedError


def result_of(definition: JobDefinition[Any, Result]) -> Result:
    raise NotImplementedError


def send(definition: JobDefinition[Payload, Any], payload: Payload) -> Payload:
    return definition.decode(definition.encode(payload))


def static_only() -> None:
    """Never called: mypy reads it."""
    assert_type(async_with_job, HandledJob[Document, Parsed, [Job], Coroutine[Any, Any, Parsed]])
    assert_type(async_alone, HandledJob[DocumentRow, list[str], [], Coroutine[Any, Any, list[str]]])
    assert_type(sync_with_job, HandledJob[DocumentPart, None, [Job], None])
    assert_type(sync_alone, HandledJob[dict[str, Any], int, [], int])
    assert_type(declared, JobDefinition[Document, Any])
    assert_type(declared_json, JobDefinition[Any, Any])
    assert_type(declared_none, JobDefinition[None, Any])

    assert_type(payload_of(async_with_job), Document)
    assert_type(result_of(async_with_job), Parsed)
    assert_type(payload_of(sync_alone), dict[str, Any])
    assert_type(result_of(async_alone), list[str])
    assert_type(async_alone.decode(None), DocumentRow)
    assert_type(JobDefinition.untyped("legacy", print), JobDefinition[Any, Any])

    # mypy would report an ignore that is not needed, so each of these lines is an error it must see.
    send(async_with_job, DocumentPart(DOCUMENT))  # type: ignore[misc]  # another payload
    async_with_job.encode(5)  # type: ignore[arg-type]
    sync_alone({}, a_job())  # type: ignore[call-arg]  # takes no job
    sync_with_job(DocumentPart(DOCUMENT))  # type: ignore[call-arg]  # takes a job
    jobs.job("a", retries=3)  # type: ignore[call-arg]  # no such option
    jobs.job("a", retry_limit="3")  # type: ignore[arg-type]

    def needs_more(payload: Document, job: Job, more: int) -> None: ...

    def second_is_no_job(payload: Document, limit: int) -> None: ...

    jobs.job("a")(needs_more)  # type: ignore[arg-type]
    jobs.job("a")(second_is_no_job)  # type: ignore[arg-type]


async def test_the_types_are_true() -> None:
    document = Document(document_id=DOCUMENT, file_path="a", pages=3)
    assert await assert_type(async_with_job(document, a_job()), Coroutine[Any, Any, Parsed]) == Parsed(3)
    assert await async_alone({"document_id": DOCUMENT}) == ["untitled"]
    assert assert_type(sync_alone({"a": 1}), int) == 1
    assert assert_type(send(async_with_job, document), Document) == document
    row = DocumentRow(document_id=DOCUMENT, title="t")
    assert assert_type(send(async_alone, row), DocumentRow) == {"document_id": DOCUMENT, "title": "t"}
