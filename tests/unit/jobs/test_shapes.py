"""Handlers that take lists, and those that take a connection: what they look like, and which are refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import pytest

from pgboss.core.job import Job
from pgboss.errors import ConfigurationError, PayloadError, ValidationError
from pgboss.jobs import Jobs
from unit.jobs.samples import DOCUMENT, Document, a_job

DATA = {"documentId": str(DOCUMENT), "filePath": "a"}


def lists(payloads: list[Document]) -> None: ...


def sequences(payloads: Sequence[Document], jobs: Sequence[Job]) -> None: ...


def unannotated(payloads, jobs: list[Any]) -> None: ...  # type: ignore[no-untyped-def]


def bare(payloads: list, jobs: list) -> None: ...  # type: ignore[type-arg]


def one(payload: Document) -> None: ...


def jobs_first(jobs: list[Job]) -> None: ...


def one_job(payloads: list[Document], job: Job) -> None: ...


def with_connection(payloads: list[Document], jobs: list[Job], connection: Any) -> None: ...


def nothing() -> None: ...


@pytest.mark.parametrize("handler", [lists, sequences])
def test_the_payload_of_a_batch_is_what_its_list_holds(handler: Any) -> None:
    definition = Jobs().batch("a", batch_size=3)(handler)

    assert isinstance(definition.decode(DATA), Document)
    assert (definition.is_batch, definition.is_transactional) == (True, False)
    with pytest.raises(PayloadError, match="a: "):
        definition.decode({})


@pytest.mark.parametrize("handler", [unannotated, bare])
def test_lists_of_anything_are_plain_json(handler: Any) -> None:
    assert Jobs().batch("a", batch_size=3)(handler).decode({"x": 1}) == {"x": 1}


@pytest.mark.parametrize(
    ("handler", "complaint"),
    [
        (jobs_first, r"takes the list\[Job\] as its first parameter; the list of payloads comes first"),
        (one_job, r"takes a second parameter 'job', which must be annotated as list\[Job\]"),
        (with_connection, r"takes 3 parameters; it must take the list of payloads, and may take the list of Jobs"),
        (nothing, r"takes no parameters; it must take the list of payloads"),
    ],
)
def test_other_shapes_are_refused(handler: Callable[..., Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        Jobs().batch("a", batch_size=3)(handler)


def test_a_payload_that_is_no_list_is_refused_before_the_first_job() -> None:
    with pytest.raises(ConfigurationError, match=r"annotate its first parameter as list\[\.\.\.\]"):
        Jobs().batch("a", batch_size=3)(one).prepare()  # type: ignore[arg-type]  # what is refused


def test_a_transactional_handler_takes_the_connection_last() -> None:
    jobs = Jobs()

    @jobs.job("one", transactional=True)
    def single(payload: Document, job: Job, connection: str) -> str:
        return f"{payload.file_path} {job.name} {connection}"

    @jobs.batch("many", batch_size=2, transactional=True)
    def many(payloads: list[Document], jobs: list[Job], connection: str) -> list[str]:
        return [f"{payload.file_path} {job.name} {connection}" for payload, job in zip(payloads, jobs, strict=True)]

    document = Document(document_id=UUID(int=1), file_path="a")
    assert single.call(document, a_job(), "here") == "a document-parse here"
    assert many.call([document], [a_job()], "here") == ["a document-parse here"]
    assert (single.is_transactional, many.is_transactional, many.is_batch) == (True, True, True)


@pytest.mark.parametrize("handler", [lists, sequences, nothing])
def test_a_transactional_handler_without_a_connection_is_refused(handler: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match="must take the list of payloads, the list of Jobs and the connection"):
        Jobs().batch("a", batch_size=3, transactional=True)(handler).prepare()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"batch_size": 0}, "a: batch_size must be an integer of 1 or more, not 0"),
        ({"batch_size": 2, "transactional": "yes"}, "a: transactional must be True or False, not 'yes'"),
        ({"batch_size": 2, "min_priority": 3, "max_priority": 2}, r"a: min_priority \(3\) must not be above"),
        ({"batch_size": 2, "lease_seconds": 9}, "a: lease_seconds must be an integer of 10 or more, not 9"),
        ({"batch_size": 2, "lease_seconds": 10.5}, "a: lease_seconds must be an integer of 10 or more, not 10.5"),
        ({"batch_size": 2, "group_concurrency": 0}, "a: group_concurrency must be an integer of 1 or more, not 0"),
        (
            {"batch_size": 2, "group_concurrency": 1, "local_group_concurrency": 1},
            "a: Give either group_concurrency or local_group_concurrency, not both",
        ),
        (
            {"batch_size": 2, "concurrency": 2, "local_group_concurrency": 5},
            r"a: local_group_concurrency \(5\) must not be above the 4 jobs that run at once",
        ),
    ],
)
def test_options_out_of_their_range_are_refused(options: Any, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Jobs().batch("a", **options)


def test_a_batch_size_is_for_batches() -> None:
    with pytest.raises(ConfigurationError, match=r"a: batch_size is for handlers that take lists: use @jobs\.batch"):
        Jobs().job("a", batch_size=2)  # type: ignore[call-overload]  # what is refused
