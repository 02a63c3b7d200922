"""What type checkers see: the static half of this file is judged by mypy, as part of the checks."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, assert_type
from uuid import UUID

from psycopg import AsyncConnection

from pgboss.core.job import Job, JobDetails
from pgboss.jobs import Discard, HandledBatch, HandledJob, JobDefinition, Jobs
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


@jobs.batch("batch", batch_size=10)
async def batch(payloads: list[Document]) -> list[Parsed]:
    return [Parsed(payload.pages) for payload in payloads]


@jobs.batch("batch-with-jobs", batch_size=10)
def batch_with_jobs(payloads: list[Document], jobs: list[Job]) -> dict[UUID, Parsed | Discard]:
    return {job.id: Parsed(payload.pages) for payload, job in zip(payloads, jobs, strict=True)}


@jobs.batch("batch-gathered", batch_size=10)
async def batch_gathered(payloads: list[Document]) -> list[Parsed | BaseException]:
    return [Parsed(payload.pages) for payload in payloads]


@jobs.batch("batch-silent", batch_size=10)
async def batch_silent(payloads: list[Document], jobs: list[Job]) -> None: ...


@jobs.job("transactional", transactional=True)
async def transactional(payload: Document, job: Job, connection: AsyncConnection) -> Parsed:
    return Parsed(payload.pages)


@jobs.batch("transactional-batch", batch_size=10, transactional=True)
def transactional_batch(payloads: list[Document], jobs: list[Job], connection: Any) -> list[Parsed]:
    return [Parsed(payload.pages) for payload in payloads]


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


def static_only(details: JobDetails) -> None:
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

    results = Sequence[Parsed | BaseException] | Mapping[UUID, Parsed | BaseException] | None
    assert_type(batch, HandledBatch[Document, Parsed, [], Coroutine[Any, Any, results]])
    assert_type(batch_with_jobs, HandledBatch[Document, Parsed, [list[Job]], results])
    assert_type(batch_gathered, HandledBatch[Document, Parsed, [], Coroutine[Any, Any, results]])
    assert_type(batch_silent, HandledBatch[Document, None, [list[Job]], Coroutine[Any, Any, None]])
    assert_type(transactional, HandledJob[Document, Parsed, [Job, AsyncConnection], Coroutine[Any, Any, Parsed]])
    assert_type(transactional_batch, HandledBatch[Document, Parsed, [list[Job], Any], results])
    assert_type(batch.payload_of(details), Document)
    assert_type(batch.result_of(details), Parsed | None)
    assert_type(async_alone.result_of(details), list[str] | None)
    assert_type(batch_silent.result_of(details), None)

    # mypy would report an ignore that is not needed, so each of these lines is an error it must see.
    send(async_with_job, DocumentPart(DOCUMENT))  # type: ignore[misc]  # another payload
    async_with_job.encode(5)  # type: ignore[arg-type]
    sync_alone({}, a_job())  # type: ignore[call-arg]  # takes no job
    sync_with_job(DocumentPart(DOCUMENT))  # type: ignore[call-arg]  # takes a job
    jobs.job("a", retries=3)  # type: ignore[call-overload]  # no such option
    jobs.job("a", retry_limit="3")  # type: ignore[call-overload]

    def takes_one(payload: Document) -> None: ...

    def gives_a_number(payloads: list[Document]) -> int:
        return len(payloads)

    jobs.batch("a", batch_size=2)(takes_one)  # type: ignore[arg-type]
    jobs.batch("a", batch_size=2)(gives_a_number)  # type: ignore[arg-type]
    jobs.job("a", transactional=True)(takes_one)  # type: ignore[arg-type]
    jobs.batch("a")  # type: ignore[call-overload]  # of what size?

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
    assert await batch([document]) == [Parsed(3)]
    assert batch_with_jobs([document], [a_job()]) == {a_job().id: Parsed(3)}
    assert transactional_batch([document], [a_job()], None) == [Parsed(3)]
